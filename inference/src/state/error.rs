//! Why a state cannot be gone on with.

use super::DeviceClass;

/// Why a state cannot be gone on with. Its task can always be drawn from the beginning.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The bytes are not those that were written.
    #[error("the state is damaged: {what}")]
    Damaged {
        /// Where it shows.
        what: &'static str,
    },
    /// More bytes than any state has.
    #[error("a state has at most {max} bytes, not {found}")]
    TooLarge {
        /// How many.
        found: usize,
        /// The most.
        max: usize,
    },
    /// It was written by another version of the program.
    #[error("the state is of format {found}; this version reads format {here}")]
    Format {
        /// Its format.
        found: u32,
        /// The format of this version.
        here: u32,
    },
    /// The engine computes other numbers than when it was saved.
    #[error("the state is of an engine whose numbers are of version {found}; here they are of version {here}")]
    Numbers {
        /// Its version.
        found: u32,
        /// The version of this engine.
        here: u32,
    },
    /// It was computed on a device of another class.
    #[error("the state was computed on {found}; this is {here}")]
    Device {
        /// Its device.
        found: Box<DeviceClass>,
        /// The device here.
        here: Box<DeviceClass>,
    },
    /// The model, an adapter or a learned word is another one, or has other files.
    #[error("the state was computed with other files of the model, its adapters or its words")]
    Model,
    /// The task or the picture that it starts from is another one.
    #[error("the state is of another task")]
    Task,
    /// The task has no such picture, or one of another seed.
    #[error("the state is of picture {index} with seed {seed}, which the task does not have")]
    Picture {
        /// Which picture.
        index: u32,
        /// Its seed.
        seed: u64,
    },
    /// There are two of the same picture, or one of a finished picture.
    #[error("picture {index} has more than one state, or is finished")]
    Twice {
        /// Which picture.
        index: u32,
    },
    /// Its step or the shape of its latents is none of its pass.
    #[error("the state is of step {step} with latents {shape:?}, which its pass does not have")]
    Place {
        /// Its step.
        step: u32,
        /// The shape of its latents.
        shape: Vec<usize>,
    },
    /// The files of the model cannot be read.
    #[error("the model's files cannot be read: {kind}")]
    Files {
        /// What went wrong.
        kind: std::io::ErrorKind,
    },
}
