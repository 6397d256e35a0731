//! The weights of DPM-Solver's updates: Lu et al. 2022, "DPM-Solver" section 3 and "DPM-Solver++" section 4, and their forms with fresh noise.

use candle_core::Tensor;

use super::{NoiseLevel, Plan, tensors::mix};
use crate::{
    error::InferenceError,
    schedule::{Algorithm, SolverType, noise},
};

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
    /// Whether steps draw fresh noise.
    pub(super) fn is_stochastic(self) -> bool {
        matches!(self, Self::CleanSde | Self::NoiseSde)
    }

    /// What the solver works on: the clean latents or the noise.
    pub(super) fn output(self, latents: &Tensor, denoised: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
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
        plan: &Plan,
        latents: &Tensor,
        output: &Tensor,
        differences: Differences<'_>,
        fresh: Option<&Tensor>,
    ) -> Result<Tensor, InferenceError> {
        let mut terms = vec![(self.latents, latents), (self.output, output)];
        match (differences, plan.settings.solver_type) {
            (Differences::None, _) => {}
            (Differences::First(first), SolverType::Midpoint) => terms.push((self.midpoint, first)),
            (Differences::First(first), SolverType::Heun) => terms.push((self.taylor, first)),
            (Differences::Both(first, second), _) => terms.extend([(self.taylor, first), (self.second, second)]),
        }
        terms.extend(fresh.map(|fresh| (self.noise, fresh)));
        mix(terms)
    }
}
