//! Atelier's bot: who may ask, and how it answers.

pub mod answer;
pub mod app;
pub mod buttons;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
mod delivery;
pub mod discord;
mod disk;
pub mod dispatcher;
pub mod enqueue;
pub mod error;
pub mod grid;
pub mod hashes;
pub mod hub;
mod limits;
pub mod live;
pub mod messages;
pub mod metadata;
pub mod models;
pub mod pictures;
mod progress;
pub mod prompt;
mod random;
mod render;
pub mod start;
