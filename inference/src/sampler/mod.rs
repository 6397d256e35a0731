//! Samplers: how one noise level goes to the next. A sampler knows neither model nor guidance.
//!
//! Each works in the space of the diffusers class that it stands for (`src/diffusers/schedulers/`, 0.42): see [`NoiseLevel`].

mod ddim;
mod ddpm;
mod deis;
mod dpm2;
mod dpm_solver;
mod dpmpp_multistep;
mod dpmpp_sde;
mod dpmpp_singlestep;
mod euler;
mod euler_a;
mod heun;
mod lcm;
mod lms;
mod names;
mod plan;
mod pndm;
mod tcd;
mod tensors;
mod unipc;

use std::future::Future;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

pub use self::{
    names::{SamplerChoice, UnknownSampler},
    plan::Plan,
};
use crate::{error::InferenceError, noise::TorchGenerator};

/// How one noise level goes to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Denoising diffusion implicit models (Song et al. 2020).
    Ddim,
    /// Denoising diffusion probabilistic models: fresh noise at every step (Ho et al. 2020).
    Ddpm,
    /// Pseudo numerical methods for diffusion models (Liu et al. 2022).
    Pndm,
    /// Linear multistep of fourth order, in sigma.
    Lms,
    /// Heun's method (Karras et al. 2022, Algorithm 1): two network calls a step.
    Heun,
    /// Euler's method (Karras et al. 2022, Algorithm 2 without churn).
    Euler,
    /// Euler's method with ancestral noise.
    EulerA,
    /// The midpoint method in log sigma (k-diffusion's DPM2): two network calls a step.
    Dpm2,
    /// The same with ancestral noise.
    #[serde(rename = "dpm2_a")]
    Dpm2A,
    /// DPM-Solver++ (2M), multistep of second order (Lu et al. 2022).
    #[serde(rename = "dpmpp_2m")]
    DpmPp2M,
    /// DPM-Solver++ (2M) with fresh noise.
    #[serde(rename = "dpmpp_2m_sde")]
    DpmPp2MSde,
    /// DPM-Solver++ with fresh noise, singlestep: two network calls a step.
    #[serde(rename = "dpmpp_sde")]
    DpmPpSde,
    /// DPM-Solver++ (3M), multistep of third order.
    #[serde(rename = "dpmpp_3m")]
    DpmPp3M,
    /// DPM-Solver++ (2S), singlestep of second order, each step of it counted as two.
    #[serde(rename = "dpmpp_2s")]
    DpmPp2S,
    /// A predictor and corrector (Zhao et al. 2023).
    #[serde(rename = "unipc")]
    UniPc,
    /// Exponential integrator with polynomials in log rho (Zhang and Chen 2022).
    Deis,
    /// Latent consistency models (Luo et al. 2023).
    Lcm,
    /// Trajectory consistency distillation (Zheng et al. 2024).
    Tcd,
    /// Euler's method along the straight lines of flow matching, whatever the configuration says that the network predicts.
    FlowEuler,
}

/// How much noise is in the latents, and the training timestep that the sampler's reference tells the network there.
///
/// Latents are `alpha` times the clean latents plus `sigma` times unit noise. `alpha` is 1 for Euler, LMS, Heun, DPM2 and DPM++ SDE,
/// √ᾱ for the variance-preserving rest, and `1 − sigma` in flow matching.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevel {
    /// Factor on the clean latents.
    pub alpha: f64,
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// Training timestep, fractional where the reference's is.
    pub timestep: f64,
}

impl NoiseLevel {
    /// No noise.
    pub(crate) const CLEAN: Self = Self { alpha: 1.0, sigma: 0.0, timestep: 0.0 };

    /// The variance-preserving level of this ᾱ.
    pub(crate) fn of_alpha_bar(alpha_bar: f64, timestep: f64) -> Self {
        Self { alpha: alpha_bar.sqrt(), sigma: (1.0 - alpha_bar).max(0.0).sqrt(), timestep }
    }

    /// The variance-preserving level whose noise is `sigma` times its picture.
    pub(crate) fn of_sigma(sigma: f64, timestep: f64) -> Self {
        let alpha = 1.0 / sigma.hypot(1.0);
        Self { alpha, sigma: sigma * alpha, timestep }
    }

