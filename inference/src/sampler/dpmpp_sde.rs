//! DPM-Solver++ with fresh noise, singlestep: k-diffusion, `sample_dpmpp_sde` with eta 1 and its middle at half the way in log sigma.
//!
//! The noise is a Brownian motion in sigma: what the first half of a step saw of it is part of what the whole step sees. Its increments come
//! from the picture's own generator, two draws a step, and not from the reference's library.

use super::{
    Denoiser, Plan, SamplerState, Step,
    euler::{self},
    euler_a::split,
    tensors::mix,
};
use crate::error::InferenceError;

pub(super) async fn step(plan: &Plan, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
    let planned = plan.steps[state.step];
    let Some(via) = planned.via else {
        return euler::step(plan, denoiser, state).await;
    };
    let (from, middle, to) = (planned.at.sigma, via.sigma, planned.to.sigma);
    let (early, late) = (state.draw()?, state.draw()?);
    let denoised = plan.denoise(denoiser, &state.latents, planned.at).await?;
    let (down, up) = split(from, middle);
    let half_way = mix([(down / from, &state.latents), (1.0 - down / from, &denoised), (up, &early)])?;
    let half_way = denoiser.hold(half_way, planned.to)?;
    let denoised = plan.denoise(denoiser, &half_way, via).await?;
    let (down, up) = split(from, to);
    let (share_early, share_late) = (((from - middle) / (from - to)).sqrt(), ((middle - to) / (from - to)).sqrt());
    let latents =
        mix([(down / from, &state.latents), (1.0 - down / from, &denoised), (up * share_early, &early), (up * share_late, &late)])?;
    Ok(state.advance(latents, denoised))
}
