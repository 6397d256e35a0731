//! Pictures that people marked.

use async_trait::async_trait;

use crate::{
    error::StorageError,
    ids::{GuildId, JobId, Timestamp, UserId},
};

/// Marks of one person at most, so that all of them can be read for a page.
pub const MAX_FAVOURITES: u32 = 1000;

/// A marked picture, and what says who may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Favourite {
    /// Its job.
    pub job: JobId,
    /// Which picture of the job.
    pub index: u32,
    /// When it was marked.
    pub marked: Timestamp,
    /// The guild that paid for the job.
    pub guild: GuildId,
    /// Who asked for the job.
    pub user: UserId,
    /// Where that was.
    pub channel: u64,
}

/// What a mark came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is marked, whether it was before or not.
    Yes,
    /// There is no such picture of a done job that is kept.
    NoPicture,
    /// The person has [`MAX_FAVOURITES`] already.
    TooMany,
}

/// Pictures that people marked.
#[async_trait]
pub trait Favourites: Send + Sync + 'static {
    /// Marks a picture of a done job for a person.
    async fn mark(&self, user: UserId, picture: (JobId, u32), now: Timestamp) -> Result<Marked, StorageError>;
    /// Takes a person's mark away; whether there was one.
    async fn unmark(&self, user: UserId, picture: (JobId, u32)) -> Result<bool, StorageError>;
    /// All that a person marked of every place, the newest mark first. Whoever shows them says which may be seen.
    async fn favourites(&self, user: UserId) -> Result<Vec<Favourite>, StorageError>;
}
