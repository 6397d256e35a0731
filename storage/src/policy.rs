//! Who may draw: what people who manage a guild say, and for all places the host, with a book of who changed it and who was refused.

use std::time::Duration;

use async_trait::async_trait;

use crate::{error::StorageError, ids::*};

/// Stands for a guild where something holds in all places.
pub const EVERYWHERE: GuildId = GuildId(0);

/// Whom or what a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrawSubject {
    /// All persons.
    Everyone,
    /// Whoever draws in a channel, or in a thread below it.
    Channel(u64),
    /// Those who have a role.
    Role(RoleId),
    /// One person.
    Person(UserId),
}

/// What a rule says; `None` says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrawTerms {
    /// Whether they may draw at all.
    pub may_draw: Option<bool>,
    /// The only models that they may draw with, by name.
    pub models: Option<Vec<String>>,
    /// Row-megapixels of one job at most.
    pub row_megapixels: Option<f64>,
    /// So long passes between two jobs of a person.
    pub pause: Option<Duration>,
    /// Whether they may draw with models for adults.
    pub is_adult: Option<bool>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawRule {
    /// Where it holds; [`EVERYWHERE`] for all places.
    pub guild: GuildId,
    /// Whom or what it is about.
    pub subject: DrawSubject,
    /// What it says.
    pub terms: DrawTerms,
}

/// The rules that may bind somebody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrawRules {
    /// Which rules these are; see [`Admission::revision`].
    pub revision: u64,
    /// Those of the guild and of everywhere, without those about other persons.
    pub rules: Vec<DrawRule>,
}

/// What a job was found to be allowed by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    /// The rules that it was judged by: where they have changed since, it is not taken. `None` for one that nobody judged.
    pub revision: Option<u64>,
    /// What must have passed since the person's last job.
    pub pauses: Vec<Pause>,
    /// What lets its words through, and is used up with it.
    pub appeal: Option<AppealId>,
}

/// A pause between two jobs of a person for which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Where their jobs are counted; [`EVERYWHERE`] for all places.
    pub guild: GuildId,
    /// How long it is.
    pub lasts: Duration,
}

/// A line in the book.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its guild; [`EVERYWHERE`] for what holds in all places.
    pub guild: GuildId,
    /// Who changed something, or was refused.
    pub user: UserId,
    /// When.
    pub at: Timestamp,
    /// Whether something was changed; else somebody was refused.
    pub is_change: bool,
    /// What, as JSON; opaque to storage.
    pub what: serde_json::Value,
}

/// The newest lines of each kind that a guild keeps.
pub const MAX_AUDIT: u32 = 1000;

/// Rules of who may draw, and the book about them.
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// The rules that may bind a person in a guild.
    async fn draw_rules_for(&self, guild: GuildId, user: UserId) -> Result<DrawRules, StorageError>;
    /// All rules of one guild, or of [`EVERYWHERE`], ordered by subject.
    async fn draw_rules(&self, guild: GuildId) -> Result<Vec<DrawRule>, StorageError>;
    /// Replaces what is said about a subject; where nothing is said any more the rule is gone.
    async fn set_draw_rule(&self, rule: &DrawRule) -> Result<(), StorageError>;
    /// Writes a line into the book; of each guild and kind the newest [`MAX_AUDIT`] stay.
    async fn note_audit(&self, entry: &AuditEntry) -> Result<(), StorageError>;
    /// Lines of a guild's book, the newest first, of changes or of refusals or of both, from `offset`; and whether there are more.
    async fn audit(&self, guild: GuildId, is_change: Option<bool>, offset: u32, n: u32) -> Result<(Vec<AuditEntry>, bool), StorageError>;
    /// Forgets lines from before a time; how many.
    async fn forget_audit(&self, before: Timestamp) -> Result<u64, StorageError>;
}
