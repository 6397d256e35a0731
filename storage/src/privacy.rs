//! All that is kept of a person, and its end.

use async_trait::async_trait;

use crate::{error::StorageError, ids::*};

/// What became of a wish to delete everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// It is gone; these blobs are named by nothing any more.
    Gone(Vec<BlobKey>),
    /// So many jobs of theirs have not ended, or are still being told: nothing was changed.
    StillAtWork(u32),
}

/// What is kept of persons.
#[async_trait]
pub trait Privacy: Send + Sync + 'static {
    /// Everything that names a person, as JSON: an object with a list of rows for each kind. The newest `n` jobs, with their tasks and pictures.
    async fn person(&self, user: UserId, n: u32) -> Result<serde_json::Value, StorageError>;
    /// The jobs of a person that have not ended.
    async fn open_jobs(&self, user: UserId) -> Result<Vec<JobId>, StorageError>;
    /// Deletes everything that names a person, but that they are banned and, until its end, what they have used this month. Of their jobs nothing
    /// stays but what they cost, as nobody's.
    async fn erase(&self, user: UserId, now: Timestamp) -> Result<Erased, StorageError>;
    /// Makes what persons whose data were deleted had used before this month nobody's; how many of them were seen to.
    async fn forget_erased(&self, now: Timestamp) -> Result<u32, StorageError>;
    /// Writes the database anew, so that nothing that was deleted stands in its files; `false` where somebody read for so long that a part of it
    /// stays in the log until it is written over.
    ///
    /// # Errors
    /// There is no room for that; what was deleted stays deleted.
    async fn scrub(&self) -> Result<bool, StorageError>;
}
