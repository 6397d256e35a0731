//! The networks of a latent diffusion model: text encoder, U-Net, autoencoder.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::error::InferenceError;

/// A loaded model. Lives on the device thread.
pub struct Model {}

impl Model {
    /// Loads a Hugging Face (diffusers) folder; every shape comes from its config.json files.
    pub fn load(_folder: &Path, _device: &Device, _dtype: DType) -> Result<Self, InferenceError> {
        unimplemented!()
    }

    /// Embeds prompts; `[n, 77, d]` in the model's dtype. Each row is computed alone.
    pub fn encode_text(&self, _prompts: &[&str]) -> Result<Tensor, InferenceError> {
        unimplemented!()
    }

    /// The U-Net's raw output (epsilon or v) `[n, 4, h, w]` for scaled latents `[n, 4, h, w]`, one training timestep a row, context `[n, 77, d]`.
    pub fn predict(&self, _latents: &Tensor, _timesteps: &[f64], _context: &Tensor) -> Result<Tensor, InferenceError> {
        unimplemented!()
    }

    /// Mean and standard deviation `[n, 4, h, w]` of the latents of pictures `[n, 3, H, W]` in -1..1, before scaling.
    pub fn encode_image(&self, _pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        unimplemented!()
    }

    /// Pictures `[n, 3, H, W]` in -1..1 (not clamped) of scaled latents `[n, 4, h, w]` (divides by the scaling factor).
    pub fn decode(&self, _latents: &Tensor) -> Result<Tensor, InferenceError> {
        unimplemented!()
    }
}
