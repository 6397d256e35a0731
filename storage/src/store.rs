//! The borders that every database behind us keeps. Whoever needs only one of them takes only that one: `Arc<dyn JobStore>` becomes
//! `Arc<dyn Outbox>` by itself.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    checkpoints::Checkpoints, choices::Choices, drafts::Draft, enqueue::*, error::StorageError, failure::Failure, favourites::Favourites,
    guilds::GuildSettings, ids::*, images::NewImage, jobs::*, moderation::Moderation, outbox::OutboxItem, policy::Policy, privacy::Privacy,
    quota::*, received::Reception, states::States, turns::Tier,
};

/// All that is recorded but the bytes of pictures: the truth.
pub trait JobStore:
    Queue + Checkpoints + Choices + Outbox + History + Guilds + Ledger + Reception + States + Favourites + Policy + Moderation + Privacy
{
}

impl<
    T: Queue + Checkpoints + Choices + Outbox + History + Guilds + Ledger + Reception + States + Favourites + Policy + Moderation + Privacy,
> JobStore for T
{
}

/// Jobs that wait and run: how they come in, who works on them, how they end.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Records a job and debits its guild, its user and the host in one transaction, unless it is known or a limit refuses it. Asked in this order: key, press, user,
    /// guild, queue, quota.
    async fn enqueue(&self, job: NewJob, limits: &Limits, now: Timestamp) -> Result<Enqueued, StorageError>;
    /// The job that answers a press, and its status; `None` where the next such press makes a new one.
    async fn pressed(&self, key: &str) -> Result<Option<(JobId, JobStatus)>, StorageError>;
    /// The next job by fair turns ([`turns`](crate::turns)) whose user and guild may run another one, leased for `lease`; `None` if nothing such
    /// waits. Of the first few, one whose model is `resident` is preferred, but the very first is passed four times at most. While fast jobs wait
    /// that may run, a quarter of the slots goes to the tier relax. Nothing is leased beside a job that was interrupted before it got any further,
    /// until it has; one that was interrupted twice is leased only when nothing runs. Jobs of a paused guild wait.
    async fn claim(
        &self,
        lease: Duration,
        limits: &RunningLimits,
        resident: &[String],
        now: Timestamp,
    ) -> Result<Option<Lease>, StorageError>;
    /// Prolongs a lease, even one that expired if nobody reaped it; also how a worker learns of a cancel.
    async fn renew(&self, lease: &Lease, duration: Duration, now: Timestamp) -> Result<Written, StorageError>;
    /// Replaces what the person who asked should know of the job's pictures.
    async fn set_notes(&self, lease: &Lease, notes: &serde_json::Value) -> Result<Written, StorageError>;
    /// Records a finished picture of a job that is not done yet. The first with its number stays: who works on the job after this worker is told
    /// of it by [`Lease::images`]. Until the job is done nobody else is; where it never is, the picture stays for the record.
    async fn record_image(&self, lease: &Lease, image: &NewImage) -> Result<Written, StorageError>;
    /// One transaction: done, history, settled quota, outbox row. Its pictures are those that were recorded.
    async fn complete(&self, lease: &Lease, row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError>;
    /// Fails the job for good and refunds it; outbox row.
    async fn fail(&self, lease: &Lease, failure: &Failure, now: Timestamp) -> Result<Written, StorageError>;
    /// Ends a job whose cancel was requested, charging what was really computed; outbox row.
    async fn finish_cancel(&self, lease: &Lease, row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError>;
    /// Puts a leased job back in its old place, as a worker does that shuts down in order; the attempt is not counted. Like `renew` and
    /// `complete` it tells of a cancel instead.
    async fn release(&self, lease: &Lease, now: Timestamp) -> Result<Written, StorageError>;
    /// Asks to stop a job.
    ///
    /// # Errors
    /// [`StorageError::MissingJob`] if there is none.
    async fn request_cancel(&self, id: JobId, now: Timestamp) -> Result<Cancelled, StorageError>;
    /// Notes that less of a job is wanted, for whoever works on it and after them; its status: of one that has ended nothing is noted.
    ///
    /// # Errors
    /// [`StorageError::MissingJob`] if there is none.
    async fn want_less(&self, id: JobId, less: Less) -> Result<JobStatus, StorageError>;
    /// Requeues jobs with expired leases (all leases if `all`, as a start-up under the process lock does); those that were given by a clock
    /// that was set back since are counted from now. Cancelled ones end; after 3 attempts in a row that got no further a job fails and is refunded.
    /// Returns how many were requeued or ended.
    async fn reap(&self, all: bool, now: Timestamp) -> Result<u32, StorageError>;
    /// The jobs that have the next `n` turns, in their order (those whose user or guild runs enough are passed over), but for those of paused guilds.
    async fn queue(&self, n: u32) -> Result<Vec<JobId>, StorageError>;
    /// All jobs that wait, in the order of their arrival.
    async fn waiting(&self) -> Result<Vec<JobId>, StorageError>;
    /// Holds a guild's waiting jobs back for somebody, or lets them go on without anybody; whether that changes anything. What runs goes on.
    async fn pause(&self, guild: GuildId, by: Option<UserId>, now: Timestamp) -> Result<bool, StorageError>;
    /// The guilds whose jobs are held back, and by whom.
    async fn paused(&self) -> Result<Vec<(GuildId, UserId)>, StorageError>;
    /// Up to `n` jobs that run, and then that wait, the oldest first: those of a guild, of a person or of both.
    async fn unfinished(&self, guild: Option<GuildId>, user: Option<UserId>, n: u32) -> Result<Vec<Job>, StorageError>;
    /// Counts of waiting and running jobs.
    async fn queue_status(&self) -> Result<QueueStatus, StorageError>;
    /// How old the queue is, and how many endings wait for their delivery.
    async fn backlog(&self) -> Result<Backlog, StorageError>;
}

/// Endings on their way to people, and the messages that show jobs.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Deliveries that are due, oldest first: those that have not been tried, those that waited long enough after a try, and those that a clock set
    /// back would hold for longer than that.
    async fn outbox(&self, now: Timestamp, n: u32) -> Result<Vec<OutboxItem>, StorageError>;
    /// How long until the next of those that are not due becomes due.
    async fn outbox_due(&self, now: Timestamp) -> Result<Option<Duration>, StorageError>;
    /// A new message with the ending is about to be sent into this channel. Remembered until the delivery is over, so that who tries it again looks
    /// there first.
    async fn posting(&self, job: JobId, channel: u64) -> Result<(), StorageError>;
    /// A delivery arrived, as this message if there is one. The interaction's token is erased.
    async fn delivered(&self, job: JobId, message: Option<u64>) -> Result<(), StorageError>;
    /// The same of a done job of whose pictures some were lost before they could be shown: these are recorded no more, and their shares of the price are
    /// given back.
    async fn delivered_without(&self, job: JobId, lost: &[u32], message: Option<u64>) -> Result<(), StorageError>;
    /// A try failed; the next one is due after `pause`.
    async fn delivery_failed(&self, job: JobId, error: &str, now: Timestamp, pause: Duration) -> Result<(), StorageError>;
    /// There is no way to the user: the ending is kept in the history alone. The interaction's token is erased.
    async fn undeliverable(&self, job: JobId, error: &str) -> Result<(), StorageError>;
    /// The pictures of a done job cannot be shown any more: while its ending is on its way it fails after all, and its price is given back, once.
    /// Nothing happens to a job that is not done, or whose ending was delivered.
    async fn lose(&self, job: JobId, failure: &Failure) -> Result<(), StorageError>;
    /// Remembers the message that shows a job.
    ///
    /// # Errors
    /// [`StorageError::MissingJob`] if there is none.
    async fn set_message(&self, id: JobId, message: u64) -> Result<(), StorageError>;
}

