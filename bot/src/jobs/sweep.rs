//! Keeps what is kept from growing for ever: what is too old is forgotten, and files that nothing names any more are removed.

use std::{sync::Arc, time::Duration};

use storage::{BlobKey, BlobStore, JobStore, StorageError, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::system::{clock::Clock, log::chain};

/// A file that nothing names stays for so long: whoever stored it records it within this time.
const GRACE: Duration = Duration::from_secs(24 * 3600);
const EVERY: Duration = Duration::from_secs(6 * 3600);
/// What was drawn in a guild that the bot left is kept for so long.
const KEEP_LEFT: Duration = Duration::from_secs(7 * 24 * 3600);
/// So long may moderators think.
const KEEP_APPEALS: Duration = Duration::from_secs(30 * 24 * 3600);
/// Jobs of one transaction, which others wait for.
const N_JOBS: u32 = 50;
/// Blobs that the store is asked about at once.
const N_BLOBS: usize = 500;

/// Forgets and removes.
pub struct Sweep {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Keeps pictures.
    pub blobs: Arc<dyn BlobStore>,
    /// How long words and pictures are kept; for ever if `None`.
    pub keep_for: Option<Duration>,
    /// How long stopped pictures can go on.
    pub keep_states_for: Duration,
    /// Most bytes of what they go on from.
    pub keep_states_bytes: u64,
    /// Tells the time.
    pub clock: Clock,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
}

impl Sweep {
    /// Sweeps at the start and then a few times a day, until shutdown.
    pub async fn run(&self) {
        let mut ticks = self.clock.ticks(EVERY);
        loop {
            tokio::select! {
                () = ticks.tick() => {}
                () = self.shutdown.cancelled() => return,
            }
            if let Err(error) = self.round(self.clock.now()).await {
                tracing::warn!(error = %chain(&error), "what is not needed any more could not be removed");
            }
        }
    }

    /// Forgets jobs that are too old, removes files that were marked long enough, and marks those that nothing names now.
    async fn round(&self, clock: Timestamp) -> Result<(), StorageError> {
        let now = self.jobs.sweeping(clock).await?;
        if now < clock {
            tracing::warn!(
                behind_s = clock.0.saturating_sub(now.0) / 1000,
                "the clock is more than a day later than at the last sweep; nothing is forgotten early for that"
            );
        }
        let n_forgotten = self.forget(now).await?;
        let n_forgotten = n_forgotten + self.forget_left(now).await?;
        self.jobs.forget_appeals(ago(now, KEEP_APPEALS)).await?;
        self.jobs.forget_erased(now).await?;
        if let Some(keep_for) = self.keep_for {
            self.jobs.forget_audit(ago(now, keep_for)).await?;
        }
        self.jobs.forget_states(ago(now, self.keep_states_for), self.keep_states_bytes).await?;
        let n_removed = self.collect(now).await?;
        let n_marked = self.mark(now).await?;
        if n_forgotten + n_removed + n_marked > 0 {
            tracing::info!(n_forgotten, n_removed, n_marked, "swept");
        }
        Ok(())
    }

    async fn forget(&self, now: Timestamp) -> Result<usize, StorageError> {
        let Some(keep_for) = self.keep_for else { return Ok(0) };
        let mut n_forgotten = 0;
        while !self.shutdown.is_cancelled() {
            match self.jobs.forget(ago(now, keep_for), N_JOBS, now).await? {
                0 => break,
                n => n_forgotten += n as usize,
            }
        }
        Ok(n_forgotten)
    }

    /// What was drawn in guilds that the bot left, when it did not come back.
    async fn forget_left(&self, now: Timestamp) -> Result<usize, StorageError> {
        let mut n_forgotten = 0;
        while !self.shutdown.is_cancelled() {
            match self.jobs.forget_left(ago(now, KEEP_LEFT), N_JOBS, now).await? {
                0 => break,
                n => n_forgotten += n as usize,
            }
        }
        Ok(n_forgotten)
    }

    /// A mark on what is named again is taken away, so that its time begins anew; so is one that a clock made which was set back since.
    async fn collect(&self, now: Timestamp) -> Result<usize, StorageError> {
        let before = ago(now, GRACE);
        let marks = self.blobs.marks().await?;
        for (key, _) in marks.iter().filter(|(_, since)| *since > now) {
            self.blobs.unmark(key).await?;
        }
        let marked: Vec<BlobKey> = marks.into_iter().filter(|(_, since)| *since <= before).map(|(key, _)| key).collect();
        let mut n_removed = 0;
        for some in marked.chunks(N_BLOBS) {
            let unnamed = self.jobs.unnamed(some).await?;
            for key in some {
                if self.shutdown.is_cancelled() {
                    return Ok(n_removed);
                }
                if unnamed.contains(key) {
                    n_removed += usize::from(self.blobs.collect(key, before).await?);
                } else {
                    self.blobs.unmark(key).await?;
                }
            }
        }
        Ok(n_removed)
    }

    async fn mark(&self, now: Timestamp) -> Result<usize, StorageError> {
        let mut n_marked = 0;
        for first in 0..=u8::MAX {
            for some in self.blobs.list(first).await?.chunks(N_BLOBS) {
                if self.shutdown.is_cancelled() {
                    return Ok(n_marked);
                }
                for key in self.jobs.unnamed(some).await? {
                    self.blobs.mark(&key, now).await?;
                    n_marked += 1;
                }
            }
        }
        Ok(n_marked)
    }
}

fn ago(now: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
}
