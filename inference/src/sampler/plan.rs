//! The plan of a run: its levels and the settings of its sampler. Computed again from the task whenever needed, never saved.

use candle_core::Tensor;

use super::{
    Denoiser, NoiseLevel, Sampler,
    tensors::{mix, thresholded},
};
use crate::{
    error::InferenceError,
    schedule::{Algorithm, Asked, Corrector, FirstSteps, Prediction, ScheduleConfig, SolverType, Table, Threshold},
};

/// The levels of every step and the settings of the sampler, for one run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The step to start at.
    pub start: usize,
    pub(super) steps: Vec<PlannedStep>,
    pub(super) settings: Settings,
    prediction: Prediction,
    init_noise_sigma: f64,
    calls_twice: bool,
}

/// The levels of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PlannedStep {
    /// Where the network is called first; for PNDM the level that it is told.
    pub(super) at: NoiseLevel,
    /// Where it is called again; for PNDM the level that the step starts from; for TCD the level that it jumps to before fresh noise.
    pub(super) via: Option<NoiseLevel>,
    /// Where the step goes.
    pub(super) to: NoiseLevel,
}

/// What a sampler does besides going from level to level.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) eta: f64,
    pub(super) has_large_variance: bool,
    pub(super) timestep_scaling: f64,
    pub(super) is_stochastic: bool,
    pub(super) is_ancestral: bool,
    pub(super) order: usize,
    pub(super) algorithm: Algorithm,
    pub(super) solver_type: SolverType,
    pub(super) corrector: Corrector,
    pub(super) lower_order_final: bool,
    pub(super) euler_at_final: bool,
    pub(super) first_steps: FirstSteps,
    clip: Option<f64>,
    threshold: Option<Threshold>,
}

impl Sampler {
    /// The plan of as many steps as asked (trailing spacing may round to one more, as in the reference); with a strength, of the last of them.
    pub fn plan(self, config: &ScheduleConfig, asked: &Asked) -> Plan {
        let table = config.table(self);
        let n = asked.n_steps.clamp(1, table.n_trained());
        let asked = &Asked { n_steps: n, ..*asked };
        // The reference counts from the number asked for, also where rounding gave one step more.
        let skipped = asked.strength.map_or(0, |strength| config.n_skipped(n, strength));
        let mut first_steps = FirstSteps::Doubled;
        let (steps, start, init_noise_sigma): (Vec<PlannedStep>, _, _) = if self == Self::Pndm {
            let (calls, start, first) = config.pndm(asked.kind, n, |_| skipped);
            first_steps = first;
            let step = |call: crate::schedule::PndmCall| PlannedStep { at: call.at, via: Some(call.from), to: call.to };
            (calls.into_iter().map(step).collect(), start, 1.0)
        } else {
            let levels = config.levels(self, asked);
            let pairs = levels.at.iter().zip(&levels.to);
            let steps: Vec<PlannedStep> = pairs.map(|(&at, &to)| PlannedStep { at, via: self.via(config, &table, at, to), to }).collect();
            (steps, skipped, levels.init_noise_sigma)
        };
        let n_planned = steps.len();
        // A configuration that cuts off noisy timesteps may leave fewer steps than were asked for.
        let start = start.min(n_planned - 1);
        let is_flow_sampler = self == Self::FlowEuler;
        Plan {
            start,
            steps,
            settings: Settings {
                eta: config.eta(),
                has_large_variance: config.has_large_variance(),
                timestep_scaling: config.timestep_scaling(),
                is_stochastic: config.has_stochastic_sampling(),
                is_ancestral: self == Self::Dpm2A,
                order: config.solver_order(self),
                algorithm: config.algorithm(self),
                solver_type: config.solver_type(),
                corrector: config.corrector(),
                lower_order_final: config.has_lower_order_final(self, n_planned),
                euler_at_final: config.has_euler_at_final(self),
                first_steps,
                clip: config.clip(self),
                threshold: config.threshold(self),
            },
            prediction: if is_flow_sampler { Prediction::Flow } else { config.prediction },
            init_noise_sigma,
            calls_twice: self.calls_twice(),
        }
    }

