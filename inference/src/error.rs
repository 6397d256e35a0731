//! What can go wrong between a task and its pictures.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    checkpoint::Family,
    task::{MAX_CHAOS, MAX_WEIRD, Role, Setting},
};

/// What can go wrong between a task and its pictures. Each message names the file or the value, so it is for whoever runs the program; an
/// exhaustive `match` says what others are told.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// A part of the model's folder is missing.
    #[error("{path} is missing; a model folder holds model_index.json, unet/, vae/, text_encoder/, tokenizer/ and scheduler/")]
    Missing {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file cannot be read or is not what its name says.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The weights do not fit the configuration beside them.
    #[error("{path}: `{tensor}` has shape {found:?}, the model needs {expected:?}")]
    WrongShape {
        /// The weights' file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// The weights lack a tensor.
    #[error("{path} has no `{tensor}`")]
    MissingTensor {
        /// The weights' file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
    },
    /// The configuration asks for something that the engine does not have.
    #[error("{path}: {what} is not supported")]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// What it asks for.
        what: String,
    },
    /// The engine was given no model.
    #[error("no model is configured")]
    NoModels,
    /// The engine was given no device.
    #[error("no device is configured")]
    NoDevices,
    /// An adapter does not fit.
    #[error(transparent)]
    Adapter(#[from] crate::adapter::AdapterError),
    /// The device cannot be used.
    #[error("device {device}: {reason}")]
    Device {
        /// The device.
        device: String,
        /// Why not.
        reason: String,
    },
    /// A task's value is out of range.
    #[error("{0}")]
    InvalidTask(#[from] InvalidTask),
    /// A prompt asks for something out of range.
    #[error(transparent)]
    InvalidPrompt(#[from] crate::text::PromptError),
    /// A picture turned into something that is not a number.
    #[error("picture {index} became not-a-number at step {step}; try another seed or lower guidance")]
    NotANumber {
        /// Which picture.
        index: u32,
        /// Steps done.
        step: u32,
    },
    /// The tensor library failed.
    #[error("computing failed")]
    Compute(#[from] candle_core::Error),
    /// The network's code panicked.
    #[error("the network panicked: {reason}")]
    Panicked {
        /// What it said.
        reason: String,
    },
    /// A picture cannot go on from a state that was given.
    #[error(transparent)]
    State(#[from] crate::state::StateError),
    /// The task was cancelled by its handle.
    #[error("the task was cancelled")]
    Cancelled,
    /// Too many tasks wait to be taken in.
    #[error("the engine's queue is full; try again in a moment")]
    Busy,
    /// A batch failed; everyone with a row in it gets the same error.
    #[error(transparent)]
    Shared(std::sync::Arc<InferenceError>),
    /// A state that should not be: a fault of the engine that concerns one task.
    #[error("the engine is at fault: {what}")]
    Internal {
        /// What should not be.
        what: &'static str,
    },
    /// The thread of the task's device has ended; other devices go on.
    #[error("the thread of device {device} has ended")]
    DeviceEnded {
        /// The device.
        device: String,
    },
    /// The engine was dropped, or the thread of its last device has ended.
    #[error("the engine has stopped")]
    Stopped,
}

impl InferenceError {
    /// Whether the device had too little memory for the task.
    pub fn is_out_of_memory(&self) -> bool {
        let says_so = |text: String| {
            let text = text.to_lowercase();
            text.contains("out of memory") || text.contains("out_of_memory")
        };
        match self {
            Self::Shared(error) => error.is_out_of_memory(),
            Self::Compute(error) => says_so(format!("{error:?}")),
            Self::Panicked { reason } => says_so(reason.clone()),
            _ => false,
        }
    }
}

/// A setting as people say it.
fn said(setting: Setting) -> &'static str {
    match setting {
        Setting::Parts => "parts of a prompt with weights of their own (`::`)",
        Setting::Chaos => "`--chaos`",
        Setting::Weird => "`--weird`",
        Setting::Seamless => "pictures without a seam",
        Setting::ClipSkip => "skipped layers",
        Setting::NegativePrompt => "a negative prompt",
        Setting::GuidanceRescale => "rescaled guidance",
        Setting::GuidanceInterval => "guidance in a part of the steps",
        Setting::Weights => "weights of words",
        Setting::Break => "`BREAK`",
    }
}

/// Why a task is refused: which value, and what it may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTask {
    /// Steps out of range.
    #[error("steps must be 1 to {max}, not {found}")]
    Steps {
        /// The value.
        found: u32,
        /// The largest.
        max: u32,
    },
    /// Guidance out of range.
    #[error("guidance must be 0 to {max}, not {found}")]
    Guidance {
        /// The value.
        found: f64,
        /// The largest.
        max: f64,
    },
    /// Rescaling of guidance out of range.
    #[error("guidance rescale must be 0 to 1, not {0}")]
    GuidanceRescale(f64),
    /// Not an interval.
    #[error("guidance can be on from one share of the steps to a larger one, both 0 to 1, not from {from} to {to}")]
    GuidanceInterval {
        /// Where it begins.
        from: f64,
        /// Where it ends.
        to: f64,
    },
    /// A place to stop that is none.
    #[error("a picture can be stopped at {min} to 100 per cent of its steps, not at {found}")]
    StopAt {
        /// The value.
        found: u32,
        /// The smallest.
        min: u32,
    },
    /// Too many layers left out.
    #[error("clip skip must be 0 to {max}, not {found}")]
    ClipSkip {
        /// The value.
        found: u32,
        /// The largest.
        max: u32,
    },
    /// Enlargement of the second pass out of range.
    #[error("the second pass must enlarge more than 1 and at most {max} times, not {found}")]
    HiresScale {
        /// The value.
        found: f64,
        /// The largest.
        max: f64,
    },
    /// An adapter's weight out of range.
    #[error("the weight of LoRA `{name}` must be -10 to 10, not {weight}")]
    AdapterWeight {
        /// The adapter.
        name: String,
        /// The value.
        weight: f64,
    },
    /// An adapter of a network of another kind than the model's.
    #[error("the LoRA `{name}` was made for {made_for} and changes nothing of {family}; leave it out, or choose another model")]
    AdapterFamily {
        /// The adapter.
        name: String,
        /// The models that it was made for.
        made_for: Family,
        /// What the model is.
        family: Family,
    },
    /// Too many adapters.
    #[error("a picture can have at most {max} LoRAs, not {found}")]
    Adapters {
        /// How many.
        found: usize,
        /// The most.
        max: usize,
    },
    /// A prompt holds a value that cannot be used.
    #[error(transparent)]
    Prompt(#[from] crate::text::PromptError),
    /// A second pass would draw over what the mask keeps.
    #[error("a picture with a mask cannot have a second, larger pass; enlarge the finished picture instead")]
    HiresOfMask,
    /// A sampler that has no way along the lines that the model was trained on.
    #[error("the sampler {sampler} cannot draw with this model; those that can are {fitting}")]
    Sampler {
        /// The sampler.
        sampler: String,
        /// The names of those that can.
        fitting: String,
    },
    /// A model for inpainting was asked for a whole picture.
    #[error("this model only fills in masked parts of a picture; give a picture and a mask, or choose another model")]
    NeedsMask,
    /// A picture without edges was asked of a model that has no convolutions to go round them.
    #[error("this model's pictures cannot be laid side by side without a seam; leave that out, or choose another model")]
    Seamless,
    /// Parts of the prompt, chaos or weirdness were asked of a model that makes nothing of them.
    #[error("this model cannot be asked for {}; leave that out, or choose another model", said(*setting))]
    Unread {
        /// What was asked for.
        setting: Setting,
    },
    /// Too much chaos.
    #[error("chaos must be 0 to {MAX_CHAOS}, not {0}")]
    Chaos(u32),
    /// Too much weirdness.
    #[error("weird must be 0 to {MAX_WEIRD}, not {0}")]
    Weird(u32),
    /// Strength out of range.
    #[error("strength must be above 0 and at most 1, not {0}")]
    Strength(f64),
    /// Too many or no pictures.
    #[error("the number of pictures must be 1 to {max}, not {found}")]
    Count {
        /// The value.
        found: u32,
        /// The largest.
        max: u32,
    },
    /// Not a size that the model can draw.
    #[error("{width}×{height} cannot be drawn: sides must be multiples of {multiple} from {min} to {max}")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Sides must be a multiple of this.
        multiple: u32,
        /// Smallest side.
        min: u32,
        /// Largest side.
        max: u32,
    },
    /// No or too many passes of an enlargement.
    #[error("a picture can be enlarged in 1 to {max} passes, not {found}")]
    Passes {
        /// The value.
        found: u32,
        /// The most.
        max: u32,
    },
    /// The task has a picture of a role that its kind has no use for.
    #[error("no picture can be given as `{role}` here")]
    InputUnused {
        /// The role.
        role: Role,
    },
    /// The task lacks a picture of a role, or has several.
    #[error("one picture must be given as `{role}`, not {found}")]
    InputCount {
        /// The role.
        role: Role,
        /// How many it has.
        found: usize,
    },
    /// The submission lacks the pixels of an input, or has them in another size or without (or, for a mask, with) colours.
    #[error("the picture given as `{role}` is missing or not {width}×{height}")]
    Pixels {
        /// The input's role.
        role: Role,
        /// Width that the task says.
        width: u32,
        /// Height that the task says.
        height: u32,
    },
    /// No model of that name.
    #[error("there is no model `{found}`; there are {known}")]
    UnknownModel {
        /// The name.
        found: String,
        /// Those that there are.
        known: String,
    },
    /// No adapter of that name.
    #[error("there is no LoRA `{found}`; {known}")]
    UnknownAdapter {
        /// The name.
        found: String,
        /// Those that there are, as a clause.
        known: String,
    },
    /// The model of that name was there, and is not any more.
    #[error("the model `{name}` is no longer there")]
    ModelGone {
        /// The name.
        name: String,
    },
    /// The model of that name was changed and cannot be used.
    #[error("the model `{name}` cannot be used now")]
    ModelFaulty {
        /// The name.
        name: String,
    },
    /// The adapter of that name was there, and is not any more.
    #[error("the LoRA `{name}` is no longer there")]
    AdapterGone {
        /// The name.
        name: String,
    },
    /// Something that the task needs at once is larger than the memory that models may take.
    #[error("what is needed at once takes {needed_mib} MiB, and models may take {memory_mib} MiB")]
    Memory {
        /// Mebibytes of the largest part.
        needed_mib: u64,
        /// Mebibytes that models may take.
        memory_mib: u64,
    },
    /// No super-resolution network is loaded.
    #[error("no super-resolution network is loaded")]
    NoUpscaler,
}
