//! The engine's handle: a channel to the device thread, which owns the weights and drives every picture.

mod counters;
mod device;
mod handle;
mod store;
mod submission;

use image::RgbImage;

pub(crate) use self::counters::{Counters, Meter};
pub use self::handle::{Engine, TaskHandle};
#[cfg(test)]
pub(crate) use self::store::{Ready, Store};
pub use self::submission::Submission;
use crate::{
    error::InferenceError,
    state::TrajectoryState,
    task::{Note, Seed},
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

/// How the engine runs.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Most models (counting each set of adapters on a model) in memory at once; the least recently used goes.
    pub max_loaded_models: usize,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Type of weights and activations.
    pub precision: Precision,
    /// Most network rows in one batch (a guided picture takes two).
    pub max_batch_rows: usize,
    /// A preview every so many steps; 0 for none.
    pub preview_every: u32,
}

impl EngineConfig {
    /// Bytes that a number of a weight takes in memory.
    pub fn bytes_per_number(&self) -> u64 {
        device::dtype(self).0.size_in_bytes() as u64
    }

    /// Whether the device can be used, without loading anything; its name for people, such as `cpu (f32)`.
    ///
    /// # Errors
    /// `Device`, with the reason.
    pub fn check_device(&self) -> Result<String, InferenceError> {
        device::open(self.device).map(|_| device::name(self))
    }
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
