//! Classifier-free guidance: from two rows of the network to the clean latents of one picture.

use std::cell::Cell;

use candle_core::Tensor;

use super::Kept;
use crate::{
    batcher::{Caller, Prompt},
    error::InferenceError,
    family::GuidanceRule,
    sampler::{Denoiser, NoiseLevel},
    schedule::Prediction,
};

/// The denoiser of one picture: its rows go to the network with those of other pictures.
pub(crate) struct Guided<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) prediction: Prediction,
    pub(crate) rule: GuidanceRule,
    pub(crate) guidance_scale: f64,
    pub(crate) guidance_rescale: f64,
    /// The negative prompt; `None` without guidance.
    pub(crate) negative: Option<&'a Prompt>,
    pub(crate) positive: &'a Prompt,
    /// Whether guidance is on in this step.
    pub(crate) is_on: Cell<bool>,
    pub(crate) kept: &'a Kept,
}

impl Denoiser for Guided<'_> {
    /// Two independent rows where guidance is on, one where it is not.
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let input = self.kept.input((latents * self.prediction.input_scale(at))?)?;
        let predict = async |prompt: &Prompt| self.caller.predict(&input, at.timestep, prompt).await;
        let output = match self.negative.filter(|_| self.is_on.get()) {
            Some(negative) => {
                let (negative, positive) = futures::try_join!(predict(negative), predict(self.positive))?;
                let guided = self.rule.guided(&negative, &positive, self.guidance_scale)?;
                rescaled(guided, &positive, self.guidance_rescale)?
            }
            None => predict(self.positive).await?,
        };
        self.prediction.denoised(latents, &output, at)
    }

    fn hold(&self, latents: Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        self.kept.within(latents, at)
    }
}

/// `guided` brought `share` of the way to the spread of `positive` (Lin et al. 2023, section 3.4).
fn rescaled(guided: Tensor, positive: &Tensor, share: f64) -> Result<Tensor, InferenceError> {
    if share == 0.0 {
        return Ok(guided);
    }
    let factor = deviation(positive)? / deviation(&guided)?;
    Ok((&guided * (share * factor + (1.0 - share)))?)
}

/// Standard deviation over all values, unbiased as torch's.
fn deviation(values: &Tensor) -> Result<f64, InferenceError> {
    let values = values.flatten_all()?.to_dtype(candle_core::DType::F64)?;
    let mean = values.mean_all()?.to_scalar::<f64>()?;
    let squares = (values.clone() - mean)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
    Ok((squares / (values.elem_count() as f64 - 1.0)).sqrt())
}
