//! Why a message did not arrive, and whether it may later.

use std::{fmt, time::Duration};

use poise::serenity_prelude as serenity;

use super::ask::AskError;

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Discord is away, or slow: the same call may work later.
    #[error("for now: {0}")]
    Transient(Later),
    /// The interaction's token has died.
    #[error("the interaction's token has expired")]
    TokenExpired,
    /// The message was deleted.
    #[error("the message is gone")]
    Gone,
    /// The bot may not write there.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// Discord does not take the message as it is.
    #[error("refused: {0}")]
    Refused(String),
}

/// The same call may work later.
#[derive(Clone, Debug, PartialEq)]
pub struct Later {
    /// Why it did not work now.
    pub reason: String,
    /// How long Discord asks to wait.
    pub wait: Option<Duration>,
}

impl fmt::Display for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<T: Into<String>> From<T> for Later {
    fn from(reason: T) -> Self {
        Self { reason: reason.into(), wait: None }
    }
}

impl SendError {
    /// What a refusal means. Discord's own have a code of its table; pages and answers without one come from what stands before it.
    pub(super) fn refused(status: u16, code: i64, message: String) -> Self {
        let text = format!("{status} {message}");
        let is_discords_own = code > 0 || code == 0 && matches!(status, 400 | 413);
        match (status, code) {
            (_, 10015 | 10062 | 50027) => Self::TokenExpired,
            (_, 10008) => Self::Gone,
            (_, 10003 | 50001 | 50007 | 50013 | 50278) => Self::Forbidden(text),
            (401 | 408 | 425 | 429 | 500.., _) => Self::Transient(text.into()),
            _ if is_discords_own => Self::Refused(text),
            _ => Self::Transient(text.into()),
        }
    }

    /// The same of a call after which Discord asked to wait.
    pub(super) fn after(self, wait: Option<Duration>) -> Self {
        match self {
            Self::Transient(later) => Self::Transient(Later { wait, ..later }),
            settled => settled,
        }
    }
}

impl From<AskError> for SendError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused { status, code, message } => Self::refused(status, code, message),
            other => Self::Transient(Later { wait: other.wait(), reason: other.to_string() }),
        }
    }
}

impl From<serenity::Error> for SendError {
    fn from(error: serenity::Error) -> Self {
        match error {
            serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(response)) => {
                Self::refused(response.status_code.as_u16(), response.error.code as i64, response.error.message)
            }
            // Success with a body that is no message: somebody else answered, or the message is there and its end is lost.
            serenity::Error::Http(_) | serenity::Error::Json(_) | serenity::Error::Io(_) => Self::Transient(error.to_string().into()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_discord_itself_refuses_for_good() {
        let check = |status, code, expected: &str| {
            let kind = match SendError::refused(status, code, String::new()) {
                SendError::Transient(_) => "for now",
                SendError::TokenExpired => "expired",
                SendError::Gone => "gone",
                SendError::Forbidden(_) => "forbidden",
                SendError::Refused(_) => "refused",
            };
            assert_eq!(kind, expected, "{status} with code {code}");
        };
        for (status, code, expected) in [
            (404, 10008, "gone"),
            (404, 10015, "expired"),
            (401, 50027, "expired"),
            (404, 10003, "forbidden"),
            (403, 50013, "forbidden"),
            (400, 200_000, "refused"),
            (400, 50035, "refused"),
            (400, 0, "refused"),
            (413, 40005, "refused"),
            // A page of a proxy, and an answer without a code.
            (400, -1, "for now"),
            (403, -1, "for now"),
            (403, 0, "for now"),
            (404, -1, "for now"),
            (404, 0, "for now"),
            (401, 0, "for now"),
            (429, 0, "for now"),
            (429, 20028, "for now"),
            (500, 0, "for now"),
            (502, -1, "for now"),
        ] {
            check(status, code, expected);
        }
    }
}
