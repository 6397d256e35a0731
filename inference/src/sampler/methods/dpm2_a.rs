//! The midpoint method in log sigma with ancestral noise: k-diffusion, `sample_dpm_2_ancestral` with eta 1.

use super::dpm2::midpoint;
use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        k_diffusion::{ancestral, euler, middles, moved},
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
    },
    schedule::{
        Levels, NoiseLevel, ScheduleConfig, ScheduleKind,
        spec::{BetaDefaults, Sigmas, Space, Spec},
    },
};

/// DPM2 with ancestral noise.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Dpm2A {
    /// Where each step calls the network again.
    middles: Vec<Option<NoiseLevel>>,
}

impl Method for Dpm2A {
    const NAMES: Names = Names {
        ours: "dpm2_a",
        shown: "DPM2 a",
        class: "KDPM2AncestralDiscreteScheduler",
        others: &["dpm2ancestral", "dpm2ancestraldiscrete"],
        about: "an older one with fresh noise, takes twice as long",
        automatic: ScheduleKind::Karras,
    };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        let space = Space::Sigmas(Sigmas { rounds_karras: true, ..Sigmas::USUAL });
        Spec { betas: BetaDefaults::STABLE_LINEAR, calls_twice: true, ..Spec::of(Self::NAMES.class, space) }
    }

    fn new(setup: &Setup<'_>, levels: &Levels) -> Self {
        Self { middles: middles(setup, levels, |from, to| ancestral(from, to).0) }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        let Some(middle) = self.middles[state.step] else {
            return euler(run, Bounds::default(), denoiser, state).await;
        };
        let (down, up) = ancestral(at.sigma, to.sigma);
        let (latents, denoised) = midpoint(denoiser, &state.latents, (at, middle, to), down).await?;
        let latents = moved(&latents, &state.draw()?, up)?;
        Ok(state.advance(latents, denoised))
    }
}
