//! Trajectory consistency distillation: Zheng et al. 2024, Algorithm 4 (strategic stochastic sampling).

use super::{Denoiser, Plan, SamplerState, Step, plan::noised_to, tensors::mix};
use crate::{error::InferenceError, schedule::noise};

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let (at, to) = (planned.at, planned.to);
    let via = planned.via.unwrap_or(to);
    let denoised = denoiser.denoise(&state.latents, at).await?;
    let mut latents = noised_to(&denoised, &noise(&state.latents, &denoised, at)?, via)?;
    let is_last = state.step + 1 == plan.steps.len();
    if plan.settings.eta > 0.0 && !is_last {
        let kept = to.kept_from(via);
        latents = mix([(kept.sqrt(), &latents), ((1.0 - kept).max(0.0).sqrt(), &state.draw()?)])?;
    }
    Ok(state.advance(latents, denoised))
}
