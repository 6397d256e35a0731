//! The midpoint method in log sigma, plain and with ancestral noise: Karras et al. 2022, Algorithm 2 as k-diffusion's `sample_dpm_2` and
//! `sample_dpm_2_ancestral` have it.

use super::{
    Denoiser, Plan, SamplerState, Step,
    euler::{self, moved, slope},
    euler_a::split,
};
use crate::error::InferenceError;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let Some(via) = planned.via else {
        return euler::step(plan, denoiser, state).await;
    };
    let from = planned.at.sigma;
    let (down, up) = if plan.settings.is_ancestral { split(from, planned.to.sigma) } else { (planned.to.sigma, 0.0) };
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let first = slope(&state.latents, &denoised, planned.at)?;
    // The kept area of an inpainting goes to the end's level here, not to the middle's: so does the reference.
    let middle = denoiser.hold(moved(&state.latents, &first, via.sigma - from)?, planned.to)?;
    let denoised = plan.denoise(denoiser, &middle, via).await?;
    let mut latents = moved(&state.latents, &slope(&middle, &denoised, via)?, down - from)?;
    if plan.settings.is_ancestral {
        latents = moved(&latents, &state.draw()?, up)?;
    }
    Ok(state.advance(latents, denoised))
}
