//! Endings on their way to a user, and the message that shows a job.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::{
    SqliteStore, quota,
    rows::{bytes, job_id},
};
use crate::{error::StorageError, failure::Failure, ids::*, outbox::OutboxItem};

macro_rules! due {
    ($which:literal) => {
        concat!(
            "SELECT jobs.id, outbox.attempts, outbox.posting FROM outbox JOIN jobs ON jobs.seq = outbox.job WHERE outbox.state = 'pending' AND ",
            $which,
            " LIMIT ?2"
        )
    };
}

pub(super) const DUE: &str = due!("outbox.due <= ?1 ORDER BY outbox.due, outbox.job");
/// Since then the clock was set back.
pub(super) const HELD: &str = due!("outbox.since > ?1 ORDER BY outbox.since, outbox.job");

pub(super) async fn outbox(store: &SqliteStore, now: Timestamp, n: u32) -> Result<Vec<OutboxItem>, StorageError> {
    let mut items = Vec::new();
    for which in [DUE, HELD] {
        let left = n.saturating_sub(u32::try_from(items.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        let rows: Vec<(Vec<u8>, u32, Option<i64>)> = sqlx::query_as(which).bind(now.0).bind(left).fetch_all(&store.readers).await?;
        for (id, attempts, posting) in rows {
            items.push(OutboxItem { job: job_id(&id)?, attempts, posting: posting.map(i64::cast_unsigned) });
        }
    }
    Ok(items)
}

pub(super) const NEXT: &str = "SELECT min(due) FROM outbox WHERE state = 'pending' AND due > ?";

pub(super) async fn outbox_due(store: &SqliteStore, now: Timestamp) -> Result<Option<Duration>, StorageError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).bind(now.0).fetch_one(&store.readers).await?;
    Ok(next.map(|next| Duration::from_millis(next.saturating_sub(now.0).unsigned_abs())))
}

pub(super) async fn posting(store: &SqliteStore, job: JobId, channel: u64) -> Result<(), StorageError> {
    let write = sqlx::query("UPDATE outbox SET posting = ? WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state = 'pending'");
    write.bind(channel.cast_signed()).bind(bytes(job)).execute(&mut *store.writer.take().await).await?;
    Ok(())
}

const DELIVERED: &str = "UPDATE outbox SET state = 'delivered', error = ? WHERE job = (SELECT seq FROM jobs WHERE id = ?)";

pub(super) async fn delivered(store: &SqliteStore, job: JobId, message: Option<u64>) -> Result<(), StorageError> {
    let mut tx = store.begin().await?;
    close(&mut tx, job, DELIVERED, None, message).await?;
    tx.commit().await
}

pub(super) async fn delivered_without(store: &SqliteStore, job: JobId, lost: &[u32], message: Option<u64>) -> Result<(), StorageError> {
    const OPEN: &str = "SELECT seq FROM jobs JOIN outbox ON outbox.job = seq WHERE id = ? AND status = 'done' AND state = 'pending'";
    let mut tx = store.begin().await?;
    let open: Option<i64> = sqlx::query_scalar(OPEN).bind(bytes(job)).fetch_optional(&mut *tx).await?;
    if let Some(seq) = open {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM images WHERE job = ?").bind(seq).fetch_one(&mut *tx).await?;
        let mut n_lost = 0;
        for number in lost {
            let forget = sqlx::query("DELETE FROM images WHERE job = ? AND number = ?").bind(seq).bind(number);
            n_lost += forget.execute(&mut *tx).await?.rows_affected().cast_signed();
        }
        quota::give_back_share(&mut tx, seq, n_lost, n).await?;
    }
    close(&mut tx, job, DELIVERED, None, message).await?;
    tx.commit().await
}

pub(super) async fn delivery_failed(
    store: &SqliteStore,
    job: JobId,
    error: &str,
    now: Timestamp,
    pause: Duration,
) -> Result<(), StorageError> {
    const RETRY: &str = "UPDATE outbox SET attempts = attempts + 1, error = ?, since = ?, due = ? \
        WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state = 'pending'";
    sqlx::query(RETRY).bind(error).bind(now.0).bind(now.after(pause).0).bind(bytes(job)).execute(&mut *store.writer.take().await).await?;
    Ok(())
}

pub(super) async fn undeliverable(store: &SqliteStore, job: JobId, error: &str) -> Result<(), StorageError> {
    // The word of the first version of the schema.
    const GIVE_UP: &str = "UPDATE outbox SET attempts = attempts + 1, error = ?, state = 'given_up' \
        WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state = 'pending'";
    let mut tx = store.begin().await?;
    close(&mut tx, job, GIVE_UP, Some(error), None).await?;
    tx.commit().await
}

pub(super) async fn lose(store: &SqliteStore, job: JobId, failure: &Failure) -> Result<(), StorageError> {
    const ENDING: &str = "UPDATE outbox SET kind = 'failed' WHERE job = (SELECT seq FROM jobs WHERE id = ? AND status = 'done') \
        AND state = 'pending' RETURNING job";
    const JOB: &str = "UPDATE jobs SET status = 'failed', error = ?2, press = NULL WHERE seq = ?1";
    let mut tx = store.begin().await?;
    let ending: Option<i64> = sqlx::query_scalar(ENDING).bind(bytes(job)).fetch_optional(&mut *tx).await?;
    let Some(seq) = ending else { return Ok(()) };
    sqlx::query(JOB).bind(seq).bind(failure.to_text()).execute(&mut *tx).await?;
    quota::give_back(&mut tx, seq).await?;
    tx.commit().await
}

pub(super) async fn set_message(store: &SqliteStore, id: JobId, message: u64) -> Result<(), StorageError> {
    let write = sqlx::query("UPDATE jobs SET message = ? WHERE id = ?");
    let written = write.bind(message.cast_signed()).bind(bytes(id)).execute(&mut *store.writer.take().await).await?;
    if written.rows_affected() == 0 { Err(StorageError::MissingJob(id.to_string())) } else { Ok(()) }
}

/// Ends a delivery and erases the token, a secret that nobody needs any more.
async fn close(
    db: &mut SqliteConnection,
    job: JobId,
    write: &'static str,
    error: Option<&str>,
    message: Option<u64>,
) -> Result<(), StorageError> {
    let closed = sqlx::query(write).bind(error).bind(bytes(job)).execute(&mut *db).await?;
    if closed.rows_affected() == 1 {
        let erase = sqlx::query("UPDATE jobs SET token = NULL, message = coalesce(?, message) WHERE id = ?");
        erase.bind(message.map(u64::cast_signed)).bind(bytes(job)).execute(db).await?;
    }
    Ok(())
}