/// Jobs and their pictures, and what people typed.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// One job.
    async fn job(&self, id: JobId) -> Result<Option<Job>, StorageError>;
    /// A done job's pictures by index.
    async fn images(&self, id: JobId) -> Result<Vec<NewImage>, StorageError>;
    /// Jobs that ended in any way (and are not deleted), newest first, and whether there are more after them.
    async fn history(&self, filter: HistoryFilter, offset: u32, n: u32) -> Result<(Vec<Job>, bool), StorageError>;
    /// The page beside a job, newest first: as much is read for the last page as for the first. A page at the newest end begins with the newest
    /// job, and so does that beside a job which is unknown.
    async fn history_beside(&self, filter: HistoryFilter, beside: Beside, n: u32) -> Result<HistoryPage, StorageError>;
    /// Up to `n` done jobs that are not deleted and come from a job, in the order in which they came in.
    async fn children(&self, id: JobId, n: u32) -> Result<Vec<Job>, StorageError>;
    /// A small picture of a finished job, if one was kept.
    async fn thumbnail(&self, id: JobId) -> Result<Option<BlobKey>, StorageError>;
    /// Keeps a small picture of a finished job. `false` if nothing refers to the blob then: the job was deleted meanwhile, and the blob may go.
    async fn set_thumbnail(&self, id: JobId, blob: &BlobKey) -> Result<bool, StorageError>;
    /// Hides a job that ended with its pictures, and releases its press; returns blobs that nothing names any more, see
    /// [`unnamed`](Self::unnamed).
    ///
    /// # Errors
    /// [`StorageError::MissingJob`] or [`StorageError::NotFinal`].
    async fn delete(&self, id: JobId, now: Timestamp) -> Result<Vec<BlobKey>, StorageError>;
    /// Those of some blobs that nothing names: no picture of a job that is shown or may be yet, no small picture and no input. Inputs of jobs that
    /// ended name uploads until the last of these jobs is deleted; a picture that was deleted is named only by jobs that wait or run.
    async fn unnamed(&self, blobs: &[BlobKey]) -> Result<Vec<BlobKey>, StorageError>;
    /// Up to `n` pictures of done jobs that are not deleted: job, index and blob, in the order in which the jobs came in; those after one of them,
    /// or from the first.
    async fn shown_pictures(&self, after: Option<(JobId, u32)>, n: u32) -> Result<Vec<(JobId, u32, BlobKey)>, StorageError>;
    /// Forgets tasks, notes and pictures of up to `n` jobs that ended before a time and whose ending is on its way to nobody; how many. The jobs
    /// stay in the history.
    async fn forget(&self, before: Timestamp, n: u32, now: Timestamp) -> Result<u32, StorageError>;
    /// The time to reckon with when what is too old is looked for: the present, but at most a day later than the last time that this was asked. After
    /// a pause of the program it takes as many looks to come up to the present; so it does where the clock leaps ahead, which makes nothing old at
    /// once. A clock that was set back is followed.
    async fn sweeping(&self, now: Timestamp) -> Result<Timestamp, StorageError>;
    /// Keeps what somebody typed; of one person's drafts the newest [`MAX_DRAFTS`](crate::MAX_DRAFTS) stay.
    async fn keep_draft(&self, draft: &Draft) -> Result<(), StorageError>;
    /// A draft.
    async fn draft(&self, id: DraftId) -> Result<Option<Draft>, StorageError>;
    /// Forgets drafts that were kept before a time; how many.
    async fn forget_drafts(&self, before: Timestamp) -> Result<u64, StorageError>;
}

