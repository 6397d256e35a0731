//! Euler's method with ancestral noise: k-diffusion, `sample_euler_ancestral` with eta 1.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        k_diffusion::{ancestral, moved, slope},
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        spec::{Sigmas, Space, Spec, ZeroSnr},
    },
};

/// Euler's method with ancestral noise.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct EulerA;

impl Method for EulerA {
    const NAMES: Names = Names {
        ours: "euler_a",
        shown: "Euler a",
        class: "EulerAncestralDiscreteScheduler",
        others: &["eulerancestral", "eulerancestraldiscrete"],
        about: "plain with fresh noise, changes with the number of steps",
        automatic: ScheduleKind::Normal,
    };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        let space = Space::Sigmas(Sigmas { converts: false, ..Sigmas::USUAL });
        Spec { zero_snr: ZeroSnr::Approached, ..Spec::of(Self::NAMES.class, space) }
    }

    fn new(_: &Setup<'_>, _: &Levels) -> Self {
        Self
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        let denoised = denoiser.denoise(&state.latents, at).await?;
        let (down, up) = ancestral(at.sigma, to.sigma);
        let latents = moved(&state.latents, &slope(&state.latents, &denoised, at)?, down - at.sigma)?;
        // The reference draws at the last step too, where the weight is zero.
        let noise = state.draw()?;
        let latents = moved(&latents, &noise, up)?;
        Ok(state.advance(latents, denoised))
    }
}
