//! Atelier's diffusion engine: what to make, and the device thread that makes it. Knows no Discord, no SQL, no user and no guild.

pub mod checkpoint;
pub mod engine;
pub mod error;
pub mod model;
pub mod noise;
mod ops;
pub mod sampler;
pub mod schedule;
pub mod task;
pub mod text;
pub mod upscale;
