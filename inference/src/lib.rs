//! Atelier's diffusion engine: what to make, and the device thread that makes it. Knows no Discord, no SQL, no user and no guild.

#![warn(missing_docs)]

pub mod adapter;
mod batcher;
pub mod catalogue;
pub mod checkpoint;
pub mod engine;
pub mod error;
pub mod family;
mod host;
mod layers;
pub mod noise;
mod ops;
mod part;
mod pixels;
mod preview;
pub mod sampler;
pub mod schedule;
pub mod state;
pub mod task;
mod telemetry;
pub mod text;
mod trajectory;
pub mod upscale;
pub mod vae;
