//! Trajectory consistency distillation: Zheng et al. 2024, Algorithm 4 (strategic stochastic sampling).

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        method::{Method, Names, Run, Setup},
        prediction::noise,
        state::{SamplerState, Step},
        tensors::{mix, noised_to},
    },
    schedule::{
        Levels, NoiseLevel, ScheduleConfig, ScheduleKind,
        keys::Spacing,
        spec::{BetaDefaults, End, Space, Spec, Timesteps, ZeroSnr},
    },
};

/// TCD.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Tcd {
    /// Where each step goes before fresh noise leads up to its end.
    jumps: Vec<NoiseLevel>,
    eta: f64,
}

impl Method for Tcd {
    const NAMES: Names = Names {
        ours: "tcd",
        shown: "TCD",
        class: "TCDScheduler",
        others: &[],
        about: "for TCD LoRAs, four to eight steps",
        automatic: ScheduleKind::Normal,
    };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        let laid = Timesteps { is_distilled: true, ..Timesteps::to(End::FirstTimestep) };
        Spec {
            betas: BetaDefaults::STABLE,
            zero_snr: ZeroSnr::Reached,
            spacing: Spacing::Leading,
            ..Spec::of(Self::NAMES.class, Space::Timesteps(laid))
        }
    }

    fn new(setup: &Setup<'_>, levels: &Levels) -> Self {
        let table = setup.config.table(&setup.spec);
        let eta = setup.asked.eta.clamp(0.0, 1.0);
        let share = (1.0 - eta) as f32;
        let jump = |to: &NoiseLevel| table.level_at(f64::from((share * to.timestep as f32).floor()));
        Self { jumps: levels.to.iter().map(jump).collect(), eta }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        let jump = self.jumps[state.step];
        let denoised = denoiser.denoise(&state.latents, at).await?;
        let mut latents = noised_to(&denoised, &noise(&state.latents, &denoised, at)?, jump)?;
        let is_last = state.step + 1 == run.n_steps();
        if self.eta > 0.0 && !is_last {
            let kept = to.alpha_ratio(jump);
            latents = mix([(kept.sqrt(), &latents), ((1.0 - kept).max(0.0).sqrt(), &state.draw()?)])?;
        }
        Ok(state.advance(latents, denoised))
    }
}
