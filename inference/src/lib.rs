//! Atelier's diffusion engine: what to make, and the device thread that makes it. Knows no Discord, no SQL, no user and no guild.

pub mod engine;
pub mod error;
pub mod model;
pub mod noise;
pub mod sampler;
pub mod schedule;
pub mod task;
