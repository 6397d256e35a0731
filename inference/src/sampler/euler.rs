//! Euler's method: Karras et al. 2022, Algorithm 2 without churn.

use candle_core::Tensor;

use super::{Denoiser, NoiseLevel, Plan, SamplerState, Step, plan::noised_to, tensors::mix};
use crate::error::InferenceError;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let latents = moved(&state.latents, &slope(&state.latents, &denoised, planned.at)?, planned.to.sigma - planned.at.sigma)?;
    Ok(state.advance(latents, denoised))
}

/// Flow matching: the same, or with fresh noise at every step where the configuration wants it.
pub(super) async fn flow_step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    if !plan.settings.is_stochastic {
        return step(plan, denoiser, state).await;
    }
    let planned = plan.steps[state.step];
    let denoised = denoiser.denoise(&state.latents, planned.at).await?;
    let latents = noised_to(&denoised, &state.draw()?, planned.to)?;
    Ok(state.advance(latents, denoised))
}

/// The change of the latents with sigma. On flow matching's straight lines it has the same form.
pub(super) fn slope(latents: &Tensor, denoised: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
    Ok(((latents - denoised)? / at.sigma)?)
}

/// The latents after going so far along the slope.
pub(super) fn moved(latents: &Tensor, slope: &Tensor, distance: f64) -> Result<Tensor, InferenceError> {
    mix([(1.0, latents), (distance, slope)])
}
