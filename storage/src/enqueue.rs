//! How a job comes in, and what may refuse it.

use crate::{
    ids::*,
    jobs::{Delivery, JobStatus},
    policy::Admission,
    quota::{QuotaOf, QuotaStatus},
    turns::Tier,
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
    /// Their roles in the guild.
    pub roles: Vec<RoleId>,
    /// What the user did: `imagine`, `variation`, `upscale`, `reroll`, `remix`.
    pub action: String,
    /// How it takes its turns.
    pub tier: Tier,
    /// The task as JSON; opaque to storage.
    pub task: serde_json::Value,
    /// The model that it is drawn with, as [`Queue::claim`](crate::Queue::claim) is told of those in memory; `None` where any worker is as good.
    pub model: Option<String>,
    /// The job and picture that this one comes from.
    pub parent: Option<(JobId, u32)>,
    /// What the person who asked should know, as JSON; see [`Job::notes`](crate::Job::notes).
    pub notes: Option<serde_json::Value>,
    /// The blobs that the task is made from; kept while the job lives.
    pub inputs: Vec<JobInput>,
    /// Estimated cost, debited now and corrected at the end, both in the day and month of the debit.
    pub row_megapixels: f64,
    /// Where the answer goes.
    pub delivery: Delivery,
    /// What it was found to be allowed by.
    pub admission: Admission,
}

/// A blob that a job is made from, and the part that it plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInput {
    /// A word; storage does not read it.
    pub role: String,
    /// The blob.
    pub blob: BlobKey,
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
    /// Row-megapixels a guild may spend a day, whatever its rules say.
    pub daily_row_megapixels: f64,
    /// Row-megapixels a person may spend a day in all places together; `None` for no limit.
    pub daily_row_megapixels_per_user: Option<f64>,
    /// Row-megapixels that all may spend a day together; `None` for no limit.
    pub daily_row_megapixels_host: Option<f64>,
    /// Row-megapixels a guild may spend a month, whatever its rules say; `None` for no limit.
    pub monthly_row_megapixels: Option<f64>,
    /// Row-megapixels a person may spend a month in all places together; `None` for no limit.
    pub monthly_row_megapixels_per_user: Option<f64>,
    /// Row-megapixels that all may spend a month together; `None` for no limit.
    pub monthly_row_megapixels_host: Option<f64>,
    /// Whether jobs of the tier relax cost nothing. Where a quota is 0 they are refused all the same.
    pub is_relax_free: bool,
    /// Queued and running jobs of one user.
    pub max_active_per_user: u32,
    /// Queued jobs of one guild.
    pub max_queued_per_guild: u32,
    /// Queued jobs of all guilds.
    pub max_queued: u32,
}

/// Who may run how many jobs at once. A person and a guild are held to theirs always. The number of all jobs is not a wall: somebody with
/// nothing running may go beyond it, up to twice as many, because the engine puts the steps of all jobs into the same batches; one more
/// costs memory, and waiting for the end of another's long job would cost minutes. That is why no slot is kept free: alone, a guild uses all.
#[derive(Clone, Copy, Debug)]
pub struct RunningLimits {
    /// Jobs at once; for somebody with nothing running, twice as many.
    pub max_running: u32,
    /// Jobs of one user at once.
    pub max_running_per_user: u32,
    /// Jobs of one guild at once; never all that may run beyond `max_running`, so that another guild finds a slot.
    pub max_running_per_guild: u32,
}

impl RunningLimits {
    /// How many jobs the user and the guild of the next one may have running when `n_running` are; `None` when nobody may start another.
    pub(crate) fn bounds(&self, n_running: u32) -> Option<(u32, u32)> {
        let most = self.max_running.saturating_mul(2);
        let in_guild = self.max_running_per_guild.min(most.saturating_sub(1));
        match n_running {
            n if n < self.max_running => Some((self.max_running_per_user, in_guild)),
            n if n < most => Some((1, in_guild)),
            _ => None,
        }
    }
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
    /// The rules that it was judged by have changed since. Nothing was changed.
    JudgedByOldRules,
}

/// Which limit refused a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// A quota of a day or a month: where several are in the way, the one with the least left.
    Quota {
        /// Which one.
        of: QuotaOf,
        /// How it stands.
        quota: QuotaStatus,
        /// Row-megapixels that the job would take.
        cost: f64,
    },
    /// Jobs of this user at once.
    UserBusy {
        /// Jobs now.
        active: u32,
        /// The limit.
        limit: u32,
    },
    /// The pause after the person's last job.
    Pause {
        /// When it is over.
        again: Timestamp,
    },
    /// Queued jobs of this guild.
    GuildFull {
        /// The limit.
        limit: u32,
        /// When there may be a place, by the claims of late.
        again: Option<Timestamp>,
    },
    /// Queued jobs of all guilds.
    QueueFull {
        /// The limit.
        limit: u32,
        /// When there may be a place, by the claims of late.
        again: Option<Timestamp>,
    },
}
