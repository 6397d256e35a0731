//! What to make: the words that a caller of the engine uses. Serialised into job rows, so every new field takes `#[serde(default)]`.

mod adapter_use;
mod drift;
mod input;
mod note;
mod setting;
mod stop_at;
mod stored;
mod study;

use serde::{Deserialize, Serialize};

pub(crate) use self::study::glimpses;
pub use self::{
    adapter_use::AdapterUse,
    drift::{MAX_CHAOS, MAX_WEIRD},
    input::{Input, Pixels, Role, UnknownRole},
    note::Note,
    setting::Setting,
    stop_at::{MIN_STOP, StopAt},
    study::Way,
};
use crate::{adapter::AdapterWeights, sampler::Sampler, schedule::ScheduleKind, text};

/// One job's work: everything needed to make its pictures again, given the bytes of its inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "stored::Stored")]
pub struct Task {
    /// What to make.
    #[serde(flatten)]
    pub kind: TaskKind,
    /// The pictures that it is made from: those of [`TaskKind::roles`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

/// What to make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TaskKind {
    /// Pictures from a prompt alone.
    TextToImage(TextToImage),
    /// Pictures from a prompt and another picture.
    ImageToImage(ImageToImage),
    /// A part of a picture drawn anew.
    Inpaint(Inpaint),
    /// One picture enlarged by the super-resolution network.
    Upscale(Upscale),
}

/// Pictures drawn from noise under a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextToImage {
    /// What to draw.
    pub prompt: String,
    /// What to stay away from; `None` is the empty prompt, or zeros where the model's configuration says so.
    #[serde(default)]
    pub negative_prompt: Option<String>,
    /// Whether `::` parts the prompt ([`text::parts`]). A task that does not say so is of the time before there were parts, or is drawn to the letter.
    #[serde(default, skip_serializing_if = "is_no")]
    pub has_parts: bool,
    /// Name of the model; `None` is the engine's first.
    #[serde(default)]
    pub model: Option<String>,
    /// Adapters by name, beside those that the prompt names.
    #[serde(default)]
    pub adapters: Vec<AdapterUse>,
    /// Layers of the text encoder left out beyond the model's own rule.
    #[serde(default)]
    pub clip_skip: u32,
    /// The prompts that they are left out for. A task that does not say it is one of the time before there was a choice.
    #[serde(default)]
    pub clip_skip_of: SkippedFor,
    /// Size in pixels.
    pub size: ImageSize,
    /// Denoising steps, 1 to 1000.
    pub steps: u32,
    /// Classifier-free guidance; up to 1.0 is off.
    pub guidance_scale: f64,
    /// How far guided predictions are brought back to the spread of unguided ones, 0.0 (not) to 1.0 (Lin et al. 2023, section 3.4).
    #[serde(default)]
    pub guidance_rescale: f64,
    /// The share of the steps in which guidance is on, from and to; outside it a step takes one network row.
    #[serde(default = "always")]
    pub guidance_interval: (f64, f64),
    /// How one noise level goes to the next.
    pub sampler: Sampler,
    /// How the noise levels are chosen.
    #[serde(default)]
    pub schedule: ScheduleKind,
    /// Seed of the first picture; picture i uses `seed + i` (wrapping).
    pub seed: Seed,
    /// Pictures to draw, 1 to 16.
    pub n_images: u32,
    /// How differently the pictures read the prompt, 0 (alike) to 100.
    #[serde(default, skip_serializing_if = "is_none_of_it")]
    pub chaos: u32,
    /// How unusually all of them read it, 0 to 3000.
    #[serde(default, skip_serializing_if = "is_none_of_it")]
    pub weird: u32,
    /// Whether the picture's edges continue on the opposite side, for textures.
    #[serde(default)]
    pub seamless: bool,
    /// A second, larger pass.
    #[serde(default)]
    pub hires: Option<Hires>,
    /// When a picture is handed out as it is then; `None` at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<StopAt>,
    /// How each of the pictures is guided, where they are all the same one, to be explained: they have the first's seed, and the first tells how it came
    /// about ([`Explained`](crate::engine::Explained)). The task itself is guided where any of them is. Empty: no study.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub study: Vec<Way>,
    /// The prompt of each of the pictures in place of the task's, where they are drawn to be compared: they have the first's seed. None of them is longer
    /// than the task's. Empty: all have the task's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<String>,
}

