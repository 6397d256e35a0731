//! What stands in the book of a guild: who changed what, and who was refused.

use serde::{Deserialize, Serialize};

use super::decide::Reason;

/// A line, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noted {
    /// Somebody may not draw.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// A rule was changed.
    Rule {
        /// About whom or what, as it is said.
        subject: String,
        /// What it says now, as it is said; nothing where it is gone.
        terms: String,
    },
}
