//! Euler's method: Karras et al. 2022, Algorithm 2 without churn.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        bounds::Bounds,
        k_diffusion::euler,
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
    },
    schedule::{
        Levels, Prediction, ScheduleConfig, ScheduleKind,
        keys::{Interpolation, TimestepType},
        spec::{Sigmas, Space, Spec, ZeroSnr},
    },
};

/// Euler's method.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct Euler;

impl Method for Euler {
    const NAMES: Names = Names {
        ours: "euler",
        shown: "Euler",
        class: "EulerDiscreteScheduler",
        others: &["eulerdiscrete"],
        about: "the plain one",
        automatic: ScheduleKind::Normal,
    };

    fn spec(config: &ScheduleConfig) -> Spec {
        let keys = &config.keys;
        let laid = Sigmas {
            ends_at_sigma_min: config.ends_at_sigma_min(),
            is_log_linear: keys.interpolation_type == Some(Interpolation::LogLinear),
            tells_log_sigma: keys.timestep_type == Some(TimestepType::Continuous) && config.prediction == Prediction::Velocity,
            ..Sigmas::USUAL
        };
        Spec { zero_snr: ZeroSnr::Approached, ..Spec::of(Self::NAMES.class, Space::Sigmas(laid)) }
    }

    fn new(_: &Setup<'_>, _: &Levels) -> Self {
        Self
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        euler(run, Bounds::default(), denoiser, state).await
    }
}
