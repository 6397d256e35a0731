//! Samplers: how one noise level goes to the next. A sampler knows neither model nor guidance.

mod ddim;
mod dpmpp_2m;
mod euler;
mod euler_a;

use std::{fmt, future::Future, str::FromStr};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::{error::InferenceError, noise::TorchGenerator, schedule::Schedule};

/// How one noise level goes to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Denoising diffusion implicit models, eta 0 (Song et al. 2020).
    Ddim,
    /// Euler's method (Karras et al. 2022, Algorithm 2 without churn).
    Euler,
    /// Euler's method with ancestral noise.
    EulerA,
    /// DPM-Solver++ (2M), multistep of second order (Lu et al. 2022).
    #[serde(rename = "dpmpp_2m")]
    DpmPp2M,
}

/// How much noise is in the latents, and the training timestep that the sampler's reference tells the network there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevel {
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// Training timestep, fractional where the reference's is.
    pub timestep: f64,
}

/// Estimates the clean latents: network, prediction type and guidance behind one call.
pub trait Denoiser {
    /// The clean latents in `latents` `[1, c, h, w]`, which hold noise of standard deviation `at.sigma`.
    fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> impl Future<Output = Result<Tensor, InferenceError>>;
}

/// One picture at a step border: everything that the next step needs besides the plan.
#[derive(Clone, Debug)]
pub struct SamplerState {
    /// Steps done, counted from the plan's first.
    pub step: usize,
    /// Latents `[1, c, h, w]` in sigma space, `f32`.
    pub latents: Tensor,
    /// Multistep memory: for DPM-Solver++ the last `denoised`, else empty.
    pub history: Vec<Tensor>,
    /// Where the picture's noise goes on.
    pub noise: TorchGenerator,
}

/// What a step gives.
#[derive(Clone, Debug)]
pub struct Step {
    /// The state after it.
    pub state: SamplerState,
    /// The estimate of the clean latents that it was made with.
    pub denoised: Tensor,
}

/// The coefficients of every step; computed again from the task whenever needed, never saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The step to start at.
    pub start: usize,
    /// All steps, those before `start` too.
    pub steps: Vec<PlannedStep>,
    /// Factor on the last latents.
    pub final_scale: f64,
}

/// The coefficients of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedStep {
    /// Where the network is called.
    pub at: NoiseLevel,
    /// The sigma that the step goes to without fresh noise.
    pub to: f64,
    /// Standard deviation of the fresh noise (ancestral).
    pub fresh_noise: f64,
    /// Weight of `denoised − previous denoised` (multistep); 0.0 is first order.
    pub correction: f64,
    /// Bound on the denoised latents.
    pub clip: Option<f64>,
    /// Factor on the latents after the step.
    pub rescale: f64,
}

impl Sampler {
    /// Every sampler, in the order of menus.
    pub const ALL: [Self; 4] = [Self::Ddim, Self::Euler, Self::EulerA, Self::DpmPp2M];

    /// The name, as in tasks and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::EulerA => "euler_a",
            Self::DpmPp2M => "dpmpp_2m",
        }
    }

    /// The coefficients of every step, for a run that starts at step `start`.
    pub fn plan(self, schedule: &Schedule, start: usize) -> Plan {
        let step = |i: usize| {
            let (at, to) = (schedule.levels[i], schedule.targets[i]);
            let plain = PlannedStep { at, to, fresh_noise: 0.0, correction: 0.0, clip: None, rescale: 1.0 };
            match self {
                Self::Ddim => ddim::plan(plain, schedule, i),
                Self::Euler => plain,
                Self::EulerA => euler_a::plan(plain),
                Self::DpmPp2M => dpmpp_2m::plan(plain, schedule, i, start),
            }
        };
        Plan { start, steps: (0..schedule.levels.len()).map(step).collect(), final_scale: schedule.final_scale }
    }

    /// One step. Owns its copy of the state, so a step that is dropped half-way changes nothing.
    ///
    /// # Errors
    /// Those of the denoiser, and of tensor arithmetic.
    ///
    /// # Panics
    /// If all steps of the plan are done.
    pub async fn step(self, plan: &Plan, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        let planned = &plan.steps[state.step];
        match self {
            Self::Ddim => ddim::step(planned, denoiser, state).await,
            Self::Euler => euler::step(planned, denoiser, state).await,
            Self::EulerA => euler_a::step(planned, denoiser, state).await,
            Self::DpmPp2M => dpmpp_2m::step(planned, denoiser, state).await,
        }
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no sampler has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no sampler `{0}`; there are ddim, euler, euler_a and dpmpp_2m")]
pub struct UnknownSampler(pub String);

impl FromStr for Sampler {
    type Err = UnknownSampler;

    /// Knows the names and what other programs call the same, whatever the case: `Euler a`, `DPM++ 2M`, `k_euler_ancestral`, …
    fn from_str(name: &str) -> Result<Self, UnknownSampler> {
        let plain: String = name.to_lowercase().replace('+', "p").chars().filter(char::is_ascii_alphanumeric).collect();
        match plain.strip_prefix("sample").unwrap_or(&plain) {
            "ddim" => Ok(Self::Ddim),
            "euler" | "keuler" | "eulerdiscrete" => Ok(Self::Euler),
            "eulera" | "keulera" | "eulerancestral" | "keulerancestral" => Ok(Self::EulerA),
            "dpmpp2m" | "kdpmpp2m" | "dpmsolverpp2m" | "dpmsolvermultistep" | "dpmpp" | "dpm2m" => Ok(Self::DpmPp2M),
            _ => Err(UnknownSampler(name.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_parse() {
        for sampler in Sampler::ALL {
            assert_eq!(sampler.to_string().parse(), Ok(sampler));
            assert_eq!(serde_json::to_string(&sampler).ok(), Some(format!("\"{sampler}\"")));
        }
        for (name, sampler) in [
            ("DDIM", Sampler::Ddim),
            ("Euler a", Sampler::EulerA),
            ("k_euler_ancestral", Sampler::EulerA),
            ("DPM++ 2M", Sampler::DpmPp2M),
            ("dpm-solver++ 2m", Sampler::DpmPp2M),
            ("k_euler", Sampler::Euler),
        ] {
            assert_eq!(name.parse(), Ok(sampler), "{name}");
        }
        let error = "heun 3".parse::<Sampler>().expect_err("there is none");
        assert_eq!(error.to_string(), "there is no sampler `heun 3`; there are ddim, euler, euler_a and dpmpp_2m");
    }
}
