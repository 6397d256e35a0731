//! DPM-Solver++ (3M), multistep of third order: Lu et al. 2022, "DPM-Solver++", section 4, with one more divided difference.

use crate::{
    error::InferenceError,
    sampler::{
        Denoiser,
        dpm_multistep::{self, Multistep, wants_noise},
        dpm_solver::Algorithm,
        method::{Method, Names, Run, Setup},
        state::{SamplerState, Step},
    },
    schedule::{Levels, ScheduleConfig, ScheduleKind, spec::Spec},
};

/// DPM++ 3M.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct DpmPp3M(Multistep);

fn algorithm(config: &ScheduleConfig) -> Algorithm {
    Algorithm::of(config).deterministic()
}

impl Method for DpmPp3M {
    const NAMES: Names = Names {
        ours: "dpmpp_3m",
        shown: "DPM++ 3M",
        class: dpm_multistep::CLASS,
        others: &["dpmsolverpp3m", "dpm3m"],
        about: "clean, for many steps",
        automatic: ScheduleKind::Normal,
    };

    fn is_asked_by(config: &ScheduleConfig) -> bool {
        !wants_noise(config) && config.keys.solver_order == Some(3)
    }

    fn spec(config: &ScheduleConfig) -> Spec {
        dpm_multistep::spec(config, algorithm(config))
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        Self(Multistep::new(setup, algorithm(setup.config), 3))
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        self.0.step(run, denoiser, state).await
    }
}
