//! The queue as people see it.

use super::{
    SqliteStore,
    rows::{bytes, job_id},
};
use crate::{
    error::StorageError,
    ids::{JobId, Timestamp},
    jobs::{Backlog, QueueStatus},
};

pub(super) async fn place(store: &SqliteStore, id: JobId) -> Result<Option<u32>, StorageError> {
    const PLACE: &str = "SELECT (SELECT count(*) FROM jobs WHERE status = 'queued' AND (start_tag, seq) <= (me.start_tag, me.seq)) \
        FROM jobs AS me WHERE me.id = ? AND me.status = 'queued'";
    Ok(sqlx::query_scalar(PLACE).bind(bytes(id)).fetch_optional(&store.readers).await?)
}

pub(super) async fn queue(store: &SqliteStore) -> Result<Vec<JobId>, StorageError> {
    const QUEUE: &str = "SELECT id FROM jobs WHERE status = 'queued' ORDER BY start_tag, seq";
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(QUEUE).fetch_all(&store.readers).await?;
    ids.iter().map(|id| job_id(id)).collect()
}

pub(super) async fn queue_status(store: &SqliteStore) -> Result<QueueStatus, StorageError> {
    const COUNTS: &str = "SELECT (SELECT count(*) FROM jobs WHERE status = 'queued'), (SELECT count(*) FROM jobs WHERE status = 'leased')";
    let (queued, running) = sqlx::query_as(COUNTS).fetch_one(&store.readers).await?;
    Ok(QueueStatus { queued, running })
}

pub(super) const BACKLOG: &str = "SELECT (SELECT min(created) FROM jobs WHERE status = 'queued'), \
    (SELECT count(*) FROM outbox WHERE state = 'pending')";

pub(super) async fn backlog(store: &SqliteStore) -> Result<Backlog, StorageError> {
    let (oldest, undelivered): (Option<i64>, u32) = sqlx::query_as(BACKLOG).fetch_one(&store.readers).await?;
    Ok(Backlog { oldest: oldest.map(Timestamp), undelivered })
}
