//! Two kinds of failure: what a person can mend, and what we must.

use crate::{intake::TakeError, messages::UserError};

/// What a command or a button can end with.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// Shown to the person as written.
    #[error("{0}")]
    User(#[from] UserError),
    /// Logged once and shown as one fixed sentence.
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

macro_rules! internal {
    ($($error:ty),*) => {$(
        impl From<$error> for BotError {
            fn from(error: $error) -> Self {
                Self::Internal(error.into())
            }
        }
    )*};
}

internal!(storage::StorageError, serde_json::Error, tokio::task::JoinError, crate::discord::SerenityError);

impl From<TakeError> for BotError {
    fn from(error: TakeError) -> Self {
        match error {
            TakeError::Prompt(error) => Self::User(error.into()),
            TakeError::Picture(refusal) => Self::User(UserError::Picture(refusal)),
            TakeError::Internal(error) => Self::Internal(error),
        }
    }
}
