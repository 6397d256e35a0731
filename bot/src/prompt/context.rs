//! What holds where nothing was typed, and how far a person may go.

use inference::{
    catalogue::position_of,
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{ImageSize, Seed, TextToImage},
};

use super::{Personal, PromptError, Usual, Wildcards, ranked};

/// Most names that an error lists.
const MAX_LISTED: usize = 10;

/// What holds where nothing was typed, and how far a person may go.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseContext {
    /// The models that may be named, at least one; the first is drawn with when nobody names one.
    pub models: Vec<ModelDefaults>,
    /// The adapters that may be named.
    pub loras: Vec<String>,
    /// What was there and is not any more.
    pub gone: Gone,
    /// Most steps.
    pub max_steps: u32,
    /// Pictures when nobody says otherwise.
    pub n_images: u32,
    /// Most pictures that may be asked for.
    pub max_images: u32,
    /// Whether there is a start picture to change.
    pub start: Start,
    /// How much of a start picture changes when nobody says otherwise.
    pub strength: f64,
    /// The seed when nobody says otherwise.
    pub random_seed: Seed,
    /// What is added to a seed that is given: a line may ask for several grids.
    pub seed_offset: u64,
    /// Most grids that one line may ask for.
    pub max_jobs: u32,
    /// Lists of words.
    pub wildcards: Wildcards,
    /// What was chosen for lines that do not say it.
    pub usual: Usual,
    /// Own words of whoever writes the line.
    pub personal: Personal,
    /// Largest seed: what a Discord option carries without loss, or `u64::MAX`.
    pub max_seed: u64,
}

/// A start picture to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// There is none.
    #[default]
    Nothing,
    /// There is one; nothing else follows from it.
    There,
    /// There is one of this size in pixels: what is drawn has its shape when nobody says otherwise.
    Shaped(ImageSize),
}

/// Names of what was there and is not any more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gone {
    /// Models.
    pub models: Vec<String>,
    /// Adapters.
    pub loras: Vec<String>,
    /// The model of those who name none, if that one is gone.
    pub usual: Option<String>,
}

impl Gone {
    /// Whether there was a model of that name.
    pub fn has_model(&self, name: &str) -> bool {
        position_of(self.models.iter().map(String::as_str), name).is_some()
    }

    /// Whether there was an adapter of that name.
    pub fn has_lora(&self, name: &str) -> bool {
        position_of(self.loras.iter().map(String::as_str), name).is_some()
    }
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
    /// Whether parts of a prompt may have weights of their own (`::`).
    pub reads_parts: bool,
}

impl ModelDefaults {
    /// What is drawn with the model when nothing was said but the seed and how many pictures.
    pub fn drawing(&self, seed: Seed, n_images: u32) -> TextToImage {
        TextToImage {
            negative_prompt: self.negative_prompt.clone(),
            size: self.native_size,
            steps: self.steps,
            guidance_scale: self.guidance_scale,
            sampler: self.sampler,
            schedule: self.schedule,
            clip_skip: self.clip_skip,
            seed,
            n_images,
            ..TextToImage::default()
        }
    }
}

impl ParseContext {
    /// A given seed with the offset; behind the largest one comes 0.
    pub(super) fn offset(&self, seed: Seed) -> Seed {
        let sum = u128::from(seed.0) + u128::from(self.seed_offset);
        Seed((sum % (u128::from(self.max_seed) + 1)) as u64)
    }

    /// Says that there is no such model, with those that there are.
    pub(super) fn unknown_model(&self, shown: String, name: &str) -> PromptError {
        let mut names = ranked(self.models.iter().map(|model| model.name.as_str()), name);
        names.truncate(MAX_LISTED);
        let known = names.join(", ");
        if self.gone.has_model(name) { PromptError::ModelGone { shown, known } } else { PromptError::UnknownModel { shown, known } }
    }

    /// The same for words that say all of a task: nothing that was chosen for other lines is added to them.
    #[must_use]
    pub fn bare(self) -> Self {
        let personal = Personal { suffix: None, ..self.personal };
        Self { usual: Usual::default(), personal, ..self }
    }

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
