//! What a sampler calls.

use std::future::Future;

use candle_core::Tensor;

use crate::{error::InferenceError, host, schedule::NoiseLevel};

/// Estimates the clean latents: network, prediction type and guidance behind one call.
pub(crate) trait Denoiser {
    /// The clean latents in `latents` `[1, c, h, w]`, which are at this level.
    fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> impl Future<Output = Result<Tensor, InferenceError>>;

    /// The numbers of a picture's latents `[1, c, h, w]`, in main memory. Reading makes the device wait, so all pictures whose rows shared a batch are read
    /// at once.
    fn read(&self, latents: &Tensor) -> impl Future<Output = Result<Vec<f32>, InferenceError>> {
        std::future::ready(host::floats(latents).map_err(InferenceError::from))
    }

    /// The latents between the two network calls of one step, where inpainting puts the kept area back: at the level of the step's end, as the
    /// loop of diffusers' pipelines does.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    fn hold(&self, latents: Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let _ = at;
        Ok(latents)
    }
}
