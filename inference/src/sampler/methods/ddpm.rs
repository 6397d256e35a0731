//! Denoising diffusion probabilistic models: Ho et al. 2020, equations 6 and 7.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        keys::{Spacing, VarianceType},
        spec::{End, Space, Spec, Timesteps, ZeroSnr},
    },
};

/// DDPM.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Ddpm {
    bounds: Bounds,
    /// Whether fresh noise has the larger of the two variances (section 3.2).
    has_large_variance: bool,
}

impl Method for Ddpm {
    const NAMES: Names = Names {
        ours: "ddpm",
        shown: "DDPM",
        class: "DDPMScheduler",
        others: &[],
        about: "the first of all, needs many steps",
        automatic: ScheduleKind::Normal,
    };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        let space = Space::Timesteps(Timesteps::to(End::Clean));
        Spec { zero_snr: ZeroSnr::Reached, spacing: Spacing::Leading, ..Spec::of(Self::NAMES.class, space) }
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        let config = setup.config;
        Self {
            bounds: Bounds::thresholding(config).clipping(config, &setup.spec, true),
            has_large_variance: matches!(config.keys.variance_type, Some(VarianceType::Large | VarianceType::LargeLog)),
        }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (at, to) = run.levels(state.step);
        let denoised = self.bounds.denoise(denoiser, &state.latents, at).await?;
        let kept = at.alpha_ratio(to);
        let clean_weight = to.alpha * (1.0 - kept) / at.variance();
        let latents_weight = kept.sqrt() * to.variance() / at.variance();
        let mut latents = mix([(clean_weight, &denoised), (latents_weight, &state.latents)])?;
        if at.timestep > 0.0 {
            let small = (to.variance() / at.variance() * (1.0 - kept)).max(1e-20);
            let variance = if self.has_large_variance { 1.0 - kept } else { small };
            latents = mix([(1.0, &latents), (variance.sqrt(), &state.draw()?)])?;
        }
        Ok(state.advance(latents, denoised))
    }
}
