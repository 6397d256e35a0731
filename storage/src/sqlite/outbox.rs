//! Endings on their way to a user, and the message that shows a job.

use super::{
    SqliteStore,
    rows::{bytes, job_id},
};
use crate::{error::StorageError, ids::*, outbox::OutboxItem};

pub(super) const DUE: &str = "SELECT jobs.id, outbox.attempts FROM outbox JOIN jobs ON jobs.seq = outbox.job \
    WHERE outbox.state = 'pending' AND outbox.due <= ? ORDER BY outbox.due, outbox.job LIMIT ?";

pub(super) async fn outbox(store: &SqliteStore, now: Timestamp, n: u32) -> Result<Vec<OutboxItem>, StorageError> {
    let rows: Vec<(Vec<u8>, u32)> = sqlx::query_as(DUE).bind(now.0).bind(n).fetch_all(&store.readers).await?;
    rows.into_iter().map(|(id, attempts)| Ok(OutboxItem { job: job_id(&id)?, attempts })).collect()
}

pub(super) async fn outbox_due(store: &SqliteStore) -> Result<Option<Timestamp>, StorageError> {
    let due: Option<i64> = sqlx::query_scalar("SELECT min(due) FROM outbox WHERE state = 'pending'").fetch_one(&store.readers).await?;
    Ok(due.map(Timestamp))
}

pub(super) async fn delivered(store: &SqliteStore, job: JobId, message: Option<u64>) -> Result<(), StorageError> {
    const DELIVERED: &str = "UPDATE outbox SET state = 'delivered', error = ? WHERE job = (SELECT seq FROM jobs WHERE id = ?)";
    close(store, job, DELIVERED, None, message).await
}

pub(super) async fn delivery_failed(store: &SqliteStore, job: JobId, error: &str, next: Option<Timestamp>) -> Result<(), StorageError> {
    const RETRY: &str = "UPDATE outbox SET attempts = attempts + 1, error = ?, due = ? \
        WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state = 'pending'";
    const GIVE_UP: &str = "UPDATE outbox SET attempts = attempts + 1, error = ?, state = 'given_up' \
        WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state = 'pending'";
    let Some(next) = next else { return close(store, job, GIVE_UP, Some(error), None).await };
    sqlx::query(RETRY).bind(error).bind(next.0).bind(bytes(job)).execute(&store.writer).await?;
    Ok(())
}

pub(super) async fn set_message(store: &SqliteStore, id: JobId, message: u64) -> Result<(), StorageError> {
    let write = sqlx::query("UPDATE jobs SET message = ? WHERE id = ?");
    let written = write.bind(message.cast_signed()).bind(bytes(id)).execute(&store.writer).await?;
    if written.rows_affected() == 0 { Err(StorageError::MissingJob(id.to_string())) } else { Ok(()) }
}

/// Ends a delivery and erases the token, a secret that nobody needs any more.
async fn close(
    store: &SqliteStore,
    job: JobId,
    write: &'static str,
    error: Option<&str>,
    message: Option<u64>,
) -> Result<(), StorageError> {
    let mut tx = store.begin().await?;
    let closed = sqlx::query(write).bind(error).bind(bytes(job)).execute(&mut *tx).await?;
    if closed.rows_affected() == 1 {
        let erase = sqlx::query("UPDATE jobs SET token = NULL, message = coalesce(?, message) WHERE id = ?");
        erase.bind(message.map(u64::cast_signed)).bind(bytes(job)).execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}
