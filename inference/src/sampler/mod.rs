//! Samplers: how one noise level goes to the next. A sampler knows neither model nor guidance.
//!
//! Each stands in a file of its own in `methods/` with its names, what it asks of a schedule, its settings and its step; `methods.rs` lists
//! them. Each works in the space of the class in diffusers that it stands for (`src/diffusers/schedulers/`, 0.42): see [`NoiseLevel`].

mod bounds;
mod denoiser;
mod dpm_multistep;
mod dpm_solver;
mod k_diffusion;
mod method;
mod methods;
mod names;
mod plan;
mod prediction;
mod state;
mod tensors;
#[cfg(test)]
mod tests;

pub(crate) use self::{denoiser::Denoiser, state::SamplerState};
pub use self::{
    methods::Sampler,
    names::{SamplerChoice, UnknownSampler},
    plan::Plan,
};
pub(crate) use crate::schedule::NoiseLevel;
