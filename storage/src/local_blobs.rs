//! The blob store of a single machine: a folder of files named by the hash of their bytes.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, local::LocalFileSystem};
use sha2::{Digest, Sha256};

use crate::{
    blobs::BlobStore,
    error::StorageError,
    ids::{BlobKey, Timestamp},
};

/// Marks: an empty file a key, as old as the mark.
const MARKS: &str = "unnamed";
/// What is being removed is here for a moment.
const LEAVING: &str = "leaving";

/// Blobs in a local folder, as `<first two digits>/<key>`. A `put` returns when file and folder are on the disk.
#[derive(Debug)]
pub struct LocalBlobs {
    store: LocalFileSystem,
    dir: PathBuf,
}

impl LocalBlobs {
    /// Opens a folder and makes it if it is missing.
    ///
    /// # Errors
    /// [`StorageError::BlobFolder`] if it cannot be made.
    pub fn open(dir: &Path) -> Result<Self, StorageError> {
        fs::create_dir_all(dir).map_err(|source| StorageError::BlobFolder { path: dir.to_owned(), source })?;
        Ok(Self { store: LocalFileSystem::new_with_prefix(dir)?.with_fsync(true), dir: dir.to_owned() })
    }

    /// Removes what puts that were killed left behind, and takes back what a killed [`collect`](BlobStore::collect) had in its hands. Only for
    /// the one process that writes here, before its first put. Returns how many files were in the way.
    ///
    /// # Errors
    /// [`StorageError::Blobs`] if the folder cannot be read or changed.
    pub async fn recover(&self) -> Result<u32, StorageError> {
        self.on_disk(|dir| {
            let mut n_files = 0;
            for first in 0..=u8::MAX {
                let folder = dir.join(format!("{first:02x}"));
                for name in names(&folder)?.iter().filter(|name| is_unfinished(name)) {
                    fs::remove_file(folder.join(name))?;
                    n_files += 1;
                }
            }
            for name in names(&dir.join(LEAVING))? {
                let Ok(key) = BlobKey::parse(&name) else { continue };
                give_back(dir, &key)?;
                n_files += 1;
            }
            Ok(n_files)
        })
        .await
    }

    /// Runs what blocks on a thread for that.
    async fn on_disk<T: Send + 'static>(&self, work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static) -> Result<T, StorageError> {
        let dir = self.dir.clone();
        let done = tokio::task::spawn_blocking(move || work(&dir)).await.map_err(|source| Error::JoinError { source })?;
        Ok(done.map_err(|error| Error::Generic { store: "local", source: Box::new(error) })?)
    }
}

#[async_trait]
impl BlobStore for LocalBlobs {
    async fn put(&self, bytes: Bytes) -> Result<BlobKey, StorageError> {
        let size_bytes = bytes.len() as u64;
        let hashed = bytes.clone();
        let key = self
            .on_disk(move |dir| {
                let key = key_of(&hashed);
                // First, so that a collect that looks again sees that the blob is wanted, or else has taken it away before we look for it.
                or_missing(fs::remove_file(mark_of(dir, &key)))?;
                Ok(key)
            })
            .await?;
        let path = path_of(&key);
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path, PutPayload::from_bytes(bytes.clone()), create).await {
            Err(Error::AlreadyExists { .. }) if self.store.head(&path).await.is_ok_and(|found| found.size == size_bytes) => {}
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

    async fn has(&self, key: &BlobKey) -> Result<bool, StorageError> {
        match self.store.head(&path_of(key)).await {
            Err(Error::NotFound { .. }) => Ok(false),
            found => Ok(found.map(|_| true)?),
        }
    }

    async fn list(&self, first: u8) -> Result<Vec<BlobKey>, StorageError> {
        self.on_disk(move |dir| {
            let names = names(&dir.join(format!("{first:02x}")))?;
            Ok(names.iter().filter_map(|name| BlobKey::parse(name).ok()).collect())
        })
        .await
    }

    async fn mark(&self, key: &BlobKey, now: Timestamp) -> Result<(), StorageError> {
        let key = key.clone();
        self.on_disk(move |dir| {
            fs::create_dir_all(dir.join(MARKS))?;
            match fs::File::create_new(mark_of(dir, &key)) {
                Ok(file) => file.set_modified(to_system(now)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn unmark(&self, key: &BlobKey) -> Result<(), StorageError> {
        let key = key.clone();
        self.on_disk(move |dir| or_missing(fs::remove_file(mark_of(dir, &key))).map(drop)).await
    }

    async fn marks(&self) -> Result<Vec<(BlobKey, Timestamp)>, StorageError> {
        self.on_disk(|dir| {
            let keys = names(&dir.join(MARKS))?.into_iter().filter_map(|name| BlobKey::parse(&name).ok());
            let dated = keys.map(|key| Ok(marked_at(dir, &key)?.map(|since| (key, since))));
            dated.filter_map(Result::transpose).collect()
        })
        .await
    }

    async fn collect(&self, key: &BlobKey, before: Timestamp) -> Result<bool, StorageError> {
        let key = key.clone();
        self.on_disk(move |dir| {
            let is_marked = || marked_at(dir, &key).map(|since| since.is_some_and(|since| since <= before));
            if !is_marked()? {
                return Ok(false);
            }
            fs::create_dir_all(dir.join(LEAVING))?;
            or_missing(fs::rename(file_of(dir, &key), leaving_of(dir, &key)))?;
            // A put takes the mark away before it looks for the file: either we see that, or it sees that the file is gone.
            if !is_marked()? {
                give_back(dir, &key)?;
                return Ok(false);
            }
            or_missing(fs::remove_file(leaving_of(dir, &key)))?;
            or_missing(fs::remove_file(mark_of(dir, &key)))?;
            Ok(true)
        })
        .await
    }
}

/// Puts a file back that was to be removed, unless it was written anew.
fn give_back(dir: &Path, key: &BlobKey) -> io::Result<()> {
    or_missing(fs::rename(leaving_of(dir, key), file_of(dir, key))).map(drop)
}

/// When a blob was marked, if it is.
fn marked_at(dir: &Path, key: &BlobKey) -> io::Result<Option<Timestamp>> {
    let Some(metadata) = or_missing(fs::metadata(mark_of(dir, key)))? else { return Ok(None) };
    let since = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(Some(Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))))
}

/// Names of the files in a folder; none where there is no folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let Some(files) = or_missing(fs::read_dir(folder))? else { return Ok(Vec::new()) };
    files.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect()
}

/// As `object_store` calls a file until it is whole: its name, `#` and a number.
fn is_unfinished(name: &str) -> bool {
    name.split_once('#').is_some_and(|(key, number)| BlobKey::parse(key).is_ok() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn or_missing<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

fn to_system(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(time.0).unwrap_or(0))
}

fn key_of(bytes: &[u8]) -> BlobKey {
    BlobKey::of_digest(Sha256::digest(bytes).into())
}

fn path_of(key: &BlobKey) -> object_store::path::Path {
    object_store::path::Path::from_iter([&key.as_str()[..2], key.as_str()])
}

fn file_of(dir: &Path, key: &BlobKey) -> PathBuf {
    dir.join(&key.as_str()[..2]).join(key.as_str())
}

fn mark_of(dir: &Path, key: &BlobKey) -> PathBuf {
    dir.join(MARKS).join(key.as_str())
}

fn leaving_of(dir: &Path, key: &BlobKey) -> PathBuf {
    dir.join(LEAVING).join(key.as_str())
}
