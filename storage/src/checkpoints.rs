//! Pictures on their way, kept so that whoever works on their job next goes on from there.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{error::StorageError, jobs::*};

/// A picture on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which picture of its job.
    pub index: u32,
    /// Steps of the picture that are done.
    pub n_steps: u32,
    /// Everything that it needs to go on; only the engine reads it.
    pub state: Bytes,
}

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointLimits {
    /// Most bytes of one state.
    pub max_bytes: u64,
    /// Most bytes of all that are kept, of all jobs.
    pub max_bytes_in_all: u64,
}

/// The answer to a worker who keeps states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whether the lease still holds; of a job that is to stop nothing is kept either.
    pub written: Written,
    /// How many were too large; of those pictures the states from before stay.
    pub n_left_out: u32,
}

/// Where pictures go on after a kill or an orderly end, see [`Lease::checkpoints`].
#[async_trait]
pub trait Checkpoints: Send + Sync + 'static {
    /// Replaces what is kept of these pictures, all in one transaction. Nothing is kept of a picture that is recorded, nor of a job that ended.
    async fn keep(&self, lease: &Lease, checkpoints: &[Checkpoint], limits: &CheckpointLimits) -> Result<Kept, StorageError>;
}
