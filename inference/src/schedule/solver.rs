//! The settings of solvers that a configuration may carry.

use super::{
    Asked, ScheduleConfig, ScheduleKind,
    discrete::{FirstSteps, PndmCall, discrete_levels, pndm_calls},
    flow::flow_levels,
    lambda::lambda_levels,
    sigmas::k_levels,
    table::Levels,
};
use crate::sampler::Sampler;

/// Which exponential integrator DPM-Solver uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// Of the noise (Lu et al. 2022a).
    Noise,
    /// Of the clean latents (Lu et al. 2022b, "DPM-Solver++").
    Clean,
    /// Of the noise, with fresh noise.
    NoiseSde,
    /// Of the clean latents, with fresh noise.
    CleanSde,
}

/// How a second-order term enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SolverType {
    /// "midpoint" of DPM-Solver.
    Midpoint,
    /// "heun" of DPM-Solver.
    Heun,
}

/// How UniPC corrects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Corrector {
    /// B(h) is h ("bh1") and not e^h − 1 ("bh2").
    pub(crate) is_bh1: bool,
    /// Steps after which nothing is corrected.
    pub(crate) disabled: Vec<usize>,
    /// Whether the solver works on the clean latents.
    pub(crate) predicts_clean: bool,
}

/// Dynamic thresholding (Saharia et al. 2022).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold {
    /// The quantile of absolute values.
    pub(crate) ratio: f64,
    /// The largest bound.
    pub(crate) max: f64,
}

impl ScheduleConfig {
    /// The levels of a run; PNDM's stand in [`ScheduleConfig::pndm`].
    pub(crate) fn levels(&self, sampler: Sampler, asked: &Asked) -> Levels {
        match sampler {
            Sampler::Ddim | Sampler::Ddpm | Sampler::Pndm | Sampler::Lcm | Sampler::Tcd => discrete_levels(self, sampler, asked),
            Sampler::DpmPp2M | Sampler::DpmPp2MSde | Sampler::DpmPp3M | Sampler::DpmPp2S | Sampler::UniPc | Sampler::Deis => {
                lambda_levels(self, sampler, asked)
            }
            Sampler::FlowEuler => flow_levels(self, asked),
            Sampler::Euler | Sampler::EulerA | Sampler::Lms | Sampler::Heun | Sampler::Dpm2 | Sampler::Dpm2A | Sampler::DpmPpSde => {
                k_levels(self, sampler, asked)
            }
        }
    }

    /// The calls of PNDM, the one to start at, and how a run begins.
    pub(crate) fn pndm(&self, kind: ScheduleKind, n: usize, start: impl Fn(usize) -> usize) -> (Vec<PndmCall>, usize, FirstSteps) {
        pndm_calls(self, kind, n, start)
    }

    /// Bound on the clean latents.
    pub(crate) fn clip(&self, sampler: Sampler) -> Option<f64> {
        let default = match sampler {
            Sampler::Ddim | Sampler::Ddpm => true,
            Sampler::Heun | Sampler::Lcm => false,
            _ => return None,
        };
        self.clips(sampler, default).then(|| self.file.clip_sample_range.unwrap_or(1.0))
    }

    /// Dynamic thresholding, for the samplers whose classes have it.
    pub(crate) fn threshold(&self, sampler: Sampler) -> Option<Threshold> {
        use Sampler::{Ddim, Ddpm, Deis, DpmPp2M, DpmPp2MSde, DpmPp2S, DpmPp3M, Lcm, UniPc};
        let has = matches!(sampler, Ddim | Ddpm | Lcm | DpmPp2M | DpmPp2MSde | DpmPp3M | DpmPp2S | UniPc | Deis);
        let file = &self.file;
        (has && file.thresholding == Some(true))
            .then(|| Threshold { ratio: file.dynamic_thresholding_ratio.unwrap_or(0.995), max: file.sample_max_value.unwrap_or(1.0) })
    }

