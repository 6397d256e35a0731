//! What holds where nothing was typed, and how far a person may go.

use inference::{
    engine::position_of,
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{ImageSize, Seed},
};

/// What holds where nothing was typed, and how far a person may go.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseContext {
    /// The models that may be named, at least one; the first is drawn with when nobody names one.
    pub models: Vec<ModelDefaults>,
    /// The adapters that may be named.
    pub loras: Vec<String>,
    /// Most steps.
    pub max_steps: u32,
    /// Pictures when nobody says otherwise.
    pub n_images: u32,
    /// Most pictures that may be asked for.
    pub max_images: u32,
    /// Whether there is a start picture to change.
    pub has_picture: bool,
    /// The seed when nobody says otherwise.
    pub random_seed: Seed,
    /// Largest seed: what a Discord option carries without loss, or `u64::MAX`.
    pub max_seed: u64,
}

/// A model and what is drawn with it when nobody says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelDefaults {
    /// What tasks call it.
    pub name: String,
    /// The size that the model was trained at, or that was chosen for it.
    pub native_size: ImageSize,
    /// Sides of an aspect's size are a multiple of this.
    pub size_multiple: u32,
    /// Longest side in pixels.
    pub max_side: u32,
    /// Denoising steps.
    pub steps: u32,
    /// Guidance scale.
    pub guidance_scale: f64,
    /// Sampler.
    pub sampler: Sampler,
    /// Schedule.
    pub schedule: ScheduleKind,
    /// Layers of the text encoder left out beyond the model's own rule.
    pub clip_skip: u32,
    /// What to stay away from.
    pub negative_prompt: Option<String>,
}

impl ParseContext {
    /// The model of a name, or the first one; `None` for an unknown name.
    pub fn model(&self, name: Option<&str>) -> Option<&ModelDefaults> {
        let Some(name) = name else { return self.models.first() };
        position_of(self.models.iter().map(|model| model.name.as_str()), name).map(|place| &self.models[place])
    }

    /// The model that a stored task is compared with: its own, or the first one when that is gone.
    pub(super) fn model_or_first(&self, name: Option<&str>) -> &ModelDefaults {
        self.model(name).unwrap_or(&self.models[0])
    }
}
