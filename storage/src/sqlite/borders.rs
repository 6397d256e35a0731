//! The borders, each method by the file that does it.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    SqliteStore, cancel, claim, drafts, enqueue, guilds, history, images, keeping, outbox, pauses, queue, quota, reap, rules, thumbnails,
    worker,
};
use crate::{
    drafts::Draft, enqueue::*, error::StorageError, failure::Failure, guilds::GuildSettings, ids::*, images::NewImage, jobs::*,
    outbox::OutboxItem, quota::*, store::*, turns::Tier,
};

#[async_trait]
impl Queue for SqliteStore {
    async fn enqueue(&self, job: NewJob, limits: &Limits, now: Timestamp) -> Result<Enqueued, StorageError> {
        enqueue::enqueue(self, job, limits, now).await
    }

    async fn pressed(&self, key: &str) -> Result<Option<(JobId, JobStatus)>, StorageError> {
        enqueue::pressed(self, key).await
    }

    async fn claim(
        &self,
        lease: Duration,
        limits: &RunningLimits,
        resident: &[String],
        now: Timestamp,
    ) -> Result<Option<Lease>, StorageError> {
        claim::claim(self, lease, limits, resident, now).await
    }

    async fn renew(&self, lease: &Lease, duration: Duration, now: Timestamp) -> Result<Written, StorageError> {
        worker::renew(self, lease, duration, now).await
    }

    async fn set_notes(&self, lease: &Lease, notes: &serde_json::Value) -> Result<Written, StorageError> {
        worker::set_notes(self, lease, notes).await
    }

    async fn record_image(&self, lease: &Lease, image: &NewImage) -> Result<Written, StorageError> {
        worker::record_image(self, lease, image).await
    }

