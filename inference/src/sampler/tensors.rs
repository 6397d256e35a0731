//! Weighted sums of latents.

use candle_core::Tensor;

use crate::{error::InferenceError, schedule::NoiseLevel};

/// The sum of tensors, each times its weight; those of weight 0 are left out, so that they may hold infinities.
pub(super) fn mix<'a>(terms: impl IntoIterator<Item = (f64, &'a Tensor)>) -> Result<Tensor, InferenceError> {
    let mut sum: Option<Tensor> = None;
    let mut shape = None;
    for (weight, tensor) in terms {
        shape = Some(tensor);
        if weight != 0.0 {
            let term = (tensor * weight)?;
            sum = Some(match sum {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
    }
    match (sum, shape) {
        (Some(sum), _) => Ok(sum),
        (None, Some(tensor)) => Ok(tensor.zeros_like()?),
        (None, None) => Err(candle_core::Error::Msg("no tensors to mix".into()).into()),
    }
}

/// Clean latents with noise, at a level.
pub(super) fn noised_to(clean: &Tensor, noise: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
    mix([(at.alpha, clean), (at.sigma, noise)])
}
