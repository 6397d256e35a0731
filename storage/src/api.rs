//! What storage promises: jobs that are never lost, charged once and finished once. Every implementation passes the same contract suite.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{error::StorageError, ids::*};

/// A job to enqueue, together with everything that must survive a crash.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Idempotency key: the interaction's id. The same key twice is one job.
    pub key: String,
    /// Set for a button: while the job lives (and after it is done too, if `keep`), the same press is refused as `Enqueued::Pressed`.
    pub press: Option<PressKey>,
    /// The guild that pays; in direct messages the user's id stands in.
    pub guild: GuildId,
    /// Who asked.
    pub user: UserId,
    /// What the user did: `imagine`, `variation`, `upscale`, `reroll`.
    pub action: String,
    /// The task as JSON; opaque to storage.
    pub task: serde_json::Value,
    /// The job and picture that this one comes from.
    pub parent: Option<(JobId, u32)>,
    /// A blob that the task needs; kept while the job lives.
    pub source: Option<BlobKey>,
    /// Estimated cost, debited now and corrected at the end.
    pub row_megapixels: f64,
    /// Where the answer goes.
    pub delivery: Delivery,
}

/// Names one button press; see [`NewJob::press`].
#[derive(Clone, Debug)]
pub struct PressKey {
    /// Such as `upscale:<job>:<index>`.
    pub key: String,
    /// Whether a finished job keeps the key (its result is the answer to every later press).
    pub keep: bool,
}

/// Where a job's answer goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Channel of the interaction.
    pub channel: u64,
    /// The interaction's token; works for 15 minutes.
    pub token: String,
    /// When the token dies.
    pub token_expires: Timestamp,
    /// The message to edit, once known.
    pub message: Option<u64>,
}

/// What a guild and a user may have at once; from the configuration and the guild's settings.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Row-megapixels a guild may spend a day (UTC).
    pub daily_row_megapixels: f64,
    /// Queued and running jobs of one user.
    pub max_active_per_user: u32,
    /// Queued jobs of one guild.
    pub max_queued_per_guild: u32,
    /// Queued jobs of all guilds.
    pub max_queued: u32,
}

/// The answer to an enqueue.
#[derive(Clone, Debug, PartialEq)]
pub enum Enqueued {
    /// A new job; the quota is debited.
    Created(JobId),
    /// The key is known: the job made for it earlier. Nothing was changed.
    SameKey(JobId),
    /// The press is known: the job that answers it and its status. Nothing was changed.
    Pressed(JobId, JobStatus),
    /// A limit stands in the way. Nothing was changed.
    Refused(Refusal),
}

/// Which limit refused a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// The guild's daily quota.
    Quota(QuotaStatus),
    /// Jobs of this user at once.
    UserBusy {
        /// Jobs now.
        active: u32,
        /// The limit.
        limit: u32,
    },
    /// Queued jobs of this guild.
    GuildFull {
        /// The limit.
        limit: u32,
    },
    /// Queued jobs of all guilds.
    QueueFull {
        /// The limit.
        limit: u32,
    },
}

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

/// A job's state. `Queued → Leased → Done | Failed | Cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// Waits for its turn.
    Queued,
    /// A worker has it.
    Leased,
    /// Finished with pictures.
    Done,
    /// Finished without; refunded.
    Failed,
    /// Stopped by a person.
    Cancelled,
}

impl JobStatus {
    /// Whether nothing more will happen to the job.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// A stored job.
#[derive(Clone, Debug)]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// State.
    pub status: JobStatus,
    /// The guild that pays (in direct messages the user's id).
    pub guild: GuildId,
    /// Who asked.
    pub user: UserId,
    /// See [`NewJob::action`].
    pub action: String,
    /// The task as JSON.
    pub task: serde_json::Value,
    /// The job and picture that this one comes from.
    pub parent: Option<(JobId, u32)>,
    /// Estimated cost.
    pub row_megapixels: f64,
    /// Where the answer goes.
    pub delivery: Delivery,
    /// Why it failed, as shown to the user.
    pub error: Option<String>,
    /// Whether its owner or a moderator deleted it; its pictures are gone.
    pub is_deleted: bool,
    /// Whether somebody asked to stop it.
    pub is_cancel_requested: bool,
    /// Times it was claimed.
    pub attempts: u32,
    /// When it was enqueued.
    pub created: Timestamp,
    /// When it was finished.
    pub finished: Option<Timestamp>,
}

/// The right to work on a job. Every write of a worker carries the epoch and is refused when another lease was given since.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job as it was claimed.
    pub job: Job,
    /// Number of this lease.
    pub epoch: i64,
}

/// The answer to a worker's write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Recorded.
    Done,
    /// Somebody asked to stop the job: nothing was recorded; call [`JobStore::finish_cancel`].
    CancelRequested,
    /// The lease is no longer ours: nothing was recorded; throw the work away.
    Fenced,
}

/// The answer to a request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It was queued and is now cancelled and refunded.
    Now,
    /// A worker has it and will be told.
    Requested,
    /// It had already ended this way.
    Already(JobStatus),
}

/// A finished picture, already in the blob store.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// Which picture of the job.
    pub index: u32,
    /// Its seed.
    pub seed: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Where its bytes (PNG) are.
    pub blob: BlobKey,
}

/// What the queue looks like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Jobs that wait.
    pub queued: u32,
    /// Jobs that run.
    pub running: u32,
}

