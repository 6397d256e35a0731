//! Pictures that were handed out before their end, and what they go on from.

use async_trait::async_trait;

use crate::{
    error::StorageError,
    ids::{BlobKey, JobId, Timestamp},
    jobs::{Lease, Written},
};

/// What a picture that was handed out before its end goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptState {
    /// Which picture of its job.
    pub index: u32,
    /// Its state, opaque to storage.
    pub blob: BlobKey,
    /// Bytes of that.
    pub n_bytes: u64,
    /// Steps of the picture that are done.
    pub done: u32,
    /// Steps that it has in all.
    pub total: u32,
}

/// States of pictures that were handed out before their end.
#[async_trait]
pub trait States: Send + Sync + 'static {
    /// Keeps the state of a picture of a job that is not done yet, in the place of an earlier one.
    async fn keep_state(&self, lease: &Lease, state: &KeptState, now: Timestamp) -> Result<Written, StorageError>;
    /// What is kept of a job, by index.
    async fn states(&self, job: JobId) -> Result<Vec<KeptState>, StorageError>;
    /// Forgets the states of jobs, all of a job together, that were kept before a time or are the oldest beyond so many bytes in all; those of a job
    /// that a job which waits or runs comes from stay. Returns the blobs that nothing names any more.
    async fn forget_states(&self, before: Timestamp, max_bytes: u64) -> Result<Vec<BlobKey>, StorageError>;
}