fn is_no(is: &bool) -> bool {
    !is
}

fn is_none_of_it(amount: &u32) -> bool {
    *amount == 0
}

fn always() -> (f64, f64) {
    (0.0, 1.0)
}

impl Default for TextToImage {
    /// An empty prompt at 512×512 with the usual values of Stable Diffusion, to be filled in.
    fn default() -> Self {
        Self {
            prompt: String::new(),
            negative_prompt: None,
            has_parts: false,
            model: None,
            adapters: Vec::new(),
            clip_skip: 0,
            clip_skip_of: SkippedFor::Both,
            size: ImageSize::new(512, 512),
            steps: 25,
            guidance_scale: 7.5,
            guidance_rescale: 0.0,
            guidance_interval: always(),
            sampler: Sampler::DpmPp2M,
            schedule: ScheduleKind::Normal,
            seed: Seed(0),
            n_images: 1,
            chaos: 0,
            weird: 0,
            seamless: false,
            hires: None,
            stop_at: None,
            study: Vec::new(),
            readings: Vec::new(),
        }
    }
}

/// The prompts that layers of the text encoder are left out for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkippedFor {
    /// The prompt alone, as in diffusers' pipelines.
    #[default]
    Prompt,
    /// The prompt and the negative prompt, as in all other programs.
    Both,
}

/// A second pass over a picture that was enlarged ("hires fix"): the composition of the small one, the detail of the large one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hires {
    /// Enlargement of both sides, above 1.0 to 4.0.
    pub scale: f64,
    /// How much of the enlarged picture the second pass replaces, above 0.0 to 1.0.
    pub strength: f64,
    /// Steps of the second pass's full schedule; `None` is as many as the first.
    #[serde(default)]
    pub steps: Option<u32>,
    /// What enlarges it.
    #[serde(default)]
    pub enlarger: Enlarger,
}

impl Hires {
    /// Size of the second pass over a picture of size `first`, to the nearest `multiple`.
    pub fn size(&self, first: ImageSize, multiple: u32) -> ImageSize {
        let side = |side: u32| ((f64::from(side) * self.scale / f64::from(multiple)).round() as u32).max(1) * multiple;
        ImageSize::new(side(first.width), side(first.height))
    }
}

/// What enlarges a picture between two passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enlarger {
    /// Bilinear interpolation of the latents.
    #[default]
    Latent,
    /// The super-resolution network on the decoded picture.
    Network,
}

/// Pictures drawn from another picture, changed by `strength`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageToImage {
    /// Prompt, size, steps, seed and the rest.
    #[serde(flatten)]
    pub base: TextToImage,
    /// How much of the source is replaced, above 0.0 to 1.0.
    pub strength: f64,
}

/// The masked part of a picture drawn anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inpaint {
    /// Prompt, size, steps, seed and the rest.
    #[serde(flatten)]
    pub base: TextToImage,
    /// How much of the masked part is replaced, above 0.0 to 1.0.
    pub strength: f64,
}

/// One picture enlarged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upscale {
    /// Size of the source in pixels.
    pub size: ImageSize,
    /// How many times one after the other it goes through the network, 1 to 4. A task that does not say it is one of the time before there was a choice.
    #[serde(default = "once")]
    pub passes: u32,
}

fn once() -> u32 {
    1
}

impl Upscale {
    /// Sizes of the pictures that go through a network of this enlargement, pass after pass.
    pub fn sources(&self, factor: u32) -> impl Iterator<Item = ImageSize> + use<> {
        let larger = move |size: &ImageSize| Some(ImageSize::new(size.width.saturating_mul(factor), size.height.saturating_mul(factor)));
        std::iter::successors(Some(self.size), larger).take(self.passes as usize)
    }
}

impl From<TextToImage> for Task {
    fn from(base: TextToImage) -> Self {
        Self { kind: TaskKind::TextToImage(base), inputs: Vec::new() }
    }
}

impl Task {
    /// Pictures drawn from the picture that the caller calls `init`.
    pub fn image_to_image(drawing: ImageToImage, init: impl Into<String>) -> Self {
        Self { kind: TaskKind::ImageToImage(drawing), inputs: vec![Input { role: Role::Init, blob: init.into() }] }
    }

