//! Heun's method: Karras et al. 2022, Algorithm 1 without churn.

use super::{
    Denoiser, Plan, SamplerState, Step,
    euler::{self, moved, slope},
};
use crate::error::InferenceError;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let Some(via) = planned.via else {
        return euler::step(plan, denoiser, state).await;
    };
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let first = slope(&state.latents, &denoised, planned.at)?;
    let distance = planned.to.sigma - planned.at.sigma;
    let there = denoiser.hold(moved(&state.latents, &first, distance)?, planned.to)?;
    let denoised = plan.denoise(denoiser, &there, via).await?;
    let mean = ((first + slope(&there, &denoised, via)?)? / 2.0)?;
    let latents = moved(&state.latents, &mean, distance)?;
    Ok(state.advance(latents, denoised))
}
