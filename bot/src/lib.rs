//! Atelier's bot: who may ask, and how it answers.

pub mod cli;
pub mod config;
pub mod grid;
pub mod models;
pub mod prompt;
