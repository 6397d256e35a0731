//! Atelier's bot: who may ask, and how it answers.

pub mod config;
