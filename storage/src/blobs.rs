//! Where the bytes of pictures are.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{error::StorageError, ids::BlobKey};

/// Bytes by the hash of their content.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores bytes durably; the key is their SHA-256.
    async fn put(&self, bytes: Bytes) -> Result<BlobKey, StorageError>;
    /// The bytes of a key.
    async fn get(&self, key: &BlobKey) -> Result<Bytes, StorageError>;
    /// Removes a blob; missing is fine.
    async fn delete(&self, key: &BlobKey) -> Result<(), StorageError>;
}
