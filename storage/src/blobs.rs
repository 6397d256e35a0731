//! Where the bytes of pictures are.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::StorageError,
    ids::{BlobKey, Timestamp},
};

/// Bytes by the hash of their content.
///
/// Nothing is removed at once. A blob that nothing names is *marked*; a put of the same bytes takes the mark away; [`collect`](Self::collect)
/// removes what has been marked for long enough. So whoever puts a blob and then records it (within that time) finds it there, whatever was
/// deleted meanwhile.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores bytes durably and takes the mark away, if there is one; the key is their SHA-256.
    async fn put(&self, bytes: Bytes) -> Result<BlobKey, StorageError>;
    /// The bytes of a key, marked or not.
    async fn get(&self, key: &BlobKey) -> Result<Bytes, StorageError>;
    /// Whether there is a blob of this key.
    async fn has(&self, key: &BlobKey) -> Result<bool, StorageError>;
    /// The keys that begin with this byte; every blob has its place in one of 256 such lists.
    async fn list(&self, first: u8) -> Result<Vec<BlobKey>, StorageError>;
    /// Marks a blob; one that is marked keeps the time of its mark.
    async fn mark(&self, key: &BlobKey, now: Timestamp) -> Result<(), StorageError>;
    /// Takes a mark away.
    async fn unmark(&self, key: &BlobKey) -> Result<(), StorageError>;
    /// All marks, and since when they are there.
    async fn marks(&self) -> Result<Vec<(BlobKey, Timestamp)>, StorageError>;
    /// Removes a blob with its mark if it has one of this time or an earlier one; `false` where that is not so, or not any more.
    async fn collect(&self, key: &BlobKey, before: Timestamp) -> Result<bool, StorageError>;
}
