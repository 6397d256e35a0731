//! Trying again: what may pass, how long to wait, and when to give up.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use indicatif::ProgressBar;

use super::offline::Offline;

/// A server may ask for so many times our own longest wait.
const LONGEST_ASKED: u32 = 4;
/// So many new bytes are worth as many new attempts as at the start.
const PROGRESS_BYTES: u64 = 1 << 20;

/// How long to wait before each further attempt.
#[derive(Clone, Debug)]
pub struct Retries {
    waits: Vec<Duration>,
}

impl Retries {
    /// Waits of these lengths.
    pub fn new(waits: impl IntoIterator<Item = Duration>) -> Self {
        Self { waits: waits.into_iter().collect() }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self::new([1, 2, 4, 8, 16].map(Duration::from_secs))
    }
}

/// What went wrong with one attempt.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody is there. Of no use to try again, unless somebody was there before.
    Offline(Offline),
    /// May go right the next time, at the earliest after so long.
    Passing(anyhow::Error, Option<Duration>),
    /// Will not.
    Final(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Final(error)
    }
}

/// Counts failures in a row and waits.
pub(super) struct Attempts<'a> {
    retries: &'a Retries,
    /// Whether any server has answered yet.
    has_answered: &'a AtomicBool,
    n_failed: usize,
    furthest: u64,
}

impl<'a> Attempts<'a> {
    pub fn new(retries: &'a Retries, has_answered: &'a AtomicBool) -> Self {
        Self { retries, has_answered, n_failed: 0, furthest: 0 }
    }

    /// Waits for the next attempt after one that came as far as byte `reached`.
    ///
    /// # Errors
    /// The failure is final, or it was the last attempt.
    pub async fn after(&mut self, failure: Failure, reached: u64, bar: &ProgressBar) -> anyhow::Result<()> {
        let (error, asked) = match failure {
            Failure::Passing(error, asked) => (error, asked),
            Failure::Offline(offline) if self.has_answered.load(Ordering::Relaxed) => (offline.into(), None),
            Failure::Offline(offline) => return Err(offline.into()),
            Failure::Final(error) => return Err(error),
        };
        // Measured from the furthest ever reached: a server that always breaks at the same place is given up.
        if reached >= self.furthest + PROGRESS_BYTES {
            (self.furthest, self.n_failed) = (reached, 0);
        }
        let waits = &self.retries.waits;
        let Some(wait) = waits.get(self.n_failed).copied() else {
            return Err(error.context(format!("given up after {} attempts", self.n_failed + 1)));
        };
        self.n_failed += 1;
        let longest = waits.iter().max().copied().unwrap_or_default() * LONGEST_ASKED;
        let wait = wait.max(asked.unwrap_or_default().min(longest));
        let message = bar.message();
        if bar.is_hidden() {
            tracing::warn!(error = %format!("{error:#}"), wait_s = wait.as_secs(), "trying again");
        }
        bar.set_message(format!("{error}; trying again in {} s ({} of {})", wait.as_secs(), self.n_failed, waits.len()));
        tokio::time::sleep(wait).await;
        bar.set_message(message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;
    use crate::{
        discord::unreachable::Unreachable,
        hub::{Client, Token},
    };

    fn client() -> Client {
        Client::new("https://hub.example", Token::new("HF_TOKEN", ""), Retries::new([Duration::ZERO; 2])).expect("an address")
    }

    #[tokio::test]
    async fn attempts_are_bounded_unless_there_is_progress() {
        let client = client();
        let mut attempts = client.attempts();
        let mut fail = async |reached| attempts.after(Failure::Passing(anyhow!("broken"), None), reached, &ProgressBar::hidden()).await;
        assert!(fail(0).await.is_ok() && fail(5).await.is_ok());
        assert!(fail(PROGRESS_BYTES).await.is_ok() && fail(PROGRESS_BYTES).await.is_ok());
        let error = fail(PROGRESS_BYTES).await.expect_err("the third in a row");
        assert_eq!(format!("{error:#}"), "given up after 3 attempts: broken");
        let is_final = client.attempts().after(Failure::Final(anyhow!("no such file")), 0, &ProgressBar::hidden()).await;
        assert_eq!(is_final.expect_err("final").to_string(), "no such file");
    }

    #[tokio::test]
    async fn where_nobody_is_nothing_is_tried_again() {
        let client = client();
        for why in [Unreachable::Name, Unreachable::Refused, Unreachable::Network] {
            let offline = Failure::Offline(Offline { host: "hub.example".into(), why });
            let error = client.attempts().after(offline, 0, &ProgressBar::hidden()).await.expect_err("at once");
            assert_eq!(error.to_string(), format!("cannot reach hub.example: {why}"));
        }
    }
}
