//! What may be spent in a day or a month, and by whom.

use crate::ids::{GuildId, RoleId, Timestamp, UserId};

/// A quota in one day or month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaStatus {
    /// Row-megapixels spent or reserved in it.
    pub used: f64,
    /// Row-megapixels in all, with those that were carried over.
    pub limit: f64,
    /// Row-megapixels of the limit that were left of the day or month before.
    pub carried: f64,
    /// Which of both.
    pub period: Period,
    /// When it ends, in the store's time zone.
    pub resets: Timestamp,
}

impl QuotaStatus {
    /// Row-megapixels that may still be spent.
    pub fn left(&self) -> f64 {
        (self.limit - self.used).max(0.0)
    }
}

/// How long a quota lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first of a month to that of the next.
    Month,
}

/// Whose spending a quota bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaOf {
    /// The guild that pays, or in direct messages the user who stands in for it.
    Guild,
    /// One person in that guild.
    Member,
    /// One person in all places together.
    User,
    /// Everybody.
    Host,
}

/// Who spends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spender {
    /// The guild that pays; in direct messages the user's id stands in.
    pub guild: GuildId,
    /// The person.
    pub user: UserId,
    /// Their roles in that guild.
    pub roles: Vec<RoleId>,
}

impl Spender {
    /// A person without roles.
    pub fn new(guild: GuildId, user: UserId) -> Self {
        Self { guild, user, roles: Vec::new() }
    }
}

/// Whom a guild's rule is about. A person is bound by the rule of their own; without one by the most generous of their roles'; without any by
/// everyone's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// All in the guild together.
    Guild,
    /// Each person in it.
    Everyone,
    /// Each person with the role.
    Role(RoleId),
    /// One person.
    Person(UserId),
}

/// What a guild's managers allow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaRule {
    /// Whom.
    pub subject: Subject,
    /// In which time. There is one rule for each subject and period.
    pub period: Period,
    /// How many row-megapixels; 0 forbids drawing.
    pub row_megapixels: f64,
    /// Of what is left of it at the end, so many row-megapixels at most are there in the next period too, and gone after that.
    pub carry_over: f64,
}
