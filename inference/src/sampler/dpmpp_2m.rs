//! DPM-Solver++ (2M): Lu et al. 2022, Algorithm 2 (multistep, midpoint), in sigma space, where the half-logarithm of the signal-to-noise ratio
//! is λ = −ln σ and the latents are not scaled.

use super::{Denoiser, PlannedStep, SamplerState, Step};
use crate::{error::InferenceError, schedule::Schedule};

/// First order at the first step of the run and, where the schedule says so, at the last.
pub(super) fn plan(plain: PlannedStep, schedule: &Schedule, i: usize, start: usize) -> PlannedStep {
    let is_last = i + 1 == schedule.levels.len();
    if i <= start || (is_last && schedule.last_is_first_order) {
        return plain;
    }
    let h = (plain.at.sigma / plain.to).ln();
    let h_last = (schedule.levels[i - 1].sigma / plain.at.sigma).ln();
    PlannedStep { correction: 0.5 * h / h_last, ..plain }
}

pub(super) async fn step(planned: &PlannedStep, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let denoised = denoiser.denoise(&state.latents, planned.at).await?;
    let target = match state.history.last() {
        Some(previous) if planned.correction != 0.0 => (&denoised + ((&denoised - previous)? * planned.correction)?)?,
        _ => denoised.clone(),
    };
    let keep = planned.to / planned.at.sigma;
    let latents = ((&state.latents * keep)? + (target * (1.0 - keep))?)?;
    Ok(Step { state: SamplerState { step: state.step + 1, latents, history: vec![denoised.clone()], noise: state.noise }, denoised })
}
