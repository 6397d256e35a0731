//! The weights of DPM-Solver's updates: Lu et al. 2022, "DPM-Solver" section 3 and "DPM-Solver++" section 4, and their forms with fresh noise.

use candle_core::Tensor;

use super::{Denoiser, bounds::Bounds, prediction::noise, state::SamplerState, tensors::mix};
use crate::{
    error::InferenceError,
    schedule::{
        NoiseLevel, ScheduleConfig,
        keys::{AlgorithmType, SolverType},
    },
};

/// Which exponential integrator DPM-Solver uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// Of the noise (Lu et al. 2022a).
    Noise,
    /// Of the clean latents (Lu et al. 2022b, "DPM-Solver++").
    Clean,
    /// Of the noise, with fresh noise.
    NoiseSde,
    /// Of the clean latents, with fresh noise.
    CleanSde,
}

/// How a second-order term enters: the method that DPM-Solver's authors name it after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// "midpoint".
    Midpoint,
    /// "heun".
    Heun,
}

/// A DPM-Solver with its settings for one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Solver {
    pub(super) algorithm: Algorithm,
    pub(super) form: Form,
    pub(super) order: usize,
    /// Whether the last step is of first order whatever the number of steps.
    pub(super) euler_at_final: bool,
    bounds: Bounds,
}

/// What a step begins with.
pub(super) struct Begun {
    pub(super) denoised: Tensor,
    /// What the solver works on.
    pub(super) output: Tensor,
    /// Fresh noise, for the algorithms that take it.
    pub(super) fresh: Option<Tensor>,
}

impl Solver {
    /// The solver of a configuration, with this algorithm and order.
    pub(super) fn new(config: &ScheduleConfig, algorithm: Algorithm, order: usize) -> Self {
        let is_heun = config.keys.solver_type == Some(SolverType::Heun);
        Self {
            algorithm,
            form: if is_heun { Form::Heun } else { Form::Midpoint },
            order,
            euler_at_final: config.keys.euler_at_final == Some(true) || !algorithm.ends_at_sigma_min(config),
            bounds: Bounds::thresholding(config),
        }
    }

    /// Calls the network, and draws.
    pub(super) async fn begin(&self, denoiser: &impl Denoiser, state: &mut SamplerState, at: NoiseLevel) -> Result<Begun, InferenceError> {
        let denoised = self.bounds.denoise(denoiser, &state.latents, at).await?;
        let output = self.algorithm.output(&state.latents, &denoised, at)?;
        let fresh = if self.algorithm.is_stochastic() { Some(state.draw()?) } else { None };
        Ok(Begun { denoised, output, fresh })
    }
}

/// Weights of one update: of the latents, of the solver's output and its divided differences, and of fresh noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    latents: f64,
    output: f64,
    /// Of the first difference, in the midpoint form and in that of Taylor's series ("heun").
    midpoint: f64,
    taylor: f64,
    /// Of the second difference.
    second: f64,
    noise: f64,
}

impl Algorithm {
    /// The configuration's.
    pub(super) fn of(config: &ScheduleConfig) -> Self {
        match config.keys.algorithm_type {
            Some(AlgorithmType::DpmSolver) => Self::Noise,
            Some(AlgorithmType::SdeDpmSolver) => Self::NoiseSde,
            Some(AlgorithmType::SdeDpmSolverPp) => Self::CleanSde,
            Some(AlgorithmType::DpmSolverPp | AlgorithmType::Deis) | None => Self::Clean,
        }
    }

    /// This one, or else the one without fresh noise.
    pub(super) fn deterministic(self) -> Self {
        if self.is_stochastic() { Self::Clean } else { self }
    }

    /// This one, or else the one with fresh noise.
    pub(super) fn stochastic(self) -> Self {
        if self == Self::NoiseSde { self } else { Self::CleanSde }
    }

