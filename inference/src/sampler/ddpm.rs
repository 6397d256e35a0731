//! Denoising diffusion probabilistic models: Ho et al. 2020, equations 6 and 7.

use super::{Denoiser, Plan, SamplerState, Step, tensors::mix};
use crate::error::InferenceError;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let (at, to) = (planned.at, planned.to);
    let denoised = plan.denoise(denoiser, &state.latents, at).await?;
    let kept = at.kept_from(to);
    let clean_weight = to.alpha * (1.0 - kept) / at.beta_bar();
    let latents_weight = kept.sqrt() * to.beta_bar() / at.beta_bar();
    let mut latents = mix([(clean_weight, &denoised), (latents_weight, &state.latents)])?;
    if at.timestep > 0.0 {
        let small = (to.beta_bar() / at.beta_bar() * (1.0 - kept)).max(1e-20);
        let variance = if plan.settings.has_large_variance { 1.0 - kept } else { small };
        latents = mix([(1.0, &latents), (variance.sqrt(), &state.draw()?)])?;
    }
    Ok(state.advance(latents, denoised))
}
