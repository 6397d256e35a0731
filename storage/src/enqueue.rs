//! How a job comes in, and what may refuse it.

use crate::{
    ids::*,
    jobs::{Delivery, JobStatus},
    quota::QuotaStatus,
};

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
