//! What was heard and has neither a job nor an answer yet.

use async_trait::async_trait;

use crate::{
    error::StorageError,
    ids::{GuildId, Timestamp, UserId},
    jobs::Delivery,
};

/// An interaction that has neither a job nor an answer yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The interaction's id; see [`NewJob::key`](crate::NewJob::key).
    pub key: String,
    /// The guild that pays; in direct messages the user's id stands in.
    pub guild: GuildId,
    /// Who asked.
    pub user: UserId,
    /// Where the answer goes; its message is not kept.
    pub delivery: Delivery,
    /// What was asked and how it was acknowledged, as JSON; opaque to storage.
    pub wish: serde_json::Value,
    /// When it was heard.
    pub created: Timestamp,
}

/// Notes of what was heard. The transaction that enqueues a job for one erases it.
#[async_trait]
pub trait Reception: Send + Sync + 'static {
    /// Notes all of them in one transaction, each unless it is noted or has its job; tells which were noted now.
    async fn receive(&self, heard: &[Received]) -> Result<Vec<bool>, StorageError>;
    /// The first `n` that have neither job nor answer, oldest first.
    async fn received(&self, n: u32) -> Result<Vec<Received>, StorageError>;
    /// Replaces what is to be done for one, if it is noted.
    async fn amend_received(&self, key: &str, wish: &serde_json::Value) -> Result<(), StorageError>;
    /// Forgets those that were answered, all in one transaction.
    async fn forget_received(&self, keys: &[String]) -> Result<(), StorageError>;
}