    async fn complete(&self, lease: &Lease, row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError> {
        worker::complete(self, lease, row_megapixels, now).await
    }

    async fn fail(&self, lease: &Lease, failure: &Failure, now: Timestamp) -> Result<Written, StorageError> {
        worker::fail(self, lease, failure, now).await
    }

    async fn finish_cancel(&self, lease: &Lease, row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError> {
        worker::finish_cancel(self, lease, row_megapixels, now).await
    }

    async fn release(&self, lease: &Lease, _now: Timestamp) -> Result<Written, StorageError> {
        worker::release(self, lease).await
    }

    async fn request_cancel(&self, id: JobId, now: Timestamp) -> Result<Cancelled, StorageError> {
        cancel::request_cancel(self, id, now).await
    }

    async fn want_less(&self, id: JobId, less: Less) -> Result<JobStatus, StorageError> {
        cancel::want_less(self, id, less).await
    }

    async fn reap(&self, all: bool, now: Timestamp) -> Result<u32, StorageError> {
        reap::reap(self, all, now).await
    }

    async fn queue(&self, n: u32) -> Result<Vec<JobId>, StorageError> {
        queue::queue(self, n).await
    }

    async fn waiting(&self) -> Result<Vec<JobId>, StorageError> {
        queue::waiting(self).await
    }

    async fn pause(&self, guild: GuildId, by: Option<UserId>, now: Timestamp) -> Result<bool, StorageError> {
        pauses::pause(self, guild, by, now).await
    }

    async fn paused(&self) -> Result<Vec<(GuildId, UserId)>, StorageError> {
        pauses::paused(self).await
    }

    async fn unfinished(&self, guild: Option<GuildId>, user: Option<UserId>, n: u32) -> Result<Vec<Job>, StorageError> {
        pauses::unfinished(self, guild, user, n).await
    }

    async fn queue_status(&self) -> Result<QueueStatus, StorageError> {
        queue::queue_status(self).await
    }

    async fn backlog(&self) -> Result<Backlog, StorageError> {
        queue::backlog(self).await
    }
}

#[async_trait]
impl Outbox for SqliteStore {
    async fn outbox(&self, now: Timestamp, n: u32) -> Result<Vec<OutboxItem>, StorageError> {
        outbox::outbox(self, now, n).await
    }

    async fn outbox_due(&self, now: Timestamp) -> Result<Option<Duration>, StorageError> {
        outbox::outbox_due(self, now).await
    }

    async fn posting(&self, job: JobId, channel: u64) -> Result<(), StorageError> {
        outbox::posting(self, job, channel).await
    }

    async fn delivered(&self, job: JobId, message: Option<u64>) -> Result<(), StorageError> {
        outbox::delivered(self, job, message).await
    }

    async fn delivered_without(&self, job: JobId, lost: &[u32], message: Option<u64>) -> Result<(), StorageError> {
        outbox::delivered_without(self, job, lost, message).await
    }

    async fn delivery_failed(&self, job: JobId, error: &str, now: Timestamp, pause: Duration) -> Result<(), StorageError> {
        outbox::delivery_failed(self, job, error, now, pause).await
    }

    async fn undeliverable(&self, job: JobId, error: &str) -> Result<(), StorageError> {
        outbox::undeliverable(self, job, error).await
    }

    async fn lose(&self, job: JobId, failure: &Failure) -> Result<(), StorageError> {
        outbox::lose(self, job, failure).await
    }

    async fn set_message(&self, id: JobId, message: u64) -> Result<(), StorageError> {
        outbox::set_message(self, id, message).await
    }
}

#[async_trait]
impl History for SqliteStore {
    async fn job(&self, id: JobId) -> Result<Option<Job>, StorageError> {
        history::job(self, id).await
    }

    async fn images(&self, id: JobId) -> Result<Vec<NewImage>, StorageError> {
        images::of_done(self, id).await
    }

    async fn history(&self, filter: HistoryFilter, offset: u32, n: u32) -> Result<(Vec<Job>, bool), StorageError> {
        history::history(self, filter, offset, n).await
    }

    async fn history_beside(&self, filter: HistoryFilter, beside: Beside, n: u32) -> Result<HistoryPage, StorageError> {
        history::history_beside(self, filter, beside, n).await
    }

    async fn children(&self, id: JobId, n: u32) -> Result<Vec<Job>, StorageError> {
        history::children(self, id, n).await
    }

    async fn thumbnail(&self, id: JobId) -> Result<Option<BlobKey>, StorageError> {
        thumbnails::thumbnail(self, id).await
    }

    async fn set_thumbnail(&self, id: JobId, blob: &BlobKey) -> Result<bool, StorageError> {
        thumbnails::set_thumbnail(self, id, blob).await
    }

    async fn delete(&self, id: JobId, now: Timestamp) -> Result<Vec<BlobKey>, StorageError> {
        history::delete(self, id, now).await
    }

    async fn unnamed(&self, blobs: &[BlobKey]) -> Result<Vec<BlobKey>, StorageError> {
        keeping::unnamed_keys(self, blobs).await
    }

    async fn shown_pictures(&self, after: Option<(JobId, u32)>, n: u32) -> Result<Vec<(JobId, u32, BlobKey)>, StorageError> {
        keeping::shown_pictures(self, after, n).await
    }

    async fn forget(&self, before: Timestamp, n: u32, now: Timestamp) -> Result<u32, StorageError> {
        keeping::forget(self, before, n, now).await
    }

    async fn sweeping(&self, now: Timestamp) -> Result<Timestamp, StorageError> {
        keeping::sweeping(self, now).await
    }

    async fn keep_draft(&self, draft: &Draft) -> Result<(), StorageError> {
        drafts::keep_draft(self, draft).await
    }

    async fn draft(&self, id: DraftId) -> Result<Option<Draft>, StorageError> {
        drafts::draft(self, id).await
    }

    async fn forget_drafts(&self, before: Timestamp) -> Result<u64, StorageError> {
        drafts::forget_drafts(self, before).await
    }
}

#[async_trait]
impl Guilds for SqliteStore {
    async fn guild_settings(&self, guild: GuildId) -> Result<GuildSettings, StorageError> {
        guilds::guild_settings(self, guild).await
    }

    async fn set_guild_settings(&self, guild: GuildId, settings: GuildSettings) -> Result<(), StorageError> {
        guilds::set_guild_settings(self, guild, settings).await
    }

    async fn quota_rules(&self, guild: GuildId) -> Result<Vec<QuotaRule>, StorageError> {
        rules::quota_rules(self, guild).await
    }

    async fn set_quota_rule(&self, guild: GuildId, rule: &QuotaRule, now: Timestamp) -> Result<(), StorageError> {
        rules::set_quota_rule(self, guild, rule, now).await
    }

    async fn remove_quota_rule(&self, guild: GuildId, subject: Subject, period: Period) -> Result<bool, StorageError> {
        rules::remove_quota_rule(self, guild, subject, period).await
    }

    async fn speed(&self, guild: GuildId, user: UserId) -> Result<Option<Tier>, StorageError> {
        guilds::speed(self, guild, user).await
    }

    async fn set_speed(&self, guild: GuildId, user: UserId, tier: Tier) -> Result<(), StorageError> {
        guilds::set_speed(self, guild, user, tier).await
    }

    async fn note(&self, key: &str) -> Result<Option<String>, StorageError> {
        guilds::note(self, key).await
    }

    async fn set_note(&self, key: &str, value: &str) -> Result<(), StorageError> {
        guilds::set_note(self, key, value).await
    }
}

#[async_trait]
impl Ledger for SqliteStore {
    async fn quotas(&self, spender: &Spender, limits: &Limits, now: Timestamp) -> Result<Vec<(QuotaOf, QuotaStatus)>, StorageError> {
        quota::quotas(self, spender, limits, now).await
    }

    async fn forgive(&self, guild: GuildId, user: Option<UserId>, period: Period, now: Timestamp) -> Result<f64, StorageError> {
        quota::forgive(self, guild, user, period, now).await
    }
}
