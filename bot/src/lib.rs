//! Atelier's bot: who may ask, and how it answers.

pub mod answer;
pub mod app;
pub mod buttons;
pub mod chosen;
pub mod cli;
pub mod commands;
pub mod config;
pub mod discord;
pub mod error;
pub mod hub;
pub mod intake;
mod interactions;
pub mod jobs;
pub mod messages;
pub mod models;
pub mod pictures;
pub mod policy;
pub mod prompt;
pub mod reactions;
pub mod start;
pub mod system;
pub mod terminal;
