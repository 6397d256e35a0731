//! What can go wrong in storage.

use std::path::PathBuf;

/// What can go wrong in storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Not a SHA-256 in hexadecimal.
    #[error("`{0}` is not a blob key")]
    BadBlobKey(String),
    /// Not a time zone.
    #[error("`{0}` is not a time zone, such as Europe/Berlin")]
    UnknownZone(String),
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
    #[error(
        "the database {path} was written by a newer version of atelier (schema {found}, this program knows {known}); update the program"
    )]
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
    /// The file is there, but it is something else.
    #[error("{path} is not a database of atelier")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database or its folder cannot be made or opened.
    #[error("cannot open the database {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The schema cannot be brought up to date.
    #[error("cannot bring the database up to date")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// Others wrote in the same transaction, which failed.
    #[error("a write was undone with those beside it")]
    Undone,
    /// The database refused a statement.
    #[error("database")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder of the blob store cannot be made.
    #[error("cannot make the folder {path}")]
    BlobFolder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The blob store failed.
    #[error("blob store")]
    Blobs(#[source] object_store::Error),
    /// No job of that id.
    #[error("there is no job {0}")]
    MissingJob(String),
    /// Only a job that has ended can be deleted.
    #[error("job {0} has not ended yet")]
    NotFinal(String),
    /// A stored value cannot be read.
    #[error("the stored {what} of job {job} cannot be read")]
    Corrupt {
        /// Which value.
        what: &'static str,
        /// Which job.
        job: String,
    },
}

impl StorageError {
    /// Whether the same call may work later without a person's or a program's change to what is stored: the disk is full or read-only, or
    /// somebody else has the database.
    pub fn may_pass(&self) -> bool {
        const BUSY: i32 = 5;
        const LOCKED: i32 = 6;
        const READ_ONLY: i32 = 8;
        const IO: i32 = 10;
        const CANNOT_OPEN: i32 = 14;
        match self {
            Self::DiskFull | Self::Undone | Self::InUse { .. } | Self::ReadOnly { .. } => true,
            Self::Database(error) => matches!(code_of(&**error), Some(BUSY | LOCKED | READ_ONLY | IO | CANNOT_OPEN)),
            _ => false,
        }
    }

    fn of_database(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        const FULL: i32 = 13;
        if code_of(&source) == Some(FULL) { Self::DiskFull } else { Self::Database(source.into()) }
    }

    pub(crate) fn corrupt(what: &'static str, job: impl std::fmt::Display) -> Self {
        Self::Corrupt { what, job: job.to_string() }
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(source: sqlx::Error) -> Self {
        Self::of_database(source)
    }
}

impl From<rusqlite::Error> for StorageError {
    fn from(source: rusqlite::Error) -> Self {
        Self::of_database(source)
    }
}

impl From<object_store::Error> for StorageError {
    fn from(source: object_store::Error) -> Self {
        if is_disk_full(&source) { Self::DiskFull } else { Self::Blobs(source) }
    }
}

/// SQLite's primary result code.
pub(crate) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// SQLite's primary result code in an error of either of its libraries.
fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let of_rusqlite = || Some(error.downcast_ref::<rusqlite::Error>()?.sqlite_error()?.extended_code & 0xff);
    error.downcast_ref().and_then(sqlite_code).or_else(of_rusqlite)
}

fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut kinds = causes.filter_map(|error| error.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    kinds.any(|kind| matches!(kind, std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
}
