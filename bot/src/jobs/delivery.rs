//! Empties the outbox: the last message of every job reaches its user, by the interaction's token while it lives, else as the bot's own
//! message, else as a direct message, else it is kept for the history. Idempotent: edits are, and new messages carry a nonce.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use storage::{Job, JobId, JobStore, OutboxItem};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    discord::{Messenger, SendError, Way},
    jobs::{board::Board, span},
    messages,
    pictures::render::Renderer,
    pictures::shown::EngineStopped,
    system::{clock::Clock, log::chain, metrics},
};

/// Deliveries on their way at once.
const MAX_DELIVERIES: usize = 8;
/// A delivery is given up after about a day of tries.
const MAX_ATTEMPTS: u32 = 30;
/// Longest time between two tries.
const MAX_BACKOFF: Duration = Duration::from_secs(3600);
/// The store is asked again after this long even if nobody rang.
const POLL: Duration = Duration::from_secs(15);

/// Brings endings to those who asked.
pub struct Delivering {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Sends.
    pub messenger: Messenger,
    /// Makes messages of stored jobs.
    pub renderer: Arc<Renderer>,
    /// Where unfinished jobs stand.
    pub board: Arc<Board>,
    /// Tells the time.
    pub clock: Clock,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
}

impl Delivering {
    /// Runs until shutdown.
    pub async fn run(&self) {
        tokio::select! {
            () = self.messenger.ready() => {}
            () = self.shutdown.cancelled() => return,
        }
        while !self.shutdown.is_cancelled() {
            let due = match self.jobs.outbox(self.clock.now(), MAX_DELIVERIES as u32).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "the outbox cannot be read");
                    Vec::new()
                }
            };
            if !due.is_empty() {
                let recorded: Vec<bool> = stream::iter(due).map(|item| self.deliver(item)).buffer_unordered(MAX_DELIVERIES).collect().await;
                if recorded.into_iter().all(|is_recorded| is_recorded) {
                    continue;
                }
                // What could not be recorded is still due: sending it again at once would post it again and again.
                tokio::select! {
                    () = self.clock.sleep(POLL) => {}
                    () = self.shutdown.cancelled() => {}
                }
                continue;
            }
            let wait = match self.jobs.outbox_due().await {
                Ok(Some(next)) => Duration::from_millis(next.0.saturating_sub(self.clock.now().0).max(50).unsigned_abs()).min(POLL),
                _ => POLL,
            };
            tokio::select! {
                () = self.board.outbox.notified() => {}
                () = self.clock.sleep(wait) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    /// Whether the outcome was recorded.
    async fn deliver(&self, item: OutboxItem) -> bool {
        let Ok(Some(job)) = self.jobs.job(item.job).await else { return self.deliver_alone(item).await };
        if item.attempts == 0 {
            metrics::ended(job.status);
        }
        self.deliver_alone(item).instrument(span::of(&job)).await
    }

    /// While nobody edits the job's message.
    async fn deliver_alone(&self, item: OutboxItem) -> bool {
        let id = item.job;
        // Waits for an edit of this job's progress that is still on its way, and keeps later ones from starting.
        let gate = self.board.live.get(&id).map(|live| live.gate.clone());
        let _permit = match &gate {
            Some(gate) => gate.acquire().await.ok(),
            None => None,
        };
        let (recorded, is_over) = match self.send(id).await {
            Ok(Sent { path, message }) => {
                metrics::delivered(path);
                tracing::info!(delivery.path = path, "delivered");
                (self.jobs.delivered(id, message).await, true)
            }
            Err(reason) => {
                metrics::not_delivered();
                let next = (item.attempts < MAX_ATTEMPTS).then(|| self.clock.now().after(backoff(item.attempts)));
                tracing::warn!(job.id = %id, reason, attempts = item.attempts + 1, is_given_up = next.is_none(), "an answer could not be delivered");
                (self.jobs.delivery_failed(id, &reason, next).await, next.is_none())
            }
        };
        if let Err(error) = &recorded {
            tracing::error!(job.id = %id, error = %chain(error), "a delivery could not be recorded");
        } else if is_over {
            self.board.live.remove(&id);
        }
        recorded.is_ok()
    }

    /// Sends the last message of a job.
    async fn send(&self, id: JobId) -> Result<Sent, String> {
        let Some(mut job) = self.jobs.job(id).await.map_err(|error| chain(&error))? else { return Ok(Sent::to_nobody()) };
        if job.is_deleted {
            return Ok(Sent::to_nobody());
        }
        if let Some(live) = self.board.live.get(&id) {
            job.delivery.message = job.delivery.message.or(live.delivery.message);
        }
        let answer = match self.renderer.last_answer(&job).await {
            Ok(answer) => answer,
            Err(error) if error.is::<EngineStopped>() => return Err(error.to_string()),
            Err(error) => {
                tracing::error!(job.id = %id, error = format!("{error:#}"), "a finished job cannot be shown");
                messages::failed(&self.render_heading(&job).await, id, &messages::internal_error(id))
            }
        };
        let mut reasons = Vec::new();
        let mut answer = answer;
        match self.messenger.edit(&job.delivery, &answer).await {
            Ok(edited) => return Ok(Sent::edited(edited)),
            Err(SendError::Transient(reason)) => return Err(reason),
            Err(error @ SendError::Refused(_)) => {
                // The same message would be refused everywhere: say at least that the job has ended.
                tracing::error!(job.id = %id, %error, "Discord does not take an answer as it is");
                answer = messages::not_taken(&self.render_heading(&job).await);
                if let Ok(edited) = self.messenger.edit(&job.delivery, &answer).await {
                    return Ok(Sent::edited(edited));
                }
                reasons.push(error.to_string());
            }
            Err(error) => reasons.push(error.to_string()),
        }
        // Its owner may have deleted it meanwhile: then its message is gone on purpose.
        if self.jobs.job(id).await.map_err(|error| chain(&error))?.is_none_or(|job| job.is_deleted) {
            return Ok(Sent::to_nobody());
        }
        match self.messenger.post(job.delivery.channel, id, &answer).await {
            Ok(message) => return Ok(Sent { path: "channel", message: Some(message) }),
            Err(SendError::Transient(reason)) => return Err(reason),
            Err(error) => reasons.push(error.to_string()),
        }
        messages::sent_here_instead(&mut answer);
        match self.messenger.post_direct(job.user.0, id, &answer).await {
            Ok(_) => Ok(Sent { path: "direct", message: None }),
            Err(SendError::Transient(reason)) => Err(reason),
            Err(error) => {
                reasons.push(error.to_string());
                tracing::warn!(job.id = %id, reasons = reasons.join("; "), "an answer is kept in the history only");
                Ok(Sent { path: "history", message: None })
            }
        }
    }

    async fn render_heading(&self, job: &Job) -> messages::Heading {
        match serde_json::from_value(job.task.clone()) {
            Ok(task) => self.renderer.heading(job.user.0, &task, job.parent).await,
            Err(_) => messages::Heading {
                title: job.action.clone(),
                made: messages::Made::Drawn,
                parameters: String::new(),
                user: job.user.0,
                notes: Vec::new(),
            },
        }
    }
}

/// How an ending reached its user.
struct Sent {
    path: &'static str,
    /// The message that shows it, if it is the job's own.
    message: Option<u64>,
}

impl Sent {
    fn edited((message, way): (u64, Way)) -> Self {
        let path = match way {
            Way::Token => "token",
            Way::Message => "message",
        };
        Self { path, message: Some(message) }
    }

    /// There is nobody to tell.
    fn to_nobody() -> Self {
        Self { path: "none", message: None }
    }
}

fn backoff(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.min(12)).min(MAX_BACKOFF)
}
