//! The networks as the batcher sees them: rows in, rows out, all `f32`.

use candle_core::{DType, Device, Tensor};

use crate::{
    error::{InferenceError, InvalidTask},
    model::Model,
    upscale::Upscaler,
};

/// What can go through a network as one batch. A row's answer must not depend on the other rows.
pub(crate) trait Networks {
    /// Where the networks compute.
    fn device(&self) -> &Device;
    /// Embeds prompts: `[n, tokens, d]`.
    fn encode_text(&self, prompts: &[&str]) -> Result<Tensor, InferenceError>;
    /// The U-Net's raw output `[n, c, h, w]`, one training timestep a row.
    fn predict(&self, latents: &Tensor, timesteps: &[f64], context: &Tensor) -> Result<Tensor, InferenceError>;
    /// Mean and standard deviation, both `[n, c, h, w]` before scaling, of pictures `[n, 3, H, W]` in -1..1.
    fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError>;
    /// Pictures `[n, 3, H, W]` in -1..1 of scaled latents.
    fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError>;
    /// Pictures `[n, 3, H, W]` in 0..1, enlarged.
    fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError>;
}

/// The networks of a loaded model.
pub(crate) struct Loaded {
    pub(crate) model: Model,
    pub(crate) upscaler: Option<Upscaler>,
    pub(crate) device: Device,
}

impl Networks for Loaded {
    fn device(&self) -> &Device {
        &self.device
    }

    fn encode_text(&self, prompts: &[&str]) -> Result<Tensor, InferenceError> {
        Ok(self.model.encode_text(prompts)?.to_dtype(DType::F32)?)
    }

    fn predict(&self, latents: &Tensor, timesteps: &[f64], context: &Tensor) -> Result<Tensor, InferenceError> {
        Ok(self.model.predict(latents, timesteps, context)?.to_dtype(DType::F32)?)
    }

    fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        self.model.encode_image(pixels)
    }

    fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        self.model.decode(latents)
    }

    fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError> {
        let upscaler = self.upscaler.as_ref().ok_or(InvalidTask::NoUpscaler)?;
        Ok(upscaler.upscale(pixels)?.to_dtype(DType::F32)?)
    }
}