    /// The part of the picture `init` that the picture `mask` says, drawn anew.
    pub fn inpaint(drawing: Inpaint, init: impl Into<String>, mask: impl Into<String>) -> Self {
        let inputs = vec![Input { role: Role::Init, blob: init.into() }, Input { role: Role::Mask, blob: mask.into() }];
        Self { kind: TaskKind::Inpaint(drawing), inputs }
    }

    /// The picture that the caller calls `init`, enlarged.
    pub fn upscale(enlarging: Upscale, init: impl Into<String>) -> Self {
        Self { kind: TaskKind::Upscale(enlarging), inputs: vec![Input { role: Role::Init, blob: init.into() }] }
    }

    /// Pictures that the task makes.
    pub fn n_images(&self) -> u32 {
        self.base().map_or(1, |base| base.n_images)
    }

    /// The drawing options, for the kinds that draw.
    pub fn base(&self) -> Option<&TextToImage> {
        match &self.kind {
            TaskKind::TextToImage(base) | TaskKind::ImageToImage(ImageToImage { base, .. }) | TaskKind::Inpaint(Inpaint { base, .. }) => {
                Some(base)
            }
            TaskKind::Upscale(_) => None,
        }
    }

    /// The drawing options, to change them.
    pub fn base_mut(&mut self) -> Option<&mut TextToImage> {
        match &mut self.kind {
            TaskKind::TextToImage(base) | TaskKind::ImageToImage(ImageToImage { base, .. }) | TaskKind::Inpaint(Inpaint { base, .. }) => {
                Some(base)
            }
            TaskKind::Upscale(_) => None,
        }
    }

    /// How much of a source picture is replaced, for the kinds that draw from one.
    pub fn strength(&self) -> Option<f64> {
        match &self.kind {
            TaskKind::ImageToImage(ImageToImage { strength, .. }) | TaskKind::Inpaint(Inpaint { strength, .. }) => Some(*strength),
            TaskKind::TextToImage(_) | TaskKind::Upscale(_) => None,
        }
    }

    /// Size in pixels that the pictures have from which it is made, for the kinds that have any.
    pub fn source_size(&self) -> Option<ImageSize> {
        match &self.kind {
            TaskKind::TextToImage(_) => None,
            TaskKind::Upscale(task) => Some(task.size),
            TaskKind::ImageToImage(ImageToImage { base, .. }) | TaskKind::Inpaint(Inpaint { base, .. }) => Some(base.size),
        }
    }

    /// The caller's name for the source picture, for the kinds that have one.
    pub fn source(&self) -> Option<&str> {
        self.input(&Role::Init)
    }

    /// A short word for logs and spans.
    pub fn word(&self) -> &'static str {
        match self.kind {
            TaskKind::TextToImage(_) => "text_to_image",
            TaskKind::ImageToImage(_) => "image_to_image",
            TaskKind::Inpaint(_) => "inpaint",
            TaskKind::Upscale(_) => "upscale",
        }
    }
}

impl TextToImage {
    /// Whether classifier-free guidance is on, which takes two network rows a step.
    pub fn is_guided(&self) -> bool {
        self.guidance_scale > 1.0
    }

    /// The adapters that the task names and those that its prompt names, in this order; what has no weight is left out.
    pub fn all_adapters(&self) -> Vec<AdapterUse> {
        let prompt = text::Prompt::parse(&self.prompt);
        let tagged = prompt.adapters().iter().map(|tag| {
            let text_encoder_weight = Some(tag.text_encoder_weight).filter(|weight| *weight != tag.unet_weight);
            AdapterUse { text_encoder_weight, ..AdapterUse::new(&tag.name, tag.unet_weight) }
        });
        self.adapters.iter().cloned().chain(tagged).filter(|adapter| adapter.weights() != AdapterWeights::from(0.0)).collect()
    }

    /// Whether guidance, if there is any, is on in a step of a run.
    pub fn guides_at(&self, step: usize, n_steps: usize) -> bool {
        let (from, to) = self.guidance_interval;
        let share = step as f64 / n_steps as f64;
        from <= share && share < to
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
