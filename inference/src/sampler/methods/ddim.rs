//! Denoising diffusion implicit models: Song et al. 2020, equation 12.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        method::{Method, Names, Run, Setup},
        prediction::noise,
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        keys::Spacing,
        spec::{End, Space, Spec, Timesteps, ZeroSnr},
    },
};

/// DDIM.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Ddim {
    bounds: Bounds,
    eta: f64,
}

impl Method for Ddim {
    const NAMES: Names =
        Names { ours: "ddim", shown: "DDIM", class: "DDIMScheduler", others: &[], about: "the classic", automatic: ScheduleKind::Normal };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        let laid = Timesteps { steps_back: true, ..Timesteps::to(End::AlphaToOne { default: true }) };
        Spec { zero_snr: ZeroSnr::Reached, spacing: Spacing::Leading, ..Spec::of(Self::NAMES.class, Space::Timesteps(laid)) }
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        let bounds = Bounds::thresholding(setup.config).clipping(setup.config, &setup.spec, true);
        Self { bounds, eta: setup.asked.eta.clamp(0.0, 1.0) }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        let denoised = denoiser.denoise(&state.latents, at).await?;
        // The noise is what the network said, also where the clean latents are then bounded.
        let noise = noise(&state.latents, &denoised, at)?;
        let denoised = self.bounds.bounded(denoiser, &denoised).await?;
        let variance = (to.variance() / at.variance() * (1.0 - at.alpha_ratio(to))).max(0.0);
        let std = self.eta * variance.sqrt();
        let along = (to.variance() - std * std).max(0.0).sqrt();
        let mut latents = mix([(to.alpha, &denoised), (along, &noise)])?;
        if self.eta > 0.0 {
            latents = mix([(1.0, &latents), (std, &state.draw()?)])?;
        }
        Ok(state.advance(latents, denoised))
    }
}
