//! Latent consistency models: Luo et al. 2023, Algorithm 3; the boundary condition of Song et al. 2023, appendix C.

use super::{Denoiser, Plan, SamplerState, Step, plan::noised_to, tensors::mix};
use crate::error::InferenceError;

/// Standard deviation of the data in the boundary condition.
const SIGMA_DATA: f64 = 0.5;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let time = planned.at.timestep * plan.settings.timestep_scaling;
    let length = time.hypot(SIGMA_DATA);
    let skip = (SIGMA_DATA / length).powi(2);
    let denoised = mix([(time / length, &denoised), (skip, &state.latents)])?;
    let latents = match plan.steps.get(state.step + 1) {
        Some(next) => noised_to(&denoised, &state.draw()?, next.at)?,
        None => denoised.clone(),
    };
    Ok(state.advance(latents, denoised))
}