/// What guilds chose, and small remembered values.
#[async_trait]
pub trait Guilds: Send + Sync + 'static {
    /// A guild's settings.
    async fn guild_settings(&self, guild: GuildId) -> Result<GuildSettings, StorageError>;
    /// Replaces a guild's settings.
    async fn set_guild_settings(&self, guild: GuildId, settings: GuildSettings) -> Result<(), StorageError>;
    /// What a guild's managers allow, ordered by subject and period.
    async fn quota_rules(&self, guild: GuildId) -> Result<Vec<QuotaRule>, StorageError>;
    /// Sets or changes a rule. What is left of the time before it was there goes over nowhere.
    async fn set_quota_rule(&self, guild: GuildId, rule: &QuotaRule, now: Timestamp) -> Result<(), StorageError>;
    /// Takes a rule away; whether there was one.
    async fn remove_quota_rule(&self, guild: GuildId, subject: Subject, period: Period) -> Result<bool, StorageError>;
    /// How a person's jobs take their turns in a guild where they do not say it, if they chose that.
    async fn speed(&self, guild: GuildId, user: UserId) -> Result<Option<Tier>, StorageError>;
    /// Remembers how a person's jobs take their turns in a guild.
    async fn set_speed(&self, guild: GuildId, user: UserId, tier: Tier) -> Result<(), StorageError>;
    /// A remembered value, such as the hash of the registered commands.
    async fn note(&self, key: &str) -> Result<Option<String>, StorageError>;
    /// Remembers a value.
    async fn set_note(&self, key: &str, value: &str) -> Result<(), StorageError>;
}

/// What was spent.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Spent and limit of this day and this month of everything that bounds what somebody asks for; the one with the least left comes first.
    async fn quotas(&self, spender: &Spender, limits: &Limits, now: Timestamp) -> Result<Vec<(QuotaOf, QuotaStatus)>, StorageError>;
    /// Lets what a person, or without one the guild, has used there in this day or month count no more; how many row-megapixels that was. What
    /// was debited before stays corrected at its end.
    async fn forgive(&self, guild: GuildId, user: Option<UserId>, period: Period, now: Timestamp) -> Result<f64, StorageError>;
}
