//! Storage's tests against its public face, in one program: every program links everything again.

mod blobs;
mod contract;
mod kill;
mod open;
mod turns;