/// A terminal message that must reach its user.
#[derive(Clone, Debug)]
pub struct OutboxItem {
    /// The job that ended; at most one row a job.
    pub job: JobId,
    /// Deliveries tried.
    pub attempts: u32,
}

/// Whose finished jobs to list.
#[derive(Clone, Copy, Debug)]
pub struct HistoryFilter {
    /// Only this guild.
    pub guild: GuildId,
    /// Only this user.
    pub user: Option<UserId>,
}

/// What a guild's managers chose; `None` leaves the configuration's value. Never above it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuildSettings {
    /// Row-megapixels a day.
    pub daily_row_megapixels: Option<f64>,
    /// Queued and running jobs of one user.
    pub max_active_per_user: Option<u32>,
}

/// Jobs, pictures, quotas and deliveries: the truth.
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Records a job and debits its guild in one transaction, unless a limit refuses it.
    async fn enqueue(&self, job: NewJob, limits: &Limits, now: Timestamp) -> Result<Enqueued, StorageError>;
    /// The next job by fair turns (start tags), leased for `lease`; `None` if nothing waits.
    async fn claim(&self, lease: Duration, now: Timestamp) -> Result<Option<Lease>, StorageError>;
    /// Prolongs a lease; also how a worker learns of a cancel.
    async fn renew(&self, lease: &Lease, duration: Duration, now: Timestamp) -> Result<Written, StorageError>;
    /// One transaction: done, pictures, history, settled quota, outbox row.
    async fn complete(&self, lease: &Lease, images: &[NewImage], row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError>;
    /// Fails the job for good with a sentence for the user and refunds it; outbox row.
    async fn fail(&self, lease: &Lease, error: &str, now: Timestamp) -> Result<Written, StorageError>;
    /// Ends a job whose cancel was requested, charging what was really computed; outbox row.
    async fn finish_cancel(&self, lease: &Lease, row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError>;
    /// Puts a leased job back in its old place, as a worker does that shuts down in order; the attempt is not counted.
    async fn release(&self, lease: &Lease, now: Timestamp) -> Result<Written, StorageError>;
    /// Asks to stop a job.
    async fn request_cancel(&self, id: JobId, now: Timestamp) -> Result<Cancelled, StorageError>;
    /// Requeues jobs with expired leases (all leases if `all`, as a start-up under the process lock does). Cancelled ones end; after 3 attempts a job fails and is refunded. Returns how many were touched.
    async fn reap(&self, all: bool, now: Timestamp) -> Result<u32, StorageError>;

    /// One job.
    async fn job(&self, id: JobId) -> Result<Option<Job>, StorageError>;
    /// A job's pictures by index.
    async fn images(&self, id: JobId) -> Result<Vec<NewImage>, StorageError>;
    /// Jobs that will be claimed before this queued one, plus one; `None` if it does not wait.
    async fn place(&self, id: JobId) -> Result<Option<u32>, StorageError>;
    /// Ids of all queued jobs in the order of their turns.
    async fn queue(&self) -> Result<Vec<JobId>, StorageError>;
    /// Counts of waiting and running jobs.
    async fn queue_status(&self) -> Result<QueueStatus, StorageError>;
    /// Remembers the message that shows a job.
    async fn set_message(&self, id: JobId, message: u64) -> Result<(), StorageError>;
    /// Finished (not deleted) jobs, newest first, and whether there are more after them.
    async fn history(&self, filter: HistoryFilter, offset: u32, n: u32) -> Result<(Vec<Job>, bool), StorageError>;
    /// Hides a finished job and forgets its pictures; returns blobs that nothing refers to any more.
    async fn delete(&self, id: JobId, now: Timestamp) -> Result<Vec<BlobKey>, StorageError>;

    /// Deliveries that are due, oldest first.
    async fn outbox(&self, now: Timestamp, n: u32) -> Result<Vec<OutboxItem>, StorageError>;
    /// When the next delivery becomes due.
    async fn outbox_due(&self) -> Result<Option<Timestamp>, StorageError>;
    /// A delivery arrived, as this message if there is one.
    async fn delivered(&self, job: JobId, message: Option<u64>) -> Result<(), StorageError>;
    /// A delivery failed; try again at `next`, or never (kept in the history) if `None`.
    async fn delivery_failed(&self, job: JobId, error: &str, next: Option<Timestamp>) -> Result<(), StorageError>;

    /// Spent and limit of today.
    async fn quota(&self, guild: GuildId, daily_row_megapixels: f64, now: Timestamp) -> Result<QuotaStatus, StorageError>;
    /// A guild's settings.
    async fn guild_settings(&self, guild: GuildId) -> Result<GuildSettings, StorageError>;
    /// Replaces a guild's settings.
    async fn set_guild_settings(&self, guild: GuildId, settings: GuildSettings) -> Result<(), StorageError>;
    /// A remembered value, such as the hash of the registered commands.
    async fn note(&self, key: &str) -> Result<Option<String>, StorageError>;
    /// Remembers a value.
    async fn set_note(&self, key: &str, value: &str) -> Result<(), StorageError>;
}

/// Bytes by the hash of their content.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores bytes durably; the key is their SHA-256.
    async fn put(&self, bytes: Bytes) -> Result<BlobKey, StorageError>;
    /// The bytes of a key.
    async fn get(&self, key: &BlobKey) -> Result<Bytes, StorageError>;
    /// Removes a blob; missing is fine.
    async fn delete(&self, key: &BlobKey) -> Result<(), StorageError>;
}
