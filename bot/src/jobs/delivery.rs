//! Empties the outbox: the last message of every job reaches its user. Deliveries go their ways beside each other, a bounded number at a time;
//! each takes a bounded time and knows nothing of the others. What one of them sends stands in `sending.rs`.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::FutureExt;
use storage::{JobId, OutboxItem, Timestamp};
use tokio::{
    sync::OwnedSemaphorePermit,
    task::{Id, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    discord::Later,
    jobs::{
        sending::{Sending, Sent},
        span,
    },
    system::{clock::Clock, log::chain, metrics},
};

/// Deliveries on their way at once.
const MAX_DELIVERIES: usize = 16;
/// A try that takes longer has failed.
const LONGEST_TRY: Duration = Duration::from_secs(120);
/// Longest time between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Nothing is tried for longer, all pauses together.
const LONGEST_WAY: Duration = Duration::from_secs(24 * 3600);
/// The store is asked again after this long even if nobody rang.
const POLL: Duration = Duration::from_secs(15);
/// At the end of the program what is left has this long for one more try each, a little less than the whole end has.
const FLUSH: Duration = Duration::from_secs(18);

/// Brings endings to those who asked.
pub struct Delivering {
    /// Sends each of them.
    pub sending: Sending,
    /// Tells the time.
    pub clock: Clock,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
}

/// Deliveries on their way. Their rows are still due: they must not be begun twice.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    jobs: HashMap<Id, JobId>,
}

impl UnderWay {
    fn has(&self, job: JobId) -> bool {
        self.jobs.values().any(|other| *other == job)
    }

    fn room(&self) -> usize {
        MAX_DELIVERIES.saturating_sub(self.jobs.len())
    }

    fn begin(&mut self, delivering: &Arc<Delivering>, item: OutboxItem) {
        let job = item.job;
        let task = self.tasks.spawn(delivering.clone().deliver(item));
        self.jobs.insert(task.id(), job);
    }

    /// Waits until one has ended; for ever when there is none.
    async fn next(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.jobs.remove(&id)),
            Some(Err(error)) => drop(self.jobs.remove(&error.id())),
            None => std::future::pending().await,
        }
    }
}

