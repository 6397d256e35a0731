//! What people typed and did not get drawn.

use crate::ids::{DraftId, Timestamp, UserId};

/// Drafts of one person that are kept; the oldest goes first.
pub const MAX_DRAFTS: u32 = 100;

/// What somebody typed, kept so that they can change it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The draft.
    pub id: DraftId,
    /// Who typed it.
    pub user: UserId,
    /// What was typed, as JSON; opaque to storage.
    pub content: serde_json::Value,
    /// When it was kept.
    pub created: Timestamp,
}
