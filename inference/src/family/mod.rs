//! Families of models: one folder for each architecture that draws, and one line in `registry.rs`.
//!
//! A model is three parts, each loaded alone from its files and dropped alone: text encoders, denoiser, autoencoder. A prompt goes through the first
//! ([`Conditioning`]), is made ready by the second ([`Prepared`]), and then stands in the second's rows; the autoencoder is [`crate::vae::Vae`] in every family.

mod attention_maps;
pub(crate) mod contract;
mod description;
mod drift;
mod files;
mod parts;
mod registry;
mod rules;
pub mod stable_diffusion;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod toy;
pub mod z_image;

pub(crate) use self::{attention_maps::AttentionMaps, contract::Row, description::Description};
pub use self::{
    attention_maps::WordMap,
    contract::{PromptRequest, Told},
    drift::Drift,
    files::{ModelFiles, ModelShape, ModelSource},
    parts::{Conditioning, Denoiser, Prepared, Text},
    rules::{GuidanceRule, Prices, Rules, Suited},
};
