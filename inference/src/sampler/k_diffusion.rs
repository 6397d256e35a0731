//! What the samplers of k-diffusion share: steps along the change of the latents with sigma.

use candle_core::Tensor;

use super::{
    Denoiser,
    bounds::Bounds,
    method::{Run, Setup},
    state::{SamplerState, Step},
    tensors::mix,
};
use crate::{
    error::InferenceError,
    schedule::{Levels, NoiseLevel, level_between},
};

/// Euler's step: Karras et al. 2022, Algorithm 2 without churn.
pub(super) async fn euler(run: Run<'_>, bounds: Bounds, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
    let (at, to) = run.levels(state.step);
    let denoised = bounds.denoise(denoiser, &state.latents, at).await?;
    let latents = moved(&state.latents, &slope(&state.latents, &denoised, at)?, to.sigma - at.sigma)?;
    Ok(state.advance(latents, denoised))
}

/// The change of the latents with sigma. On flow matching's straight lines it has the same form.
pub(super) fn slope(latents: &Tensor, denoised: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
    Ok(((latents - denoised)? / at.sigma)?)
}

/// The latents after going so far along the slope.
pub(super) fn moved(latents: &Tensor, slope: &Tensor, distance: f64) -> Result<Tensor, InferenceError> {
    mix([(1.0, latents), (distance, slope)])
}

/// The sigma to go down to and the deviation of the fresh noise that then leads up to `to` (k-diffusion, `get_ancestral_step` with eta 1).
pub(super) fn ancestral(from: f64, to: f64) -> (f64, f64) {
    let up = (to * to * (from * from - to * to).max(0.0) / (from * from)).sqrt();
    ((to * to - up * up).max(0.0).sqrt(), up)
}

/// The level half the way in log sigma from each step's level to the sigma that it goes `down` to; none where a step ends without noise.
pub(super) fn middles(setup: &Setup<'_>, levels: &Levels, down: impl Fn(f64, f64) -> f64) -> Vec<Option<NoiseLevel>> {
    let table = setup.config.table(&setup.spec);
    let middle = |(at, to): (&NoiseLevel, &NoiseLevel)| {
        (to.sigma != 0.0).then(|| level_between(setup.config, &table, (at.sigma * down(at.sigma, to.sigma)).sqrt()))
    };
    levels.at.iter().zip(&levels.to).map(middle).collect()
}