    /// Whether the last step ends at the smallest sigma of training and not at zero: solvers of the noise would divide by zero.
    pub(super) fn ends_at_sigma_min(self, config: &ScheduleConfig) -> bool {
        config.ends_at_sigma_min() || matches!(self, Self::Noise | Self::NoiseSde)
    }

    /// Whether steps draw fresh noise.
    fn is_stochastic(self) -> bool {
        matches!(self, Self::CleanSde | Self::NoiseSde)
    }

    /// What the solver works on: the clean latents or the noise.
    fn output(self, latents: &Tensor, denoised: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        match self {
            Self::Clean | Self::CleanSde => Ok(denoised.clone()),
            Self::Noise | Self::NoiseSde => noise(latents, denoised, at),
        }
    }

    /// The weights of going from one level to another.
    pub(super) fn weights(self, from: NoiseLevel, to: NoiseLevel) -> Weights {
        let h = to.lambda() - from.lambda();
        if h == 0.0 {
            return Weights { latents: 1.0, output: 0.0, midpoint: 0.0, taylor: 0.0, second: 0.0, noise: 0.0 };
        }
        match self {
            Self::Clean => {
                let phi = (-h).exp_m1();
                Weights {
                    latents: to.sigma / from.sigma,
                    output: -to.alpha * phi,
                    midpoint: -0.5 * to.alpha * phi,
                    taylor: to.alpha * (phi / h + 1.0),
                    second: -to.alpha * ((phi + h) / (h * h) - 0.5),
                    noise: 0.0,
                }
            }
            Self::Noise => {
                let phi = h.exp_m1();
                Weights {
                    latents: to.alpha / from.alpha,
                    output: -to.sigma * phi,
                    midpoint: -0.5 * to.sigma * phi,
                    taylor: -to.sigma * (phi / h - 1.0),
                    second: -to.sigma * ((phi - h) / (h * h) - 0.5),
                    noise: 0.0,
                }
            }
            Self::CleanSde => {
                let phi = -(-2.0 * h).exp_m1();
                Weights {
                    latents: to.sigma / from.sigma * (-h).exp(),
                    output: to.alpha * phi,
                    midpoint: 0.5 * to.alpha * phi,
                    taylor: to.alpha * (phi / (-2.0 * h) + 1.0),
                    second: to.alpha * ((phi - 2.0 * h) / (4.0 * h * h) - 0.5),
                    noise: to.sigma * phi.sqrt(),
                }
            }
            Self::NoiseSde => {
                let phi = h.exp_m1();
                Weights {
                    latents: to.alpha / from.alpha,
                    output: -2.0 * to.sigma * phi,
                    midpoint: -to.sigma * phi,
                    taylor: -2.0 * to.sigma * (phi / h - 1.0),
                    second: 0.0,
                    noise: to.sigma * (2.0 * h).exp_m1().sqrt(),
                }
            }
        }
    }
}

/// Divided differences of outputs that belong to one update.
#[derive(Clone, Copy, Debug)]
pub(super) enum Differences<'a> {
    /// First order: none.
    None,
    /// Second order.
    First(&'a Tensor),
    /// Third order. The midpoint form leaves the second out.
    Both(&'a Tensor, &'a Tensor),
}

impl Weights {
    /// The update itself.
    pub(super) fn applied(
        self,
        form: Form,
        latents: &Tensor,
        output: &Tensor,
        differences: Differences<'_>,
        fresh: Option<&Tensor>,
    ) -> Result<Tensor, InferenceError> {
        let mut terms = vec![(self.latents, latents), (self.output, output)];
        match (differences, form) {
            (Differences::None, _) => {}
            (Differences::First(first), Form::Midpoint) => terms.push((self.midpoint, first)),
            (Differences::First(first), Form::Heun) => terms.push((self.taylor, first)),
            (Differences::Both(first, second), _) => terms.extend([(self.taylor, first), (self.second, second)]),
        }
        terms.extend(fresh.map(|fresh| (self.noise, fresh)));
        mix(terms)
    }
}
