//! Pulling models from a hub on loopback that breaks, lies and refuses.

mod commands;
mod hub;
mod refusals;
mod resume;
mod whole;
