//! What prompts may not say, who is asked about it, and what becomes of a guild that the bot left.

use async_trait::async_trait;

use crate::{error::StorageError, ids::*};

/// Most words and patterns of a guild.
pub const MAX_WORDS: usize = 300;
/// Lines of one person that wait for moderators, at most; the oldest go.
pub const MAX_APPEALS: u32 = 20;

/// A word or a pattern that prompts may not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedWord {
    /// As it was typed; a pattern stands between two slashes.
    pub word: String,
    /// Whether negative prompts may not say it either.
    pub in_negative: bool,
}

/// How far an appeal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppealState {
    /// The person may ask.
    Offered,
    /// Moderators were asked.
    Asked,
    /// They let the line through.
    Approved,
    /// They did not.
    Denied,
    /// It went through.
    Used,
}

/// A line that was refused for a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appeal {
    /// Its name.
    pub id: AppealId,
    /// The guild whose moderators decide.
    pub guild: GuildId,
    /// Who typed it.
    pub user: UserId,
    /// The word.
    pub word: String,
    /// What was typed, as it would be drawn.
    pub line: String,
    /// How far it is.
    pub state: AppealState,
    /// When it was refused.
    pub created: Timestamp,
}

/// Words that are blocked, appeals against that, and guilds that the bot left.
#[async_trait]
pub trait Moderation: Send + Sync + 'static {
    /// The words of one guild, or of [`EVERYWHERE`](crate::EVERYWHERE), by the alphabet.
    async fn blocked_words(&self, guild: GuildId) -> Result<Vec<BlockedWord>, StorageError>;
    /// Blocks a word or changes how; `false` where there are [`MAX_WORDS`] already.
    async fn block_word(&self, guild: GuildId, word: &BlockedWord) -> Result<bool, StorageError>;
    /// Blocks a word no more; whether it was.
    async fn unblock_word(&self, guild: GuildId, word: &str) -> Result<bool, StorageError>;
    /// The channel where a guild's moderators are asked.
    async fn moderators(&self, guild: GuildId) -> Result<Option<u64>, StorageError>;
    /// Sets that channel, or none.
    async fn set_moderators(&self, guild: GuildId, channel: Option<u64>) -> Result<(), StorageError>;
    /// Keeps an appeal; of one person the newest [`MAX_APPEALS`] stay.
    async fn keep_appeal(&self, appeal: &Appeal) -> Result<(), StorageError>;
    /// An appeal.
    async fn appeal(&self, id: AppealId) -> Result<Option<Appeal>, StorageError>;
    /// Takes an appeal from one state to another; `false` where it is in another one.
    async fn move_appeal(&self, id: AppealId, from: AppealState, to: AppealState) -> Result<bool, StorageError>;
    /// An approved appeal of a person for a line, that was not used yet.
    async fn approved(&self, guild: GuildId, user: UserId, line: &str) -> Result<Option<AppealId>, StorageError>;
    /// Forgets appeals from before a time; how many.
    async fn forget_appeals(&self, before: Timestamp) -> Result<u64, StorageError>;
    /// The bot left a guild: its rules, words, settings and book go at once, its jobs that wait are cancelled.
    async fn leave_guild(&self, guild: GuildId, now: Timestamp) -> Result<(), StorageError>;
    /// The bot is in a guild again.
    async fn join_guild(&self, guild: GuildId) -> Result<(), StorageError>;
    /// Forgets tasks, notes and pictures of up to `n` jobs of guilds that the bot left before a time; how many.
    async fn forget_left(&self, before: Timestamp, n: u32, now: Timestamp) -> Result<u32, StorageError>;
}