    /// Whether all but the last step call the network twice.
    fn calls_twice(self) -> bool {
        matches!(self, Self::Heun | Self::Dpm2 | Self::Dpm2A | Self::DpmPpSde)
    }

    fn via(self, config: &ScheduleConfig, table: &Table, at: NoiseLevel, to: NoiseLevel) -> Option<NoiseLevel> {
        let between = |sigma: f64| {
            let timestep = if config.is_flow() { sigma * table.n_trained() as f64 } else { table.timestep_of(sigma) };
            NoiseLevel { alpha: if config.is_flow() { 1.0 - sigma } else { 1.0 }, sigma, timestep }
        };
        match self {
            Self::Tcd => {
                let share = (1.0 - config.eta()) as f32;
                Some(table.level_at(f64::from((share * to.timestep as f32).floor())))
            }
            _ if !self.calls_twice() || to.sigma == 0.0 => None,
            Self::Heun => Some(to),
            Self::Dpm2A => Some(between((at.sigma * super::euler_a::split(at.sigma, to.sigma).0).sqrt())),
            _ => Some(between((at.sigma * to.sigma).sqrt())),
        }
    }
}

impl Plan {
    /// Steps, those before the start too.
    pub fn n_steps(&self) -> usize {
        self.steps.len()
    }

    /// Network calls from start to end, each of one or (with guidance) two rows.
    pub fn n_calls(&self) -> usize {
        (self.start..self.n_steps()).map(|step| self.calls_of(step)).sum()
    }

    /// Network calls of a step.
    ///
    /// # Panics
    /// If the plan has no such step.
    pub fn calls_of(&self, step: usize) -> usize {
        1 + usize::from(self.calls_twice && self.steps[step].via.is_some())
    }

    /// What the denoiser is to take the network's output for.
    pub fn prediction(&self) -> Prediction {
        self.prediction
    }

    /// The level at which a step calls the network first.
    ///
    /// # Panics
    /// If the plan has no such step.
    pub fn level(&self, step: usize) -> NoiseLevel {
        self.steps[step].at
    }

    /// The level that the last step goes to.
    pub fn end(&self) -> NoiseLevel {
        self.steps[self.steps.len() - 1].to
    }

    /// Standard deviation of the first latents of a text-to-image run.
    pub fn init_noise_sigma(&self) -> f64 {
        self.init_noise_sigma
    }

    /// The first latents of a text-to-image run, from unit noise.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub fn first_latents(&self, noise: &Tensor) -> Result<Tensor, InferenceError> {
        Ok((noise * self.init_noise_sigma)?)
    }

    /// The first latents of an image-to-image run: the source's with noise.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub fn noised(&self, clean: &Tensor, noise: &Tensor) -> Result<Tensor, InferenceError> {
        noised_to(clean, noise, self.steps[self.start].at)
    }

    /// The source's latents as noisy as those after `step`, for inpainting; without noise after the last.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub fn noised_after(&self, step: usize, clean: &Tensor, noise: &Tensor) -> Result<Tensor, InferenceError> {
        self.steps.get(step + 1).map_or_else(|| Ok(clean.clone()), |next| noised_to(clean, noise, next.at))
    }

    /// Steps that the run has made before this one.
    pub(super) fn n_made(&self, step: usize) -> usize {
        step - self.start
    }

    /// The clean latents, within the configuration's bounds.
    pub(super) async fn denoise(&self, denoiser: &impl Denoiser, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let denoised = denoiser.denoise(latents, at).await?;
        self.bounded(&denoised)
    }

    /// The clean latents within the configuration's bounds.
    pub(super) fn bounded(&self, denoised: &Tensor) -> Result<Tensor, InferenceError> {
        match (self.settings.threshold, self.settings.clip) {
            (Some(threshold), _) => thresholded(denoised, threshold),
            (None, Some(bound)) => Ok(denoised.clamp(-bound, bound)?),
            (None, None) => Ok(denoised.clone()),
        }
    }
}

/// Clean latents with noise, at a level.
pub(crate) fn noised_to(clean: &Tensor, noise: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
    mix([(at.alpha, clean), (at.sigma, noise)])
}
