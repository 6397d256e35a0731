//! The blob store of a single machine: a folder of files named by the hash of their bytes.

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, local::LocalFileSystem};
use sha2::{Digest, Sha256};

use crate::{blobs::BlobStore, error::StorageError, ids::BlobKey};

/// Blobs in a local folder, as `<first two digits>/<key>`. A `put` returns when file and folder are on the disk.
#[derive(Debug)]
pub struct LocalBlobs {
    store: LocalFileSystem,
}

impl LocalBlobs {
    /// Opens a folder and makes it if it is missing.
    ///
    /// # Errors
    /// [`StorageError::BlobFolder`] if it cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StorageError> {
        std::fs::create_dir_all(dir).map_err(|source| StorageError::BlobFolder { path: dir.to_owned(), source })?;
        Ok(Self { store: LocalFileSystem::new_with_prefix(dir)?.with_fsync(true) })
    }
}

#[async_trait]
impl BlobStore for LocalBlobs {
    async fn put(&self, bytes: Bytes) -> Result<BlobKey, StorageError> {
        let size_bytes = bytes.len() as u64;
        let hashed = bytes.clone();
        let key = tokio::task::spawn_blocking(move || key_of(&hashed)).await.map_err(|source| Error::JoinError { source })?;
        let path = path_of(&key);
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path, PutPayload::from_bytes(bytes.clone()), create).await {
            Err(Error::AlreadyExists { .. }) if self.store.head(&path).await?.size == size_bytes => {}
            // Another length under this hash is a damaged file; the right bytes are in our hands.
            Err(Error::AlreadyExists { .. }) => {
                self.store.put(&path, PutPayload::from_bytes(bytes)).await?;
            }
            other => {
                other?;
            }
        }
        Ok(key)
    }

    async fn get(&self, key: &BlobKey) -> Result<Bytes, StorageError> {
        match self.store.get(&path_of(key)).await {
            Err(Error::NotFound { .. }) => Err(StorageError::MissingBlob(key.to_string())),
            found => Ok(found?.bytes().await?),
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), StorageError> {
        match self.store.delete(&path_of(key)).await {
            Err(Error::NotFound { .. }) => Ok(()),
            other => Ok(other?),
        }
    }
}

fn key_of(bytes: &[u8]) -> BlobKey {
    BlobKey::of_digest(Sha256::digest(bytes).into())
}

fn path_of(key: &BlobKey) -> object_store::path::Path {
    object_store::path::Path::from_iter([&key.as_str()[..2], key.as_str()])
}
