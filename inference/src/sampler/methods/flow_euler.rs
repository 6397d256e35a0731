//! Euler's method along the straight lines of flow matching: Esser et al. 2024, section 2; or with fresh noise at every step, as
//! `FlowMatchEulerDiscreteScheduler` has it with `stochastic_sampling`.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        k_diffusion::euler,
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
        tensors::noised_to,
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        spec::{Space, Spec},
    },
};

/// Euler's method of flow matching.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct FlowEuler {
    is_stochastic: bool,
}

impl Method for FlowEuler {
    const NAMES: Names = Names {
        ours: "flow_euler",
        shown: "Flow Euler",
        class: "FlowMatchEulerDiscreteScheduler",
        others: &["flowmatch", "flowmatcheuler", "flowmatcheulerdiscrete", "flowmatchingeuler"],
        about: "for models of flow matching",
        automatic: ScheduleKind::Normal,
    };

    fn spec(_: &ScheduleConfig) -> Spec {
        Spec::of(Self::NAMES.class, Space::Flow)
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        Self { is_stochastic: setup.config.keys.stochastic_sampling == Some(true) }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        if !self.is_stochastic {
            return euler(run, Bounds::default(), denoiser, state).await;
        }
        let (at, to) = run.levels(state.step);
        let denoised = denoiser.denoise(&state.latents, at).await?;
        let latents = noised_to(&denoised, &state.draw()?, to)?;
        Ok(state.advance(latents, denoised))
    }
}
