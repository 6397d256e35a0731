//! The registry of samplers: one file and one line each. All names, in the bot too, come from here.

mod ddim;
mod ddpm;
mod deis;
mod dpm2;
mod dpm2_a;
mod dpmpp_2m;
mod dpmpp_2m_sde;
mod dpmpp_2s;
mod dpmpp_3m;
mod dpmpp_sde;
mod euler;
mod euler_a;
mod flow_euler;
mod heun;
mod lcm;
mod lms;
mod pndm;
mod tcd;
mod unipc;

use super::{
    Denoiser,
    method::{Method, Names, Run, Setup},
    state::{SamplerState, Step},
};
use crate::{
    error::InferenceError,
    schedule::{Levels, ScheduleConfig, spec::Spec},
};

/// Declares the samplers, each with its file: in the order of menus.
macro_rules! samplers {
    ($($sampler:ident in $file:ident: $doc:literal;)*) => {
        /// How one noise level goes to the next.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Sampler {
            $(#[doc = $doc] $sampler,)*
        }

        /// A sampler with its settings for one run.
        #[derive(Clone, Debug)]
        pub(super) enum Prepared {
            $($sampler($file::$sampler),)*
        }

        impl Sampler {
            /// Every sampler, in the order of menus.
            pub const ALL: [Self; [$(stringify!($sampler)),*].len()] = [$(Self::$sampler),*];

            /// Their names.
            pub(super) const NAMES: [&'static str; Self::ALL.len()] = [$($file::$sampler::NAMES.ours),*];

            /// What everybody calls it.
            pub(super) const fn names(self) -> &'static Names {
                match self {
                    $(Self::$sampler => &$file::$sampler::NAMES,)*
                }
            }

            /// Whether it has a way along the straight lines of flow matching.
            pub(super) const fn takes_flow(self) -> bool {
                match self {
                    $(Self::$sampler => $file::$sampler::TAKES_FLOW,)*
                }
            }

            /// What it asks of a schedule.
            pub(super) fn spec(self, config: &ScheduleConfig) -> Spec {
                match self {
                    $(Self::$sampler => $file::$sampler::spec(config),)*
                }
            }

            /// Whether a configuration that names its class means it.
            pub(super) fn is_asked_by(self, config: &ScheduleConfig) -> bool {
                match self {
                    $(Self::$sampler => $file::$sampler::is_asked_by(config),)*
                }
            }

            /// The levels and the settings of a run.
            pub(super) fn prepared(self, setup: &Setup<'_>) -> (Levels, Prepared) {
                match self {
                    $(Self::$sampler => {
                        let levels = $file::$sampler::levels(setup);
                        let method = $file::$sampler::new(setup, &levels);
                        (levels, Prepared::$sampler(method))
                    })*
                }
            }
        }

        impl Prepared {
            /// One step.
            pub(super) async fn step(
                &self,
                run: Run<'_>,
                denoiser: &impl Denoiser,
                state: SamplerState,
            ) -> Result<Step, InferenceError> {
                match self {
                    $(Self::$sampler(method) => method.step(run, denoiser, state).await,)*
                }
            }
        }
    };
}

samplers! {
    DpmPp2M in dpmpp_2m: "DPM-Solver++ (2M), multistep of second order (Lu et al. 2022).";
    DpmPp2MSde in dpmpp_2m_sde: "DPM-Solver++ (2M) with fresh noise.";
    DpmPp3M in dpmpp_3m: "DPM-Solver++ (3M), multistep of third order.";
    DpmPp2S in dpmpp_2s: "DPM-Solver++ (2S), singlestep of second order, each step of it counted as two.";
    DpmPpSde in dpmpp_sde: "DPM-Solver++ with fresh noise, singlestep: two network calls a step.";
    Euler in euler: "Euler's method (Karras et al. 2022, Algorithm 2 without churn).";
    EulerA in euler_a: "Euler's method with ancestral noise.";
    UniPc in unipc: "A predictor and corrector (Zhao et al. 2023).";
    Deis in deis: "Exponential integrator with polynomials in log rho (Zhang and Chen 2022).";
    Heun in heun: "Heun's method (Karras et al. 2022, Algorithm 1): two network calls a step.";
    Dpm2 in dpm2: "The midpoint method in log sigma (k-diffusion's DPM2): two network calls a step.";
    Dpm2A in dpm2_a: "The same with ancestral noise.";
    Lms in lms: "Linear multistep of fourth order, in sigma.";
    Ddim in ddim: "Denoising diffusion implicit models (Song et al. 2020).";
    Ddpm in ddpm: "Denoising diffusion probabilistic models: fresh noise at every step (Ho et al. 2020).";
    Pndm in pndm: "Pseudo numerical methods for diffusion models (Liu et al. 2022).";
    Lcm in lcm: "Latent consistency models (Luo et al. 2023).";
    Tcd in tcd: "Trajectory consistency distillation (Zheng et al. 2024).";
    FlowEuler in flow_euler: "Euler's method along the straight lines of flow matching, whatever the configuration says that the network predicts.";
}
