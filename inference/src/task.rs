//! What to make: the words that a caller of the engine uses. Serialised into job rows, so every new field takes `#[serde(default)]`.

use serde::{Deserialize, Serialize};

use crate::{sampler::Sampler, schedule::ScheduleKind};

/// One job's work: everything needed to make its pictures again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Task {
    /// Pictures from a prompt alone.
    TextToImage(TextToImage),
    /// Pictures from a prompt and another picture.
    ImageToImage(ImageToImage),
    /// One picture enlarged by the super-resolution network.
    Upscale(Upscale),
}

/// Pictures drawn from noise under a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextToImage {
    /// What to draw.
    pub prompt: String,
    /// What to stay away from; `None` encodes the empty prompt.
    #[serde(default)]
    pub negative_prompt: Option<String>,
    /// Size in pixels.
    pub size: ImageSize,
    /// Denoising steps, 1 to 150.
    pub steps: u32,
    /// Classifier-free guidance, 1.0 = off.
    pub guidance_scale: f64,
    /// How one noise level goes to the next.
    pub sampler: Sampler,
    /// How the noise levels are chosen.
    #[serde(default)]
    pub schedule: ScheduleKind,
    /// Seed of the first picture; picture i uses `seed + i` (wrapping).
    pub seed: Seed,
    /// Pictures to draw, 1 to 16.
    pub n_images: u32,
}

/// Pictures drawn from another picture, changed by `strength`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageToImage {
    /// Prompt, size, steps, seed and the rest.
    #[serde(flatten)]
    pub base: TextToImage,
    /// The caller's name for the source picture; the engine gets its pixels with the submission.
    pub source: String,
    /// How much of the source is replaced, above 0.0 to 1.0.
    pub strength: f64,
}

/// One picture enlarged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upscale {
    /// The caller's name for the source picture; the engine gets its pixels with the submission.
    pub source: String,
    /// Size of the source in pixels.
    pub size: ImageSize,
}

impl Task {
    /// Pictures that the task makes.
    pub fn n_images(&self) -> u32 {
        match self {
            Task::Upscale(_) => 1,
            other => other.base().map_or(1, |base| base.n_images),
        }
    }

    /// The drawing options, for the kinds that draw.
    pub fn base(&self) -> Option<&TextToImage> {
        match self {
            Task::TextToImage(base) | Task::ImageToImage(ImageToImage { base, .. }) => Some(base),
            Task::Upscale(_) => None,
        }
    }

    /// The drawing options, to change them.
    pub fn base_mut(&mut self) -> Option<&mut TextToImage> {
        match self {
            Task::TextToImage(base) | Task::ImageToImage(ImageToImage { base, .. }) => Some(base),
            Task::Upscale(_) => None,
        }
    }

    /// The caller's name for the source picture, for the kinds that have one.
    pub fn source(&self) -> Option<&str> {
        match self {
            Task::TextToImage(_) => None,
            Task::ImageToImage(task) => Some(&task.source),
            Task::Upscale(task) => Some(&task.source),
        }
    }

    /// A short word for logs and spans.
    pub fn kind(&self) -> &'static str {
        match self {
            Task::TextToImage(_) => "text_to_image",
            Task::ImageToImage(_) => "image_to_image",
            Task::Upscale(_) => "upscale",
        }
    }
}

impl TextToImage {
    /// Whether classifier-free guidance is on, which takes two network rows a step.
    pub fn is_guided(&self) -> bool {
        self.guidance_scale != 1.0
    }
}

/// A picture's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageSize {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl ImageSize {
    /// A size of `width` × `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Area in megapixels (10⁶ pixels).
    pub fn megapixels(self) -> f64 {
        f64::from(self.width) * f64::from(self.height) / 1e6
    }
}

impl std::fmt::Display for ImageSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// The number a picture's noise is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// Seed of picture `index` of a job, so that each picture can be made again alone.
    pub fn of_image(self, index: u32) -> Self {
        Self(self.0.wrapping_add(u64::from(index)))
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