    /// Share of fresh noise in DDIM and TCD.
    pub(crate) fn eta(&self) -> f64 {
        self.eta
    }

    /// Whether DDPM's fresh noise has the larger of the two variances (Ho et al. 2020, section 3.2).
    pub(crate) fn has_large_variance(&self) -> bool {
        matches!(self.file.variance_type.as_deref(), Some("fixed_large" | "fixed_large_log"))
    }

    /// LCM's factor on the timestep in its boundary condition.
    pub(crate) fn timestep_scaling(&self) -> f64 {
        self.file.timestep_scaling.unwrap_or(10.0)
    }

    /// Whether flow matching goes on with fresh noise at every step.
    pub(crate) fn has_stochastic_sampling(&self) -> bool {
        self.file.stochastic_sampling == Some(true)
    }

    /// Order of the multistep and singlestep solvers.
    pub(crate) fn solver_order(&self, sampler: Sampler) -> usize {
        let given = self.file.solver_order.unwrap_or(2);
        match sampler {
            Sampler::DpmPp3M => 3,
            Sampler::DpmPp2M => given.min(2),
            _ => given,
        }
    }

    /// DPM-Solver's kind for this sampler: its name says whether there is fresh noise, the configuration the rest.
    pub(crate) fn algorithm(&self, sampler: Sampler) -> Algorithm {
        let given = match self.file.algorithm_type.as_deref() {
            Some("dpmsolver") => Algorithm::Noise,
            Some("sde-dpmsolver") => Algorithm::NoiseSde,
            Some("sde-dpmsolver++") => Algorithm::CleanSde,
            _ => Algorithm::Clean,
        };
        match (sampler, given) {
            (Sampler::DpmPp2MSde, Algorithm::NoiseSde) => Algorithm::NoiseSde,
            (Sampler::DpmPp2MSde, _) => Algorithm::CleanSde,
            (Sampler::DpmPp2M | Sampler::DpmPp3M, Algorithm::CleanSde | Algorithm::NoiseSde) => Algorithm::Clean,
            (_, given) => given,
        }
    }

    /// How DPM-Solver's second-order term enters.
    pub(crate) fn solver_type(&self) -> SolverType {
        if self.file.solver_type.as_deref() == Some("heun") { SolverType::Heun } else { SolverType::Midpoint }
    }

    /// How UniPC corrects.
    pub(crate) fn corrector(&self) -> Corrector {
        Corrector {
            is_bh1: self.file.solver_type.as_deref() == Some("bh1"),
            disabled: self.file.disable_corrector.clone().unwrap_or_default(),
            predicts_clean: self.file.predict_x0.unwrap_or(true),
        }
    }

    /// Whether short runs end with steps of lower order. The singlestep solver does so too wherever it otherwise could not end.
    pub(crate) fn has_lower_order_final(&self, sampler: Sampler, n: usize) -> bool {
        let given = self.file.lower_order_final;
        if sampler == Sampler::DpmPp2S {
            return given.unwrap_or(false) || !n.is_multiple_of(self.solver_order(sampler)) || !self.ends_at_sigma_min(sampler);
        }
        given.unwrap_or(true)
    }

    /// Whether the last step ends at the smallest sigma of training and not at zero; DPM-Solvers for the noise would divide by zero.
    pub(crate) fn ends_at_sigma_min(&self, sampler: Sampler) -> bool {
        let is_dpm = matches!(sampler, Sampler::DpmPp2M | Sampler::DpmPp2MSde | Sampler::DpmPp3M | Sampler::DpmPp2S);
        self.file.final_sigmas_type.as_deref() == Some("sigma_min")
            || (is_dpm && matches!(self.algorithm(sampler), Algorithm::Noise | Algorithm::NoiseSde))
    }

    /// Whether the last step is of first order whatever the number of steps.
    pub(crate) fn has_euler_at_final(&self, sampler: Sampler) -> bool {
        self.file.euler_at_final == Some(true) || !self.ends_at_sigma_min(sampler)
    }
}