impl Delivering {
    /// Runs until shutdown; then, until `no_more` tells that no job ends any more, and not much longer, what is left is tried once more each.
    pub async fn run(self: Arc<Self>, no_more: CancellationToken) {
        tokio::select! {
            () = self.sending.messenger.ready() => {}
            () = self.shutdown.cancelled() => return,
        }
        let mut under_way = UnderWay::default();
        while !self.shutdown.is_cancelled() {
            let now = self.clock.now();
            let wait = self.begin_due(&mut under_way, now).await;
            tokio::select! {
                () = self.sending.board.outbox.notified() => {}
                () = under_way.next() => {}
                () = self.clock.sleep_since(now, wait) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
        if tokio::time::timeout(FLUSH, self.flush(&mut under_way, &no_more)).await.is_err() {
            tracing::warn!("some answers did not arrive before the end; they are sent after the next start");
        }
    }

    /// Begins what is due as far as there is room, and tells when to look again.
    async fn begin_due(self: &Arc<Self>, under_way: &mut UnderWay, now: Timestamp) -> Duration {
        let room = under_way.room();
        if room == 0 {
            self.sending.board.is_crowded.store(true, Ordering::Relaxed);
            return POLL;
        }
        let asked = async {
            Ok::<_, storage::StorageError>((
                self.sending.jobs.outbox(now, 2 * MAX_DELIVERIES as u32).await?,
                self.sending.jobs.outbox_due(now).await?,
            ))
        };
        match asked.await {
            Ok((due, next)) => {
                let due: Vec<_> = due.into_iter().filter(|item| !under_way.has(item.job)).collect();
                self.sending.board.is_crowded.store(due.len() > room, Ordering::Relaxed);
                due.into_iter().take(room).for_each(|item| under_way.begin(self, item));
                next.unwrap_or(POLL).min(POLL)
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "the outbox cannot be read");
                POLL
            }
        }
    }

    /// Tries everything that is left once more, whatever pause it is in.
    async fn flush(self: &Arc<Self>, under_way: &mut UnderWay, no_more: &CancellationToken) {
        let mut tried = HashSet::new();
        loop {
            // Read after it was told, so that the last ending is among what is left.
            let is_last = no_more.is_cancelled();
            let n = tried.len() + 2 * MAX_DELIVERIES;
            let left = match self.sending.jobs.outbox(Timestamp(i64::MAX), u32::try_from(n).unwrap_or(u32::MAX)).await {
                Ok(left) => left,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "the outbox cannot be read");
                    return;
                }
            };
            let left: Vec<_> = left.into_iter().filter(|item| !tried.contains(&item.job) && !under_way.has(item.job)).collect();
            for item in left.into_iter().take(under_way.room()) {
                tried.insert(item.job);
                under_way.begin(self, item);
            }
            if is_last && under_way.jobs.is_empty() {
                return;
            }
            tokio::select! {
                () = under_way.next() => {}
                () = self.sending.board.outbox.notified() => {}
                () = no_more.cancelled(), if !is_last => {}
            }
        }
    }

    async fn deliver(self: Arc<Self>, item: OutboxItem) {
        let span = match self.sending.jobs.job(item.job).await {
            Ok(Some(job)) => {
                if item.attempts == 0 {
                    metrics::ended(job.status);
                }
                span::of(&job)
            }
            _ => tracing::Span::none(),
        };
        self.try_once(item).instrument(span).await;
    }

    /// Sends an ending and records how that went.
    async fn try_once(&self, item: OutboxItem) {
        let id = item.job;
        let sending = AssertUnwindSafe(self.send_alone(&item)).catch_unwind();
        // The gate is held until the job is live no more: progress must not land on the ending while that is recorded.
        let (sent, _gate) = match tokio::time::timeout(LONGEST_TRY, sending).await {
            Ok(Ok(sent)) => sent,
            // What it said stands in the log already.
            Ok(Err(_)) => (Err("the sending panicked".into()), None),
            Err(_) => (Err("it took too long".into()), None),
        };
        let asked = sent.as_ref().err().and_then(|later| later.wait).unwrap_or_default();
        let pause = pause_after(item.attempts).map(|pause| pause.max(asked));
        let record = async || match (&sent, pause) {
            (Ok((Sent::There { message, .. }, lost)), _) if lost.is_empty() => self.sending.jobs.delivered(id, *message).await,
            (Ok((Sent::There { message, .. }, lost)), _) => self.sending.jobs.delivered_without(id, lost, *message).await,
            (Err(later), Some(pause)) => self.sending.jobs.delivery_failed(id, &later.reason, self.clock.now(), pause).await,
            (Ok((Sent::Nowhere(reason), _)) | Err(Later { reason, .. }), _) => self.sending.jobs.undeliverable(id, reason).await,
        };
        let is_over = match (&sent, pause) {
            (Ok((Sent::There { path, .. }, _)), _) => {
                metrics::delivered(path);
                tracing::info!(delivery.path = path, "delivered");
                true
            }
            (Err(Later { reason, .. }), Some(_)) => {
                metrics::not_delivered();
                tracing::warn!(job.id = %id, reason, attempts = item.attempts + 1, "an answer could not be delivered; it is tried again");
                false
            }
            (Ok((Sent::Nowhere(reason), _)) | Err(Later { reason, .. }), _) => {
                metrics::undeliverable();
                tracing::warn!(job.id = %id, reason, "an answer cannot be delivered; it is kept in the history only");
                true
            }
        };
        // What is not recorded is still due: it must not be sent again and again meanwhile.
        while let Err(error) = record().await {
            tracing::error!(job.id = %id, error = %chain(&error), "a delivery could not be recorded");
            tokio::select! {
                () = self.clock.sleep(POLL) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
        if is_over {
            self.sending.board.live.remove(&id);
        }
    }

    /// While nobody edits the job's message, and with what keeps others from it.
    async fn send_alone(&self, item: &OutboxItem) -> (Result<(Sent, Vec<u32>), Later>, Option<OwnedSemaphorePermit>) {
        // Waits for an edit of this job's progress that is still on its way, and keeps later ones from starting.
        let gate = self.sending.board.live.get(&item.job).map(|live| live.gate.clone());
        let permit = match gate {
            Some(gate) => gate.acquire_owned().await.ok(),
            None => None,
        };
        (self.sending.send(item).await, permit)
    }
}

/// How long to wait after a try, of which there were so many before; `None` when a day of pauses is over.
fn pause_after(attempts: u32) -> Option<Duration> {
    let pause = |attempts: u32| Duration::from_secs(1 << attempts.min(12)).min(LONGEST_PAUSE);
    let waited: Duration = (0..attempts).map(pause).sum();
    (waited < LONGEST_WAY).then(|| pause(attempts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_go_on_for_a_day_with_growing_pauses() {
        let pauses: Vec<Duration> = (0..).map_while(pause_after).collect();
        assert_eq!(pauses[..5], [1, 2, 4, 8, 16].map(Duration::from_secs));
        assert!(pauses.is_sorted() && pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        let whole: Duration = pauses.iter().sum();
        assert!((LONGEST_WAY..LONGEST_WAY + LONGEST_PAUSE).contains(&whole), "{whole:?}");
    }
}
