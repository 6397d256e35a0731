//! DPM-Solver++ with fresh noise, singlestep: k-diffusion, `sample_dpmpp_sde` with eta 1 and its middle at half the way in log sigma.
//!
//! The noise is a Brownian motion in sigma: what the first half of a step saw of it is part of what the whole step sees. Its increments come
//! from the picture's own generator, two draws a step, and not from the reference's library.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        k_diffusion::{ancestral, euler, middles},
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
        tensors::mix,
    },
    schedule::{
        Levels, NoiseLevel, ScheduleConfig, ScheduleKind,
        spec::{BetaDefaults, Sigmas, Space, Spec},
    },
};

/// DPM++ SDE.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct DpmPpSde {
    /// Where each step calls the network again.
    middles: Vec<Option<NoiseLevel>>,
}

impl Method for DpmPpSde {
    const NAMES: Names = Names {
        ours: "dpmpp_sde",
        shown: "DPM++ SDE",
        class: "DPMSolverSDEScheduler",
        others: &["dpmsolversde", "dpmsde", "dpmppsdegpu"],
        about: "lively detail, takes twice as long",
        automatic: ScheduleKind::Karras,
    };

    const TAKES_FLOW: bool = false;

    fn spec(_: &ScheduleConfig) -> Spec {
        let space = Space::Sigmas(Sigmas { bounds_karras: false, rounds_to_f32: false, ..Sigmas::USUAL });
        Spec { betas: BetaDefaults::STABLE_LINEAR, calls_twice: true, ..Spec::of(Self::NAMES.class, space) }
    }

    fn new(setup: &Setup<'_>, levels: &Levels) -> Self {
        Self { middles: middles(setup, levels, |_, to| to) }
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, mut state: SamplerState) -> Result<Step, InferenceError> {
        let (at, end) = run.levels(state.step);
        let Some(via) = self.middles[state.step] else {
            return euler(run, Bounds::default(), denoiser, state).await;
        };
        let (from, middle, to) = (at.sigma, via.sigma, end.sigma);
        let (early, late) = (state.draw()?, state.draw()?);
        let denoised = denoiser.denoise(&state.latents, at).await?;
        let (down, up) = ancestral(from, middle);
        let half_way = mix([(down / from, &state.latents), (1.0 - down / from, &denoised), (up, &early)])?;
        let half_way = denoiser.hold(half_way, end)?;
        let denoised = denoiser.denoise(&half_way, via).await?;
        let (down, up) = ancestral(from, to);
        let (share_early, share_late) = (((from - middle) / (from - to)).sqrt(), ((middle - to) / (from - to)).sqrt());
        let latents =
            mix([(down / from, &state.latents), (1.0 - down / from, &denoised), (up * share_early, &early), (up * share_late, &late)])?;
        Ok(state.advance(latents, denoised))
    }
}
