//! The engine's handle: a channel to the device thread, which owns the weights and drives every picture.

mod counters;
mod device;
mod handle;
mod known;
mod store;
mod submission;

use std::path::PathBuf;

use image::RgbImage;

pub(crate) use self::counters::{Counters, Meter};
pub use self::handle::{Engine, TaskHandle};
pub(crate) use self::known::Known;
pub use self::known::{check_model, is_model};
#[cfg(test)]
pub(crate) use self::store::{Ready, Store};
pub use self::submission::Submission;
use crate::{
    checkpoint::OtherParts,
    error::InferenceError,
    sampler::Sampler,
    schedule::{Prediction, ScheduleKind},
    state::TrajectoryState,
    task::{ImageSize, Note, Seed},
};

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The processor.
    Cpu,
    /// The n-th CUDA device; needs the `cuda` feature.
    Cuda(usize),
}

/// The type of the weights and activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16; on the processor it is widened to 32 bits.
    Bf16,
    /// 16-bit floats; on the processor they are widened to 32 bits.
    F16,
}

/// What the engine loads and how it runs.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The models that tasks may name, at least one; a task that names none gets the first.
    pub models: Vec<ModelEntry>,
    /// Adapters (LoRA and its kin) that tasks and prompts may name.
    pub adapters: Vec<NamedFile>,
    /// Textual inversions: the words that stand for them in prompts.
    pub embeddings: Vec<NamedFile>,
    /// Most models (counting each set of adapters on a model) in memory at once; the least recently used goes.
    pub max_loaded_models: usize,
    /// A super-resolution network (`.safetensors`), if there is one.
    pub upscaler: Option<PathBuf>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Type of weights and activations.
    pub precision: Precision,
    /// Most network rows in one batch (a guided picture takes two).
    pub max_batch_rows: usize,
    /// A preview every so many steps; 0 for none.
    pub preview_every: u32,
}

/// A model that tasks may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name that tasks use.
    pub name: String,
    /// A folder in the diffusers layout, or a single `.safetensors` file.
    pub path: PathBuf,
    /// Another VAE than the model's own: a file or a folder.
    pub vae: Option<PathBuf>,
    /// Where the parts are that a file with a transformer alone lacks.
    pub others: OtherParts,
    /// What its network predicts, where its files say nothing or the wrong thing.
    pub prediction: Option<Prediction>,
}

/// A file and the name that tasks use for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// Where the name that somebody says is among those that there are. Older versions wrote a name's spaces as underscores, and tasks of theirs are kept.
pub fn position_of<'a>(names: impl Iterator<Item = &'a str> + Clone, said: &str) -> Option<usize> {
    let is_older = |name: &str| name.contains(char::is_whitespace) && name.replace(char::is_whitespace, "_") == said;
    names.clone().position(|name| name == said).or_else(|| names.clone().position(is_older))
}

/// What a model is and what suits it.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// The name that tasks use.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The sampler that its own configuration names.
    pub sampler: Sampler,
    /// The schedule that its own configuration names.
    pub schedule: ScheduleKind,
    /// Whether its text encoder is OpenAI's CLIP alone, as in Stable Diffusion 1; other programs leave out layers of no other.
    pub is_clip_alone: bool,
    /// What the network predicts.
    pub prediction: Prediction,
    /// What says so, for people.
    pub prediction_said_by: String,
    /// The size that the model was trained at.
    pub native_size: ImageSize,
    /// Widths and heights must be a multiple of this: the VAE's factor.
    pub size_multiple: u32,
    /// Widths and heights that every level of the U-Net halves evenly are multiples of this; they suit it best.
    pub even_multiple: u32,
    /// Longest side in pixels.
    pub max_side: u32,
    /// Enlargement of the super-resolution network, if one is loaded.
    pub upscale_factor: Option<u32>,
    /// Network parameters, all parts together.
    pub n_parameters: u64,
    /// For people, such as `cpu (f32)`.
    pub device: String,
}

/// What the engine tells about a task while it runs. Exactly one of `Done` and `Failed` comes last, unless the task was dropped.
#[derive(Clone, Debug)]
pub enum Event {
    /// The task's model, or its set of adapters, is not in memory and is being loaded; steps come after it.
    Loading,
    /// What the person who asked should know of adapters and learned words; before the first step, and only if there is something.
    Notes(Vec<Note>),
    /// Steps done, all pictures together.
    Progress(Progress),
    /// What picture `index` looks like after `step` steps: the estimate of its end, one pixel a latent.
    Preview {
        /// Which picture of the task.
        index: u32,
        /// Steps done for it.
        step: u32,
        /// Width and height are the latents'.
        image: RgbImage,
    },
    /// A picture at a border between two steps, for [`Submission::resume`]. Some may be missing when the reader is slow.
    Checkpoint {
        /// Which picture of the task.
        index: u32,
        /// Everything that it needs to go on.
        state: Box<TrajectoryState>,
    },
    /// A finished picture.
    Image(FinishedImage),
    /// All pictures were sent.
    Done(Usage),
    /// The task cannot be finished; pictures sent before stay good.
    Failed(std::sync::Arc<InferenceError>),
}

/// Steps done by all pictures of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub total: u32,
}

/// A finished picture and the seed that it was drawn from.
#[derive(Clone, Debug)]
pub struct FinishedImage {
    /// Which picture of the task.
    pub index: u32,
    /// `task.seed + index`.
    pub seed: Seed,
    /// The picture.
    pub image: RgbImage,
}

/// What a task really cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Network rows run × megapixels (the unit of quotas).
    pub row_megapixels: f64,
}

/// What the device thread has done since it started; for `/info`, tests and benchmarks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// U-Net calls.
    pub n_network_calls: u64,
    /// Rows in those calls.
    pub n_network_rows: u64,
    /// Pictures on their way now.
    pub n_active: u64,
}
