//! Euler's method with ancestral noise: k-diffusion, `sample_euler_ancestral` with eta 1.

use super::{
    Denoiser, Plan, SamplerState, Step,
    euler::{moved, slope},
};
use crate::error::InferenceError;

/// The sigma to go down to and the deviation of the fresh noise that then leads up to `to`.
pub(super) fn split(from: f64, to: f64) -> (f64, f64) {
    let up = (to * to * (from * from - to * to).max(0.0) / (from * from)).sqrt();
    ((to * to - up * up).max(0.0).sqrt(), up)
}

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let (down, up) = split(planned.at.sigma, planned.to.sigma);
    let latents = moved(&state.latents, &slope(&state.latents, &denoised, planned.at)?, down - planned.at.sigma)?;
    // The reference draws at the last step too, where the weight is zero.
    let noise = state.draw()?;
    let latents = moved(&latents, &noise, up)?;
    Ok(state.advance(latents, denoised))
}
