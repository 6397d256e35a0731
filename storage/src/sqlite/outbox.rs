//! Endings on their way to a user, and the message that shows a job.

use std::time::Duration;

use rusqlite::Connection;

use super::{
    SqliteStore, quota,
    rows::{bytes, job_id},
    sql::{Sql, sql},
};
use crate::{error::StorageError, failure::Failure, ids::*, outbox::OutboxItem};

macro_rules! due {
    ($which:literal, $time:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $which,
            " AS which, outbox.",
            $time,
            " AS place, outbox.job, jobs.id, outbox.attempts, outbox.posting \
             FROM outbox CROSS JOIN jobs ON jobs.seq = outbox.job WHERE outbox.state = 'pending' AND outbox.",
            $condition,
            " ORDER BY outbox.",
            $time,
            ", outbox.job LIMIT ?2"
        )
    };
}

macro_rules! due_in_time {
    () => {
        due!("0", "due", "due <= ?1")
    };
}
/// Since then the clock was set back.
macro_rules! due_before_its_time {
    () => {
        due!("1", "since", "since > ?1")
    };
}

#[cfg(test)]
pub(super) const DUE: &str = due_in_time!();
#[cfg(test)]
pub(super) const HELD: &str = due_before_its_time!();
const ALL: &str = concat!(
    "SELECT id, attempts, posting FROM (SELECT * FROM (",
    due_in_time!(),
    ") UNION ALL SELECT * FROM (",
    due_before_its_time!(),
    ")) ORDER BY which, place, job LIMIT ?2"
);

pub(super) async fn outbox(store: &SqliteStore, now: Timestamp, n: u32) -> Result<Vec<OutboxItem>, StorageError> {
    let rows: Vec<(Vec<u8>, u32, Option<i64>)> = sqlx::query_as(ALL).bind(now.0).bind(n).fetch_all(&store.readers).await?;
    let item = |(id, attempts, posting): (Vec<u8>, _, Option<i64>)| {
        Ok(OutboxItem { job: job_id(&id)?, attempts, posting: posting.map(i64::cast_unsigned) })
    };
    rows.into_iter().map(item).collect()
}

pub(super) const NEXT: &str = "SELECT min(due) FROM outbox WHERE state = 'pending' AND due > ?";

pub(super) async fn outbox_due(store: &SqliteStore, now: Timestamp) -> Result<Option<Duration>, StorageError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).bind(now.0).fetch_one(&store.readers).await?;
    Ok(next.map(|next| Duration::from_millis(next.saturating_sub(now.0).unsigned_abs())))
}

pub(super) async fn posting(store: &SqliteStore, job: JobId, channel: u64) -> Result<(), StorageError> {
    let write = sql("UPDATE outbox SET posting = ? WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state = 'pending'");
    let write = write.bind(channel.cast_signed()).bind(bytes(job));
    store.write(move |db| write.execute(db).map(drop)).await
}

/// Ends a delivery, and with it erases the token, a secret that nobody needs any more.
macro_rules! close {
    ($how:literal) => {
        concat!(
            "UPDATE outbox SET ",
            $how,
            " WHERE job = (SELECT seq FROM jobs WHERE id = ?1) AND (state = 'pending' OR ?3); \
             UPDATE jobs SET token = NULL, message = coalesce(?4, message) WHERE id = ?1 AND changes() = 1"
        )
    };
}

const DELIVERED: &str = close!("state = 'delivered', error = ?2");

pub(super) async fn delivered(store: &SqliteStore, job: JobId, message: Option<u64>) -> Result<(), StorageError> {
    let write = arrived(job, message);
    // That something was sent, and where, is known before it is: whoever does not know that it arrived looks there first.
    store.remark(move |db| write.execute(db).map(drop)).await
}

fn arrived(job: JobId, message: Option<u64>) -> Sql {
    sql(DELIVERED).bind(bytes(job)).bind(None::<&str>).bind(true).bind(message.map(u64::cast_signed))
}

pub(super) async fn delivered_without(store: &SqliteStore, job: JobId, lost: &[u32], message: Option<u64>) -> Result<(), StorageError> {
    const OPEN: &str = "SELECT seq FROM jobs JOIN outbox ON outbox.job = seq WHERE id = ? AND status = 'done' AND state = 'pending'";
    let (lost, write) = (lost.to_vec(), arrived(job, message));
    let deliver = move |db: &Connection| {
        let open: Option<i64> = sql(OPEN).bind(bytes(job)).optional(db)?;
        if let Some(seq) = open {
            let n: i64 = sql("SELECT count(*) FROM images WHERE job = ?").bind(seq).one(db)?;
            let mut n_lost = 0;
            for number in lost {
                let forget = sql("DELETE FROM images WHERE job = ? AND number = ?").bind(seq).bind(number);
                n_lost += forget.execute(db)? as i64;
            }
            quota::give_back_share(db, seq, n_lost, n)?;
        }
        write.execute(db).map(drop)
    };
    store.write(deliver).await
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
    let write = sql(RETRY).bind(error).bind(now.0).bind(now.after(pause).0).bind(bytes(job));
    store.remark(move |db| write.execute(db).map(drop)).await
}

pub(super) async fn undeliverable(store: &SqliteStore, job: JobId, error: &str) -> Result<(), StorageError> {
    // The word of the first version of the schema.
    const GIVE_UP: &str = close!("attempts = attempts + 1, error = ?2, state = 'given_up'");
    let write = sql(GIVE_UP).bind(bytes(job)).bind(error).bind(false).bind(None::<i64>);
    store.write(move |db| write.execute(db).map(drop)).await
}

pub(super) async fn lose(store: &SqliteStore, job: JobId, failure: &Failure) -> Result<(), StorageError> {
    const ENDING: &str = "UPDATE outbox SET kind = 'failed' WHERE job = (SELECT seq FROM jobs WHERE id = ? AND status = 'done') \
        AND state = 'pending' RETURNING job";
    const JOB: &str = "UPDATE jobs SET status = 'failed', error = ?2, press = NULL WHERE seq = ?1";
    let failure = failure.to_text();
    let lose = move |db: &Connection| {
        let ending: Option<i64> = sql(ENDING).bind(bytes(job)).optional(db)?;
        let Some(seq) = ending else { return Ok(()) };
        sql(JOB).bind(seq).bind(failure).execute(db)?;
        quota::give_back(db, seq)
    };
    store.write(lose).await
}

pub(super) async fn set_message(store: &SqliteStore, id: JobId, message: u64) -> Result<(), StorageError> {
    let write = sql("UPDATE jobs SET message = ? WHERE id = ?").bind(message.cast_signed()).bind(bytes(id));
    let n_written = store.write(move |db| write.execute(db)).await?;
    if n_written == 0 { Err(StorageError::MissingJob(id.to_string())) } else { Ok(()) }
}
