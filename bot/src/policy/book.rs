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
    /// A prompt said a word that is blocked.
    Said {
        /// Which.
        word: String,
    },
    /// A word was blocked, or is no more.
    Word {
        /// Which.
        word: String,
        /// Whether it is now.
        is_blocked: bool,
    },
    /// Where moderators are asked was changed.
    Moderators {
        /// The channel.
        channel: Option<u64>,
    },
    /// An appeal was decided.
    Appeal {
        /// The word.
        word: String,
        /// Whether the line may be drawn once.
        is_approved: bool,
    },
    /// A picture was reported.
    Reported {
        /// Its message.
        link: String,
    },
    /// The models were looked at anew.
    Reloaded,
    /// A rule was changed.
    Rule {
        /// About whom or what, as it is said.
        subject: String,
        /// What it says now, as it is said; nothing where it is gone.
        terms: String,
    },
}
