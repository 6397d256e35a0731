//! Heun's method: Karras et al. 2022, Algorithm 1 without churn.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        k_diffusion::{euler, moved, slope},
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        spec::{BetaDefaults, Sigmas, Space, Spec},
    },
};

/// Heun's method.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Heun {
    bounds: Bounds,
}

impl Method for Heun {
    const NAMES: Names = Names {
        ours: "heun",
        shown: "Heun",
        class: "HeunDiscreteScheduler",
        others: &["heundiscrete"],
        about: "careful, takes twice as long",
        automatic: ScheduleKind::Normal,
    };

    fn spec(_: &ScheduleConfig) -> Spec {
        Spec { betas: BetaDefaults::STABLE_LINEAR, calls_twice: true, ..Spec::of(Self::NAMES.class, Space::Sigmas(Sigmas::USUAL)) }
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        Self { bounds: Bounds::default().clipping(setup.config, &setup.spec, false) }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        if to.sigma == 0.0 {
            return euler(run, self.bounds, denoiser, state).await;
        }
        let denoised = self.bounds.denoise(denoiser, &state.latents, at).await?;
        let first = slope(&state.latents, &denoised, at)?;
        let distance = to.sigma - at.sigma;
        let there = denoiser.hold(moved(&state.latents, &first, distance)?, to)?;
        let denoised = self.bounds.denoise(denoiser, &there, to).await?;
        let mean = ((first + slope(&there, &denoised, to)?)? / 2.0)?;
        let latents = moved(&state.latents, &mean, distance)?;
        Ok(state.advance(latents, denoised))
    }
}
