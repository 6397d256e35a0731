//! `scheduler_config.json`: what a model's noise was in training, and how its makers sample it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    Prediction, ScheduleKind,
    keys::{FinalSigmas, Keys, PredictionType, Refusal, Spacing},
    spec::Spec,
    table::Table,
};
use crate::error::InferenceError;

/// A pipeline of diffusers that does not take the configuration as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pipeline {
    /// Of Stable Diffusion 1 and 2, from noise or a picture: the offset becomes 1, nothing is clipped.
    Drawing,
    /// The same with a mask: PNDM has no Runge–Kutta start, and what is clipped stays so.
    Inpainting,
    /// Of transformers with flow matching (FLUX, Z-Image): it gives the sigmas, from 1 to 1/n, which are shifted once; and changing a picture
    /// leaves out ⌊n − n × strength⌋ steps, where the others make ⌊n × strength⌋.
    Flow,
}

/// A parsed `scheduler_config.json`. Keys that the file lacks take the default of the class in diffusers that stands for the sampler in use.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleConfig {
    /// What the network's output means.
    pub prediction: Prediction,
    pub(crate) keys: Keys,
    pub(super) amended_by: Option<Pipeline>,
    pub(crate) path: PathBuf,
}

impl ScheduleConfig {
    /// Parses the text of a `scheduler_config.json`; `path` is for the errors.
    ///
    /// # Errors
    /// The text is malformed, or asks for something that changes pictures and that the engine does not have.
    pub fn parse(text: &str, path: &Path) -> Result<Self, InferenceError> {
        let keys = Keys::parse(text).map_err(|refusal| match refusal {
            // In one line, whatever of the file the message quotes.
            Refusal::Json(error) => {
                InferenceError::Unreadable { path: path.into(), reason: error.to_string().replace(char::is_control, " ") }
            }
            Refusal::Unsupported(key, value) => unsupported(path, key, &value),
        })?;
        let is_flow_class = keys.class_name.as_deref().is_some_and(|class| class.starts_with("FlowMatch"));
        let prediction = match keys.prediction_type {
            Some(PredictionType::Velocity) => Prediction::Velocity,
            Some(PredictionType::Sample) => Prediction::Sample,
            Some(PredictionType::Flow) => Prediction::Flow,
            None if is_flow_class => Prediction::Flow,
            Some(PredictionType::Epsilon) | None => Prediction::Epsilon,
        };
        Ok(Self { prediction, keys, amended_by: None, path: path.into() })
    }

    /// How far sigmas of flow matching are shifted towards noise, if it is by the same for all sizes.
    pub fn static_shift(&self) -> Option<f64> {
        let is_static = self.prediction == Prediction::Flow && self.keys.use_dynamic_shifting != Some(true);
        self.keys.shift.or(self.keys.flow_shift).filter(|_| is_static)
    }

    /// The schedule that the configuration itself asks for.
    pub fn own_kind(&self) -> ScheduleKind {
        let keys = &self.keys;
        for (is_used, kind) in [
            (keys.use_karras_sigmas, ScheduleKind::Karras),
            (keys.use_exponential_sigmas, ScheduleKind::Exponential),
            (keys.use_beta_sigmas, ScheduleKind::Beta),
        ] {
            if is_used == Some(true) {
                return kind;
            }
        }
        ScheduleKind::Normal
    }

    /// The configuration as a pipeline of diffusers takes it. Those of Stable Diffusion 1 and 2 (not XL's) rewrite keys when they are loaded:
    /// keys that the file lacks change for the configuration's own sampler only, since `from_config` takes another class's defaults.
    #[must_use]
    pub fn as_amended_by(mut self, pipeline: Pipeline) -> Self {
        self.amended_by = Some(pipeline);
        self
    }

    /// Whether latents lie on straight lines between noise and picture, rather than on circles.
    pub(crate) fn is_flow(&self) -> bool {
        self.prediction == Prediction::Flow || self.keys.use_flow_sigmas == Some(true)
    }

    /// Whether the last step is to end at the smallest sigma of training.
    pub(crate) fn ends_at_sigma_min(&self) -> bool {
        self.keys.final_sigmas_type == Some(FinalSigmas::SigmaMin)
    }

    /// How the timesteps are picked.
    pub(super) fn spacing(&self, spec: &Spec, kind: ScheduleKind) -> Spacing {
        if kind == ScheduleKind::SgmUniform {
            return Spacing::Trailing;
        }
        self.keys.timestep_spacing.filter(|_| spec.takes_spacing).unwrap_or(spec.spacing)
    }

    /// What is added to timesteps with leading spacing.
    pub(super) fn steps_offset(&self, spec: &Spec) -> f64 {
        let rewrites = matches!(self.amended_by, Some(Pipeline::Drawing | Pipeline::Inpainting));
        match self.keys.steps_offset {
            given if rewrites && self.reaches(spec, given.is_some()) => 1.0,
            given => given.unwrap_or(0) as f64,
        }
    }

    /// Whether the clean latents have a bound, where the class has `default`.
    pub(crate) fn clips(&self, spec: &Spec, default: bool) -> bool {
        match self.keys.clip_sample {
            given if self.amended_by == Some(Pipeline::Drawing) && self.reaches(spec, given.is_some()) => false,
            given => given.unwrap_or(default),
        }
    }

    /// Whether runs begin without Runge–Kutta steps.
    pub(crate) fn skips_runge_kutta(&self, spec: &Spec) -> bool {
        match self.keys.skip_prk_steps {
            given if self.amended_by == Some(Pipeline::Inpainting) && self.reaches(spec, given.is_some()) => true,
            given => given.unwrap_or(false),
        }
    }

    /// How many of `n` steps a run leaves out that changes a picture by `strength`; at least one stays.
    pub(crate) fn n_skipped(&self, n: usize, strength: f64) -> usize {
        let changed = n as f64 * strength;
        match self.amended_by {
            Some(Pipeline::Flow) => ((n as f64 - changed).max(0.0) as usize).min(n - 1),
            _ => n - (changed as usize).clamp(1, n),
        }
    }

    /// Whether what a pipeline has written for a key reaches a class.
    fn reaches(&self, spec: &Spec, is_given: bool) -> bool {
        is_given || self.class().as_deref() == Some(spec.class)
    }

    /// The class of diffusers that the configuration names, in its plain form.
    pub(crate) fn class(&self) -> Option<String> {
        self.keys.class_name.as_deref().map(plain_class)
    }

    /// Timesteps of training.
    pub(crate) fn n_trained(&self) -> usize {
        self.keys.n_trained()
    }

    /// Order of the solvers that have one.
    pub(crate) fn solver_order(&self) -> usize {
        self.keys.solver_order.unwrap_or(2)
    }

    /// ᾱ and sigma of every training timestep.
    pub(crate) fn table(&self, spec: &Spec) -> Table {
        Table::new(&self.keys, spec)
    }
}

/// A class of diffusers without the marks of its variants, which sample alike.
pub(crate) fn plain_class(class: &str) -> String {
    class.trim_start_matches("Flax").replace("ParallelScheduler", "Scheduler")
}

/// A key's value that the engine does not have.
pub(crate) fn unsupported(path: &Path, key: &str, value: &str) -> InferenceError {
    InferenceError::Unsupported { path: path.into(), what: format!("`{key}`: {}", value.replace(char::is_control, " ")) }
}
