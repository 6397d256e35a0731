//! What a text asks for, as far as its meaning is ours.

use inference::{
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{ImageSize, Seed, TextToImage},
};

use crate::prompt::ModelDefaults;

/// What a text asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What is drawn, without what `said` has; the model is never set.
    pub base: TextToImage,
    /// What the model's own values stand for where the text is silent.
    pub said: Said,
    /// The model's name.
    pub model: Option<String>,
    /// How much of a source picture was replaced; a second pass has its own.
    pub strength: Option<f64>,
    /// What was not understood, each as it stands in the text.
    pub notes: Vec<String>,
}

/// Values that a text may leave to the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// Denoising steps.
    pub steps: Option<u32>,
    /// Guidance scale.
    pub guidance_scale: Option<f64>,
    /// Size in pixels.
    pub size: Option<ImageSize>,
    /// Seed; where it is silent, a random one.
    pub seed: Option<Seed>,
    /// Sampler.
    pub sampler: Option<Sampler>,
    /// Schedule.
    pub schedule: Option<ScheduleKind>,
    /// A1111's number: the layer that it stops at, counted from the end, 1 for the last. It moves CLIP alone, as in Stable Diffusion 1.
    pub clip_skip: Option<u32>,
}

/// Why a text is not drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// A program whose description is more than a prompt with settings.
    #[error("it was drawn with {0}, whose description is not read: give the prompt and the options yourself")]
    Program(&'static str),
    /// JSON of nobody who is known.
    #[error("its description is JSON of an unknown program: give the prompt and the options yourself")]
    UnknownJson,
    /// JSON that has no end.
    #[error("its description is damaged JSON: give the prompt and the options yourself")]
    DamagedJson,
}

impl Said {
    /// What is drawn, with the model's own values and this seed where the text is silent.
    /// `is_clip_alone` says whether the model is one whose layers A1111 leaves out.
    pub fn complete(&self, base: TextToImage, model: &ModelDefaults, is_clip_alone: bool, random_seed: Seed) -> TextToImage {
        TextToImage {
            steps: self.steps.unwrap_or(model.steps),
            guidance_scale: self.guidance_scale.unwrap_or(model.guidance_scale),
            size: self.size.unwrap_or(model.native_size),
            seed: self.seed.unwrap_or(random_seed),
            sampler: self.sampler.unwrap_or(model.sampler),
            schedule: self.schedule.unwrap_or(model.schedule),
            clip_skip: self.clip_skip.filter(|_| is_clip_alone).map_or(0, |layer| layer - 1),
            ..base
        }
    }
}

/// A file's name without folders and ending, as other programs name models and LoRAs.
pub(super) fn stem(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    [".safetensors", ".ckpt", ".pt"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

pub(super) fn size(text: &str) -> Option<ImageSize> {
    let (width, height) = text.split_once('x')?;
    Some(ImageSize::new(width.trim().parse().ok()?, height.trim().parse().ok()?))
}
