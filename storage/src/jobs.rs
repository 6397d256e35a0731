//! A job's row, its states and the answers to those who change it.

use crate::{checkpoints::Checkpoint, failure::Failure, ids::*, images::NewImage, turns::Tier};

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
    /// See [`NewJob::action`](crate::NewJob::action).
    pub action: String,
    /// How it takes its turns.
    pub tier: Tier,
    /// The task as JSON.
    pub task: serde_json::Value,
    /// See [`NewJob::model`](crate::NewJob::model).
    pub model: Option<String>,
    /// The job and picture that this one comes from.
    pub parent: Option<(JobId, u32)>,
    /// Estimated cost.
    pub row_megapixels: f64,
    /// Where the answer goes.
    pub delivery: Delivery,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What the person who asked should know of its pictures, as JSON.
    pub notes: Option<serde_json::Value>,
    /// Whether its owner or a moderator deleted it; its pictures are gone.
    pub is_deleted: bool,
    /// Whether it was too old to be kept: its task is null, and its pictures are gone.
    pub is_forgotten: bool,
    /// Whether somebody asked to stop it.
    pub is_cancel_requested: bool,
    /// Whether somebody asked for its pictures as they are at the next step.
    pub is_stop_requested: bool,
    /// A bit for each picture that somebody asked to leave out.
    pub culled: u32,
    /// Times it was claimed, and then interrupted, since it last got further (a new picture was recorded, or a state of more steps than ever kept), with the claim that it is under.
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
    /// Pictures that workers before this one finished, by index.
    pub images: Vec<NewImage>,
    /// Where its other pictures go on, as far as workers before this one came with them, by index.
    pub checkpoints: Vec<Checkpoint>,
}

/// The answer to a worker's write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Recorded.
    Done,
    /// Somebody asked to stop the job: nothing was recorded; call [`finish_cancel`](crate::Queue::finish_cancel).
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

/// What somebody wants less of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Less {
    /// Its pictures as they are at the next step.
    Stop,
    /// Not this picture.
    Without(u32),
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
    /// Whether it is for its person alone: then nothing of it ever stands in the channel for others, and nobody else finds it in a history.
    pub is_private: bool,
}

/// What the queue looks like now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Jobs that wait.
    pub queued: u32,
    /// Jobs that run.
    pub running: u32,
}

/// What has waited for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// When the oldest of the jobs that wait was enqueued.
    pub oldest: Option<Timestamp>,
    /// Endings that are still to be delivered.
    pub undelivered: u32,
}

/// Whose finished jobs to list.
#[derive(Clone, Debug)]
pub struct HistoryFilter {
    /// Only this guild.
    pub guild: GuildId,
    /// Only this user.
    pub user: Option<UserId>,
    /// Only what was asked for in these channels.
    pub channels: Option<Vec<u64>>,
}

/// Where a page of a history lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// After this job, of those that are older.
    Older(JobId),
    /// Before this job, of those that are newer.
    Newer(JobId),
}

/// One page of a history.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// Its jobs, newest first.
    pub jobs: Vec<Job>,
    /// Whether there are newer ones.
    pub has_newer: bool,
    /// Whether there are older ones.
    pub has_older: bool,
}
