//! The midpoint method in log sigma: Karras et al. 2022, Algorithm 2 as k-diffusion's `sample_dpm_2` has it.

use candle_core::Tensor;

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        k_diffusion::{euler, middles, moved, slope},
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
    },
    schedule::{
        Levels, NoiseLevel, ScheduleConfig, ScheduleKind,
        spec::{BetaDefaults, Sigmas, Space, Spec},
    },
};

/// DPM2.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Dpm2 {
    /// Where each step calls the network again.
    middles: Vec<Option<NoiseLevel>>,
}

impl Method for Dpm2 {
    const NAMES: Names = Names {
        ours: "dpm2",
        shown: "DPM2",
        class: "KDPM2DiscreteScheduler",
        others: &["dpm2discrete"],
        about: "an older one, takes twice as long",
        automatic: ScheduleKind::Karras,
    };

    fn spec(_: &ScheduleConfig) -> Spec {
        let space = Space::Sigmas(Sigmas { rounds_karras: true, ..Sigmas::USUAL });
        Spec { betas: BetaDefaults::STABLE_LINEAR, calls_twice: true, ..Spec::of(Self::NAMES.class, space) }
    }

    fn new(setup: &Setup<'_>, levels: &Levels) -> Self {
        Self { middles: middles(setup, levels, |_, to| to) }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        let Some(middle) = self.middles[state.step] else {
            return euler(run, Bounds::default(), denoiser, state).await;
        };
        let (latents, denoised) = midpoint(denoiser, &state.latents, (at, middle, to), to.sigma).await?;
        Ok(state.advance(latents, denoised))
    }
}

/// The latents after going `down` to a sigma along the slope in the middle, and the clean latents there.
pub(super) async fn midpoint(
    denoiser: &impl Denoiser,
    latents: &Tensor,
    (at, middle, to): (NoiseLevel, NoiseLevel, NoiseLevel),
    down: f64,
) -> Result<(Tensor, Tensor), InferenceError> {
    let denoised = denoiser.denoise(latents, at).await?;
    let first = slope(latents, &denoised, at)?;
    // The kept area of an inpainting goes to the end's level here, not to the middle's: so does the reference.
    let half_way = denoiser.hold(moved(latents, &first, middle.sigma - at.sigma)?, to)?;
    let denoised = denoiser.denoise(&half_way, middle).await?;
    let latents = moved(latents, &slope(&half_way, &denoised, middle)?, down - at.sigma)?;
    Ok((latents, denoised))
}
