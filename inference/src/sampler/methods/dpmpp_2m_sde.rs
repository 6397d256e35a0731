//! DPM-Solver++ (2M) with fresh noise: Lu et al. 2022, "DPM-Solver++", in its form for stochastic differential equations.

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

/// DPM++ 2M SDE.
#[derive(Clone, Debug)]
pub(in crate::sampler) struct DpmPp2MSde(Multistep);

fn algorithm(config: &ScheduleConfig) -> Algorithm {
    Algorithm::of(config).stochastic()
}

impl Method for DpmPp2MSde {
    const NAMES: Names = Names {
        ours: "dpmpp_2m_sde",
        shown: "DPM++ 2M SDE",
        class: dpm_multistep::CLASS,
        others: &["dpmsolverpp2msde", "dpm2msde", "sdedpmsolverpp", "dpmpp2msdegpu"],
        about: "quick, with fresh noise for lively detail",
        automatic: ScheduleKind::Exponential,
    };

    fn is_asked_by(config: &ScheduleConfig) -> bool {
        wants_noise(config)
    }

    fn spec(config: &ScheduleConfig) -> Spec {
        dpm_multistep::spec(config, algorithm(config))
    }

    fn new(setup: &Setup<'_>, _: &Levels) -> Self {
        Self(Multistep::new(setup, algorithm(setup.config), setup.config.solver_order()))
    }

    async fn step(&self, run: Run<'_>, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        self.0.step(run, denoiser, state).await
    }
}