    /// The level of flow matching.
    pub(crate) fn of_flow(sigma: f64, timestep: f64) -> Self {
        Self { alpha: 1.0 - sigma, sigma, timestep }
    }

    /// Half the logarithm of the signal-to-noise ratio; infinite without noise.
    fn lambda(self) -> f64 {
        self.alpha.ln() - self.sigma.ln()
    }

    /// ᾱ, for variance-preserving levels.
    fn alpha_bar(self) -> f64 {
        self.alpha * self.alpha
    }

    /// The part of ᾱ that is left here of that at a cleaner level: close to 1, so that what float32 makes of it shows in the references' noise.
    fn kept_from(self, cleaner: Self) -> f64 {
        f64::from(self.alpha_bar() as f32 / cleaner.alpha_bar() as f32)
    }

    /// 1 − ᾱ, for variance-preserving levels.
    fn beta_bar(self) -> f64 {
        self.sigma * self.sigma
    }
}

/// Estimates the clean latents: network, prediction type and guidance behind one call.
pub trait Denoiser {
    /// The clean latents in `latents` `[1, c, h, w]`, which are at this level.
    fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> impl Future<Output = Result<Tensor, InferenceError>>;

    /// The latents between the two network calls of one step, where inpainting puts the kept area back: at the level of the step's end, as the
    /// loop of diffusers' pipelines does.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    fn hold(&self, latents: Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let _ = at;
        Ok(latents)
    }
}

/// One picture at a step border: everything that the next step needs besides the plan.
#[derive(Clone, Debug)]
pub struct SamplerState {
    /// Steps done, counted from the plan's first.
    pub step: usize,
    /// Latents `[1, c, h, w]` in the sampler's space, `f32`.
    pub latents: Tensor,
    /// What a multistep solver remembers, oldest first; at most five tensors.
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

impl SamplerState {
    /// Fresh unit noise of the latents' shape.
    fn draw(&mut self) -> Result<Tensor, InferenceError> {
        let shape = self.latents.shape().clone();
        let noise = Tensor::from_vec(self.noise.randn(shape.elem_count()), shape, self.latents.device())?;
        Ok(noise.to_dtype(self.latents.dtype())?)
    }

    /// The state after a step without memory.
    fn advance(self, latents: Tensor, denoised: Tensor) -> Step {
        Step { state: Self { step: self.step + 1, latents, ..self }, denoised }
    }

    /// The state after a step that leaves this behind.
    fn advance_with(self, latents: Tensor, history: Vec<Tensor>, denoised: Tensor) -> Step {
        Step { state: Self { step: self.step + 1, latents, history, noise: self.noise }, denoised }
    }
}

impl Sampler {
    /// One step. Owns its copy of the state, so a step that is dropped half-way changes nothing.
    ///
    /// # Errors
    /// Those of the denoiser, and of tensor arithmetic.
    ///
    /// # Panics
    /// If all steps of the plan are done.
    pub async fn step(self, plan: &Plan, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        match self {
            Self::Ddim => ddim::step(plan, denoiser, state).await,
            Self::Ddpm => ddpm::step(plan, denoiser, state).await,
            Self::Pndm => pndm::step(plan, denoiser, state).await,
            Self::Lms => lms::step(plan, denoiser, state).await,
            Self::Heun => heun::step(plan, denoiser, state).await,
            Self::Euler => euler::step(plan, denoiser, state).await,
            Self::EulerA => euler_a::step(plan, denoiser, state).await,
            Self::Dpm2 | Self::Dpm2A => dpm2::step(plan, denoiser, state).await,
            Self::DpmPp2M | Self::DpmPp2MSde | Self::DpmPp3M => dpmpp_multistep::step(plan, denoiser, state).await,
            Self::DpmPpSde => dpmpp_sde::step(plan, denoiser, state).await,
            Self::DpmPp2S => dpmpp_singlestep::step(plan, denoiser, state).await,
            Self::UniPc => unipc::step(plan, denoiser, state).await,
            Self::Deis => deis::step(plan, denoiser, state).await,
            Self::Lcm => lcm::step(plan, denoiser, state).await,
            Self::Tcd => tcd::step(plan, denoiser, state).await,
            Self::FlowEuler => euler::flow_step(plan, denoiser, state).await,
        }
    }
}
