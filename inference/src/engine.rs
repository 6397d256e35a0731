//! The engine's handle: channels to the device threads, each of which owns weights and drives the pictures of its tasks.

mod counters;
mod device;
mod explained;
mod handle;
mod loader;
mod loading;
mod memory;
mod message;
mod needs;
mod placement;
mod pulse;
mod residency;
mod router;
mod store;
mod submission;
mod worker;

use std::fmt;

use image::RgbImage;

pub(crate) use self::counters::{Counters, Meter};
pub use self::handle::{Engine, Held, TaskHandle};
#[cfg(test)]
pub(crate) use self::store::{Ready, TestStore};
pub use self::{
    explained::{EXPLAINED_SIDE, Explained, Glimpse, WordMap},
    pulse::{Beat, Pulse},
    submission::Submission,
};
use crate::{
    error::InferenceError,
    state::{DeviceClass, TrajectoryState},
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

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
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
    /// Most bytes that models may take on each device: parts that were not used for the longest time go. `None`: three quarters of what the
    /// device has.
    pub memory_bytes: Option<u64>,
    /// Where to compute, at least one: each has a thread of its own, and a task runs on one of them.
    pub devices: Vec<DeviceChoice>,
    /// Type of weights and activations.
    pub precision: Precision,
    /// Most network rows in one batch (a guided picture takes two).
    pub max_batch_rows: usize,
    /// A preview every so many steps; 0 for none.
    pub preview_every: u32,
}

impl Default for EngineConfig {
    /// The processor in float32 with three quarters of its memory, up to 16 rows a batch and no previews.
    fn default() -> Self {
        Self { memory_bytes: None, devices: vec![DeviceChoice::Cpu], precision: Precision::F32, max_batch_rows: 16, preview_every: 0 }
    }
}

impl EngineConfig {
    /// Bytes that a number of a weight takes in memory, on the device where it takes most.
    pub fn bytes_per_number(&self) -> u64 {
        let bytes = |&choice: &DeviceChoice| placement::dtype(choice, self.precision).0.size_in_bytes() as u64;
        self.devices.iter().map(bytes).max().unwrap_or(4)
    }

    /// Devices that are the same one.
    fn n_alike(&self, choice: DeviceChoice) -> usize {
        self.devices.iter().filter(|&&other| other == choice).count()
    }

    /// Whether the devices can be used, without loading anything; their names for people, such as `cpu (f32)`.
    ///
    /// # Errors
    /// `NoDevices`, or `Device` with the reason.
    pub fn check_devices(&self) -> Result<String, InferenceError> {
        if self.devices.is_empty() {
            return Err(InferenceError::NoDevices);
        }
        self.devices.iter().try_for_each(|&choice| placement::open(choice).map(drop))?;
        Ok(placement::names(&self.devices, self.precision))
    }
}

/// What the engine tells about a task while it runs. Exactly one of `Done` and `Failed` comes last, unless the task was dropped.
#[derive(Clone, Debug)]
pub enum Event {
    /// The task's model, or an adapter of it, is not in memory and is being loaded; steps come after it.
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

/// Steps done, of all pictures of a task together unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: u32,
    /// Steps in all. Those that pictures are stopped or left out before are taken off.
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
    /// Where it was stopped, for one that is not drawn to its end: it shows what its end would have been, as far as could be told by then.
    pub stopped: Option<Box<Stopped>>,
    /// What the network gave at each of its steps, all passes together, in one number each: on the same class of device the same picture has the same
    /// ones. 0 where that is not known: the step was made before the picture went on from a state. Empty for what is only enlarged.
    pub digests: Vec<u64>,
    /// Where its numbers were computed.
    pub device_class: DeviceClass,
    /// How it came from noise: of the first picture of a study.
    pub explained: Option<Box<Explained>>,
}

/// A picture that was handed out before its end.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Its own steps, all passes together.
    pub progress: Progress,
    /// What it goes on from; `None` for what is only enlarged, or where the files of the model cannot be read any more.
    pub state: Option<TrajectoryState>,
}

/// What a task really cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Network rows run × megapixels (the unit of quotas).
    pub row_megapixels: f64,
}

/// What the device threads have done since they started; for `/info`, tests and benchmarks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// U-Net calls.
    pub n_network_calls: u64,
    /// Rows in those calls.
    pub n_network_rows: u64,
    /// Pictures on their way now.
    pub n_active: u64,
}
