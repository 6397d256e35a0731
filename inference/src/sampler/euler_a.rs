//! Euler's method with ancestral noise: k-diffusion, `sample_euler_ancestral` with eta 1.

use candle_core::Tensor;

use super::{Denoiser, PlannedStep, SamplerState, Step, euler};
use crate::error::InferenceError;

/// Splits the step into a longer one down and fresh noise up to the target.
pub(super) fn plan(plain: PlannedStep) -> PlannedStep {
    let (from, to) = (plain.at.sigma, plain.to);
    let up = (to.powi(2) * (from.powi(2) - to.powi(2)) / from.powi(2)).sqrt();
    PlannedStep { to: (to.powi(2) - up.powi(2)).max(0.0).sqrt(), fresh_noise: up, ..plain }
}

pub(super) async fn step(planned: &PlannedStep, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let Step { mut state, denoised } = euler::step(planned, denoiser, state).await?;
    let shape = state.latents.shape().clone();
    // The reference draws at the last step too, where the weight is zero.
    let noise = Tensor::from_vec(state.noise.randn(shape.elem_count()), shape, state.latents.device())?;
    state.latents = (state.latents + (noise * planned.fresh_noise)?)?;
    Ok(Step { state, denoised })
}
