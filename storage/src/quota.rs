//! What may be spent a day, and by whom.

use crate::ids::Timestamp;

/// A quota on one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaStatus {
    /// Row-megapixels spent or reserved today.
    pub used: f64,
    /// Row-megapixels a day.
    pub limit: f64,
    /// When the day ends (UTC midnight).
    pub resets: Timestamp,
}

impl QuotaStatus {
    /// Row-megapixels that may still be spent today.
    pub fn left(&self) -> f64 {
        (self.limit - self.used).max(0.0)
    }
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
