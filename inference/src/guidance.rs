//! Classifier-free guidance: from the network's raw outputs to the clean latents.

use candle_core::Tensor;

use crate::{
    batcher::Caller,
    error::InferenceError,
    sampler::{Denoiser, NoiseLevel},
    schedule::Prediction,
};

/// The denoiser of one picture: its rows go to the network with those of other pictures.
pub(crate) struct Guided<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) prediction: Prediction,
    pub(crate) guidance_scale: f64,
    /// Embedding of the negative prompt `[1, n, d]`; `None` without guidance.
    pub(crate) negative: Option<&'a Tensor>,
    /// Embedding of the prompt `[1, n, d]`.
    pub(crate) positive: &'a Tensor,
}

impl Denoiser for Guided<'_> {
    /// Ho and Salimans 2022, in the form of Imagen: negative + scale × (positive − negative), as two independent rows.
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let scaled = (latents * self.prediction.input_scale(at))?;
        let output = match self.negative {
            Some(negative) => {
                let (negative, positive) = futures::try_join!(
                    self.caller.predict(&scaled, at.timestep, negative),
                    self.caller.predict(&scaled, at.timestep, self.positive)
                )?;
                (&negative + ((positive - &negative)? * self.guidance_scale)?)?
            }
            None => self.caller.predict(&scaled, at.timestep, self.positive).await?,
        };
        self.prediction.denoised(latents, &output, at)
    }
}
