//! `scheduler_config.json`: what a model's noise was in training, and how its makers sample it.

use std::path::{Path, PathBuf};

use super::{Prediction, ScheduleKind, file::File, table::Table};
use crate::{checkpoint::regular, error::InferenceError, sampler::Sampler};

/// How training timesteps are picked (Lin et al. 2023, table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// From 0 in equal whole steps.
    Leading,
    /// From the last in equal steps.
    Trailing,
    /// From the first to the last, both included.
    Linspace,
}

/// A pipeline of diffusers that does not take the configuration as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug)]
pub struct ScheduleConfig {
    /// What the network's output means.
    pub prediction: Prediction,
    pub(super) file: File,
    /// DDIM's and TCD's share of fresh noise.
    pub(super) eta: f64,
    /// Share of the timesteps of distillation that consistency models choose from, the least noisy first.
    pub(super) distilled_share: f64,
    pub(super) amended_by: Option<Pipeline>,
    path: PathBuf,
}

impl ScheduleConfig {
    /// Reads `scheduler_config.json`.
    ///
    /// # Errors
    /// The file is missing or malformed, or asks for something that changes pictures and that the engine does not have.
    pub fn load(path: &Path) -> Result<Self, InferenceError> {
        let text = regular::read_text(path, regular::MAX_JSON_BYTES)?;
        Self::parse(&text, path)
    }

    /// Parses the text of a `scheduler_config.json`; `path` is for the errors.
    ///
    /// # Errors
    /// As for [`ScheduleConfig::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, InferenceError> {
        let file = File::parse(text).map_err(|error| {
            // In one line, whatever of the file the message quotes.
            InferenceError::Unreadable { path: path.into(), reason: error.to_string().replace(char::is_control, " ") }
        })?;
        if let Some((key, value)) = file.unsupported() {
            return Err(unsupported(path, key, &value));
        }
        let is_flow_class = file.class_name.as_deref().is_some_and(|class| class.starts_with("FlowMatch"));
        let prediction = match file.prediction_type.as_deref() {
            Some("v_prediction") => Prediction::Velocity,
            Some("sample") => Prediction::Sample,
            Some("flow_prediction") => Prediction::Flow,
            None if is_flow_class => Prediction::Flow,
            _ => Prediction::Epsilon,
        };
        Ok(Self { prediction, file, eta: 0.0, distilled_share: 1.0, amended_by: None, path: path.into() })
    }

    /// The sampler that the configuration itself asks for, by the class that it names.
    ///
    /// # Errors
    /// It names none, or one that the engine does not have.
    pub fn own_sampler(&self) -> Result<Sampler, InferenceError> {
        let class = self.file.class_name.as_deref().unwrap_or("none");
        let sampler = Sampler::from_class(class).ok_or_else(|| unsupported(&self.path, "_class_name", class))?;
        let is_stochastic = self.file.algorithm_type.as_deref().is_some_and(|algorithm| algorithm.starts_with("sde"));
        Ok(match sampler {
            Sampler::DpmPp2M if is_stochastic => Sampler::DpmPp2MSde,
            Sampler::DpmPp2M if self.file.solver_order == Some(3) => Sampler::DpmPp3M,
            other => other,
        })
    }

    /// The schedule that the configuration itself asks for.
    pub fn own_kind(&self) -> ScheduleKind {
        let file = &self.file;
        for (is_used, kind) in [
            (file.use_karras_sigmas, ScheduleKind::Karras),
            (file.use_exponential_sigmas, ScheduleKind::Exponential),
            (file.use_beta_sigmas, ScheduleKind::Beta),
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

    /// The configuration with this share of fresh noise in DDIM and TCD: 0 is none, as diffusers' pipelines have it, 1 is all.
    #[must_use]
    pub fn with_eta(mut self, eta: f64) -> Self {
        self.eta = eta.clamp(0.0, 1.0);
        self
    }

    /// The configuration for changing a picture with a latent consistency model, whose pipeline in diffusers spreads all steps over the last
    /// `strength` of the timesteps (`set_timesteps` with `strength`), where the others leave out the first steps.
    #[must_use]
    pub(crate) fn with_distilled_share(mut self, strength: f64) -> Self {
        self.distilled_share = strength.clamp(0.0, 1.0);
        self
    }

    /// Whether latents lie on straight lines between noise and picture, rather than on circles.
    pub(crate) fn is_flow(&self) -> bool {
        self.prediction == Prediction::Flow || self.file.use_flow_sigmas == Some(true)
    }

    /// How the timesteps are picked.
    pub(super) fn spacing(&self, sampler: Sampler, kind: ScheduleKind) -> Spacing {
        if kind == ScheduleKind::SgmUniform {
            return Spacing::Trailing;
        }
        match self.file.timestep_spacing.as_deref() {
            // The reference's class has no such option.
            _ if sampler == Sampler::DpmPp2S => Spacing::Linspace,
            Some("leading") => Spacing::Leading,
            Some("trailing") => Spacing::Trailing,
            Some(_) => Spacing::Linspace,
            None if matches!(sampler, Sampler::Ddim | Sampler::Ddpm | Sampler::Pndm | Sampler::Lcm | Sampler::Tcd) => Spacing::Leading,
            None => Spacing::Linspace,
        }
    }

    /// What is added to timesteps with leading spacing.
    pub(super) fn steps_offset(&self, sampler: Sampler) -> f64 {
        match self.file.steps_offset {
            given if self.rewrites_offset() && self.reaches(sampler, given.is_some()) => 1.0,
            given => given.unwrap_or(0) as f64,
        }
    }

    /// Whether the clean latents have a bound, where the sampler's class has `default`.
    pub(super) fn clips(&self, sampler: Sampler, default: bool) -> bool {
        match self.file.clip_sample {
            given if self.amended_by == Some(Pipeline::Drawing) && self.reaches(sampler, given.is_some()) => false,
            given => given.unwrap_or(default),
        }
    }

    /// Whether PNDM begins without its Runge–Kutta steps.
    pub(super) fn skips_runge_kutta(&self) -> bool {
        match self.file.skip_prk_steps {
            given if self.amended_by == Some(Pipeline::Inpainting) && self.reaches(Sampler::Pndm, given.is_some()) => true,
            given => given.unwrap_or(false),
        }
    }

    fn rewrites_offset(&self) -> bool {
        matches!(self.amended_by, Some(Pipeline::Drawing | Pipeline::Inpainting))
    }

    /// How many of `n` steps a run leaves out that changes a picture by `strength`; at least one stays.
    pub(crate) fn n_skipped(&self, n: usize, strength: f64) -> usize {
        let changed = n as f64 * strength;
        match self.amended_by {
            Some(Pipeline::Flow) => ((n as f64 - changed).max(0.0) as usize).min(n - 1),
            _ => n - (changed as usize).clamp(1, n),
        }
    }

    /// Whether what a pipeline has written for a key reaches a sampler.
    fn reaches(&self, sampler: Sampler, is_given: bool) -> bool {
        is_given || self.own_sampler().is_ok_and(|own| own.class() == sampler.class())
    }

    /// ᾱ and sigma of every training timestep.
    pub(crate) fn table(&self, sampler: Sampler) -> Table {
        Table::new(&self.file, sampler)
    }
}

fn unsupported(path: &Path, key: &str, value: &str) -> InferenceError {
    InferenceError::Unsupported { path: path.into(), what: format!("`{key}`: {}", value.replace(char::is_control, " ")) }
}
