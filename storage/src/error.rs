//! What can go wrong in storage.

use std::path::PathBuf;

/// What can go wrong in storage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Not a SHA-256 in hexadecimal.
    #[error("`{0}` is not a blob key")]
    BadBlobKey(String),
    /// No blob of that key.
    #[error("the picture {0} is not in the store any more")]
    MissingBlob(String),
    /// The database file or its folder cannot be written.
    #[error("cannot write the database {path}: it is read-only")]
    ReadOnly {
        /// The database file.
        path: PathBuf,
    },
    /// Another process has the database.
    #[error("the database {path} is in use by another atelier process")]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The schema comes from a later version.
    #[error("the database {path} was written by a newer version of atelier (schema {found}, this program knows {known}); update the program")]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// Schema version found.
        found: i64,
        /// Latest version known.
        known: i64,
    },
    /// No space left.
    #[error("the disk is full")]
    DiskFull,
    /// The SQLite library is one with a known corruption fault.
    #[error("SQLite {0} is too old: 3.51.3 or newer is needed")]
    OldSqlite(String),
    /// The database refused a statement.
    #[error("database")]
    Database(#[source] sqlx::Error),
    /// The blob store failed.
    #[error("blob store")]
    Blobs(#[source] object_store::Error),
    /// A stored value cannot be read.
    #[error("the stored {what} of job {job} cannot be read")]
    Corrupt {
        /// Which value.
        what: &'static str,
        /// Which job.
        job: String,
    },
}
