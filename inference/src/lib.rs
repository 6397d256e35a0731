//! Atelier's diffusion engine: what to make, and the device thread that makes it. Knows no Discord, no SQL, no user and no guild.

#![warn(missing_docs)]

mod batcher;
pub mod checkpoint;
pub mod engine;
pub mod error;
mod guidance;
pub mod limits;
pub mod model;
mod networks;
pub mod noise;
mod ops;
mod pixels;
mod preview;
pub mod sampler;
pub mod schedule;
pub mod task;
pub mod text;
mod trajectory;
pub mod upscale;
