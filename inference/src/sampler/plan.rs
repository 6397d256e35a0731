//! The plan of a run: its levels and the settings of its sampler. Computed again from the task whenever needed, never saved.

use candle_core::Tensor;

use super::{
    Denoiser, NoiseLevel, Sampler,
    method::{Run, Setup},
    methods::Prepared,
    state::{SamplerState, Step},
    tensors::noised_to,
};
use crate::{
    error::InferenceError,
    schedule::{Asked, Levels, Prediction, ScheduleConfig, spec::Space},
};

/// The levels of every step and the sampler with its settings, for one run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The step to start at.
    pub start: usize,
    pub(super) levels: Levels,
    sampler: Prepared,
    prediction: Prediction,
    calls_twice: bool,
}

impl Sampler {
    /// Whether it can draw with a model of this prediction: not all have a way along the straight lines of flow matching.
    pub fn fits(self, prediction: Prediction) -> bool {
        prediction != Prediction::Flow || self.takes_flow()
    }

    /// The plan of as many steps as asked (trailing spacing may round to one more, as in the reference); with a strength, of the last of them.
    pub fn plan(self, config: &ScheduleConfig, asked: &Asked) -> Plan {
        // The reference counts from the number asked for, also where rounding gave one step more.
        let n = asked.n_steps.clamp(1, config.n_trained());
        let spec = self.spec(config);
        let skipping = asked.strength.filter(|_| spec.spread(asked).is_none());
        let n_skipped = skipping.map_or(0, |strength| config.n_skipped(n, strength));
        let (levels, sampler) = self.prepared(&Setup { config, spec, asked: &Asked { n_steps: n, ..*asked }, n_skipped });
        Plan {
            // A configuration that cuts off noisy timesteps may leave fewer steps than were asked for.
            start: n_skipped.min(levels.at.len() - 1),
            levels,
            sampler,
            prediction: if matches!(spec.space, Space::Flow) { Prediction::Flow } else { config.prediction },
            calls_twice: spec.calls_twice,
        }
    }
}

impl Plan {
    /// Steps, those before the start too.
    pub fn n_steps(&self) -> usize {
        self.levels.at.len()
    }

    /// How noisy the latents are before a step; `None` after the last.
    pub(crate) fn level(&self, step: usize) -> Option<NoiseLevel> {
        self.levels.at.get(step).copied()
    }

    /// Network calls of a step.
    ///
    /// # Panics
    /// If the plan has no such step.
    pub fn calls_of(&self, step: usize) -> usize {
        1 + usize::from(self.calls_twice && self.levels.to[step].sigma != 0.0)
    }

    /// What the denoiser is to take the network's output for.
    pub(crate) fn prediction(&self) -> Prediction {
        self.prediction
    }

    /// One step. Owns its copy of the state, so a step that is dropped half-way changes nothing.
    ///
    /// # Errors
    /// Those of the denoiser, and of tensor arithmetic.
    ///
    /// # Panics
    /// If all steps of the plan are done.
    pub(crate) async fn step(&self, denoiser: &impl Denoiser, state: SamplerState) -> Result<Step, InferenceError> {
        self.sampler.step(Run { levels: &self.levels, start: self.start }, denoiser, state).await
    }

    /// The first latents of a text-to-image run, from unit noise.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub(crate) fn first_latents(&self, noise: &Tensor) -> Result<Tensor, InferenceError> {
        Ok((noise * self.levels.init_noise_sigma)?)
    }

    /// The first latents of an image-to-image run: the source's with noise.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub(crate) fn noised(&self, clean: &Tensor, noise: &Tensor) -> Result<Tensor, InferenceError> {
        noised_to(clean, noise, self.levels.at[self.start])
    }

    /// The source's latents as noisy as those after `step`, for inpainting; without noise after the last.
    ///
    /// # Errors
    /// Those of tensor arithmetic.
    pub(crate) fn noised_after(&self, step: usize, clean: &Tensor, noise: &Tensor) -> Result<Tensor, InferenceError> {
        self.levels.at.get(step + 1).map_or_else(|| Ok(clean.clone()), |&next| noised_to(clean, noise, next))
    }
}
