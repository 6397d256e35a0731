//! What people, guilds and channels chose: small values under a topic and a name.

use async_trait::async_trait;

use crate::{
    error::StorageError,
    ids::{GuildId, UserId},
};

/// Whose choice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooser {
    /// A person's, in all places.
    Person(UserId),
    /// A channel's, by its id.
    Channel(u64),
    /// A guild's.
    Guild(GuildId),
}

/// What somebody chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Whose choice it is.
    pub of: Chooser,
    /// What it belongs to.
    pub topic: String,
    /// Which one it is there.
    pub name: String,
    /// What was chosen; opaque to storage.
    pub value: serde_json::Value,
}

/// What was chosen.
#[async_trait]
pub trait Choices: Send + Sync + 'static {
    /// All that these chose, ordered by topic and name, and where both are the same as they are asked for.
    async fn choices(&self, of: &[Chooser]) -> Result<Vec<Choice>, StorageError>;
    /// Keeps a choice in place of the one of its name; `false` where it is new and `most` others of its topic are there already.
    async fn choose(&self, choice: &Choice, most: u32) -> Result<bool, StorageError>;
    /// Takes a choice back; whether there was one.
    async fn forget_choice(&self, of: Chooser, topic: &str, name: &str) -> Result<bool, StorageError>;
}
