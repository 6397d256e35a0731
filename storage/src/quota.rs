//! What a guild may spend.

use crate::ids::Timestamp;

/// A guild's quota on one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaStatus {
    /// Row-megapixels spent or reserved today.
    pub used: f64,
    /// Row-megapixels a day.
    pub limit: f64,
    /// When the day ends (UTC midnight).
    pub resets: Timestamp,
}
