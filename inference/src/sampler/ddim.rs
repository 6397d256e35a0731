//! Denoising diffusion implicit models: Song et al. 2020, equation 12.

use super::{Denoiser, Plan, SamplerState, Step, tensors::mix};
use crate::{error::InferenceError, schedule::noise};

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let (at, to) = (planned.at, planned.to);
    let denoised = denoiser.denoise(&state.latents, at).await?;
    // The noise is what the network said, also where the clean latents are then bounded.
    let noise = noise(&state.latents, &denoised, at)?;
    let denoised = plan.bounded(&denoised)?;
    let eta = plan.settings.eta;
    let variance = (to.beta_bar() / at.beta_bar() * (1.0 - at.kept_from(to))).max(0.0);
    let deviation = eta * variance.sqrt();
    let along = (to.beta_bar() - deviation * deviation).max(0.0).sqrt();
    let mut latents = mix([(to.alpha, &denoised), (along, &noise)])?;
    if eta > 0.0 {
        latents = mix([(1.0, &latents), (deviation, &state.draw()?)])?;
    }
    Ok(state.advance(latents, denoised))
}
