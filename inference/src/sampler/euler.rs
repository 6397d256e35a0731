//! Euler's method: Karras et al. 2022, Algorithm 2 without churn.

use super::{Denoiser, PlannedStep, SamplerState, Step};
use crate::error::InferenceError;

pub(super) async fn step(planned: &PlannedStep, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let sigma = planned.at.sigma;
    let denoised = denoiser.denoise(&state.latents, planned.at).await?;
    let slope = ((&state.latents - &denoised)? / sigma)?;
    let latents = (&state.latents + (slope * (planned.to - sigma))?)?;
    Ok(Step { state: SamplerState { step: state.step + 1, latents, ..state }, denoised })
}
