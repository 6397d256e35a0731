//! Latent consistency models: Luo et al. 2023, Algorithm 3; the boundary condition of Song et al. 2023, appendix C.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
        tensors::{mix, noised_to},
    },
    schedule::{
        Levels, ScheduleConfig, ScheduleKind,
        keys::Spacing,
        spec::{BetaDefaults, End, Space, Spec, Timesteps, ZeroSnr},
    },
};

/// Standard deviation of the data in the boundary condition.
const SIGMA_DATA: f64 = 0.5;

/// LCM.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Lcm {
    bounds: Bounds,
    /// Factor on the timestep in the boundary condition.
    timestep_scaling: f64,
}

impl Method for Lcm {
    const NAMES: Names = Names {
        ours: "lcm",
        shown: "LCM",
        class: "LCMScheduler",
        others: &[],
        about: "for LCM models and LoRAs, four to eight steps",
        automatic: ScheduleKind::Normal,
    };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        // The last step ends with the estimate of the clean latents.
        let laid = Timesteps { is_distilled: true, spreads_strength: true, ..Timesteps::to(End::Clean) };
        Spec {
            betas: BetaDefaults::STABLE,
            zero_snr: ZeroSnr::Reached,
            spacing: Spacing::Leading,
            ..Spec::of(Self::NAMES.class, Space::Timesteps(laid))
        }
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        let config = setup.config;
        Self {
            bounds: Bounds::thresholding(config).clipping(config, &setup.spec, false),
            timestep_scaling: config.keys.timestep_scaling.unwrap_or(10.0),
        }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let at = run.at(state.step);
        let denoised = self.bounds.denoise(denoiser, &state.latents, at).await?;
        let time = at.timestep * self.timestep_scaling;
        let length = time.hypot(SIGMA_DATA);
        let skip = (SIGMA_DATA / length).powi(2);
        let denoised = mix([(time / length, &denoised), (skip, &state.latents)])?;
        let is_last = state.step + 1 == run.n_steps();
        let latents = if is_last { denoised.clone() } else { noised_to(&denoised, &state.draw()?, run.at(state.step + 1))? };
        Ok(state.advance(latents, denoised))
    }
}
