//! DPM-Solver++ (2M), multistep of second order: Lu et al. 2022, "DPM-Solver++", Algorithm 2.

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

/// DPM++ 2M.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct DpmPp2M(Multistep);

fn algorithm(config: &ScheduleConfig) -> Algorithm {
    Algorithm::of(config).deterministic()
}

impl Method for DpmPp2M {
    const NAMES: Names = Names {
        ours: "dpmpp_2m",
        shown: "DPM++ 2M",
        class: dpm_multistep::CLASS,
        others: &["dpmsolverpp2m", "dpmsolverpp", "dpmsolvermultistep", "dpmpp", "dpm2m"],
        about: "quick and clean, the usual choice",
        automatic: ScheduleKind::Karras,
    };

    fn is_asked_by(config: &ScheduleConfig) -> bool {
        !wants_noise(config) && config.keys.solver_order != Some(3)
    }

    fn spec(config: &ScheduleConfig) -> Spec {
        dpm_multistep::spec(config, algorithm(config))
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        Self(Multistep::new(setup, algorithm(setup.config), setup.config.solver_order().min(2)))
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        self.0.step(run, denoiser, state).await
    }
}
