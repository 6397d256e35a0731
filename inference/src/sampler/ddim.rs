//! Denoising diffusion implicit models with eta 0: Song et al. 2020, equation 12, in sigma space.

use super::{Denoiser, PlannedStep, SamplerState, Step};
use crate::{error::InferenceError, schedule::Schedule};

/// The reference goes to a level of its own and takes the latents for those of the next level as they are, variance-preserving; where the two
/// differ (trailing and linspace spacing), sigma space shows it as a factor.
pub(super) fn plan(plain: PlannedStep, schedule: &Schedule, i: usize) -> PlannedStep {
    let rescale = schedule.levels.get(i + 1).map_or(1.0, |next| next.sigma.hypot(1.0) / plain.to.hypot(1.0));
    PlannedStep { clip: schedule.clip, rescale, ..plain }
}

pub(super) async fn step(planned: &PlannedStep, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let mut denoised = denoiser.denoise(&state.latents, planned.at).await?;
    // The noise is what the network said, also where the clean latents are then clipped.
    let noise = ((&state.latents - &denoised)? / planned.at.sigma)?;
    if let Some(bound) = planned.clip {
        denoised = denoised.clamp(-bound, bound)?;
    }
    let mut latents = (&denoised + (noise * planned.to)?)?;
    if planned.rescale != 1.0 {
        latents = (latents * planned.rescale)?;
    }
    Ok(Step { state: SamplerState { step: state.step + 1, latents, ..state }, denoised })
}
