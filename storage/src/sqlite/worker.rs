//! What a worker does with a job. Every write but the claim is refused when another lease was given since.

use std::time::Duration;

use sqlx::{FromRow, SqliteConnection};

use super::{
    SqliteStore, checkpoints,
    ending::{Ending, Open, end, open_columns},
    images,
    quota::Charge,
    rows::{JobRow, bytes, job_columns},
    turns,
};
use crate::{
    cost::to_row_pixels, enqueue::RunningLimits, error::StorageError, failure::Failure, ids::Timestamp, images::NewImage, jobs::*,
};

/// A job whose work was interrupted this often, without getting further, may be what stops its workers. It is worked on alone, and waits for
/// that in its place: those that ran beside the one that did it end in peace, and only that one runs out of attempts. One that gets further
/// while it is alone has company again.
const SUSPECT_AFTER: u32 = 2;

pub(super) const RUNNING: &str = "SELECT count(*), count(*) FILTER (WHERE attempts > ?) FROM jobs WHERE status = 'leased'";

pub(super) const CLAIM: &str = concat!(
    "UPDATE jobs SET status = 'leased', epoch = epoch + 1, attempts = attempts + 1, has_advanced = 0, lease_until = ?1 \
     WHERE seq = (SELECT seq FROM jobs AS waiting WHERE status = 'queued' \
        AND (SELECT count(*) FROM jobs WHERE status = 'leased' AND guild = waiting.guild) < ?3 \
        AND (SELECT count(*) FROM jobs WHERE status IN ('queued', 'leased') AND user = waiting.user AND status = 'leased') < ?2 \
        ORDER BY start_tag, seq LIMIT 1) \
     RETURNING epoch, user_tag, start_tag, ",
    job_columns!()
);

pub(super) async fn claim(
    store: &SqliteStore,
    lease: Duration,
    limits: &RunningLimits,
    now: Timestamp,
) -> Result<Option<Lease>, StorageError> {
    let mut tx = store.begin().await?;
    let (n_running, n_suspects): (u32, u32) = sqlx::query_as(RUNNING).bind(SUSPECT_AFTER).fetch_one(&mut *tx).await?;
    let Some((of_user, of_guild)) = limits.bounds(n_running).filter(|_| n_suspects == 0) else { return Ok(None) };
    let claim = sqlx::query(CLAIM).bind(now.after(lease).0).bind(of_user).bind(of_guild);
    let Some(row) = claim.fetch_optional(&mut *tx).await? else { return Ok(None) };
    turns::serve(&mut tx, &turns::Served::from_row(&row)?).await?;
    let epoch = sqlx::Row::try_get(&row, "epoch")?;
    let job: Job = JobRow::from_row(&row)?.try_into()?;
    if n_running > 0 && job.attempts > SUSPECT_AFTER {
        return Ok(None);
    }
    let images = images::all(&mut *tx, job.id).await?;
    let checkpoints = checkpoints::of_job(&mut tx, job.id).await?;
    tx.commit().await?;
    Ok(Some(Lease { job, epoch, images, checkpoints }))
}

pub(super) async fn renew(store: &SqliteStore, lease: &Lease, duration: Duration, now: Timestamp) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    if job.is_cancel_requested {
        return Ok(Written::CancelRequested);
    }
    let write = sqlx::query("UPDATE jobs SET lease_until = ?2 WHERE seq = ?1");
    write.bind(job.seq).bind(now.after(duration).0).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Written::Done)
}

pub(super) async fn set_notes(store: &SqliteStore, lease: &Lease, notes: &serde_json::Value) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    let write = sqlx::query("UPDATE jobs SET notes = ?2 WHERE seq = ?1");
    write.bind(job.seq).bind(notes.to_string()).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Written::Done)
}

pub(super) async fn record_image(store: &SqliteStore, lease: &Lease, image: &NewImage) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    if job.is_cancel_requested {
        return Ok(Written::CancelRequested);
    }
    if images::insert(&mut tx, job.seq, image).await? {
        advance(&mut tx, job.seq).await?;
        checkpoints::recorded(&mut tx, job.seq, image.index).await?;
    }
    tx.commit().await?;
    Ok(Written::Done)
}

pub(super) async fn complete(store: &SqliteStore, lease: &Lease, row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    if job.is_cancel_requested {
        return Ok(Written::CancelRequested);
    }
    let ending = Ending { status: JobStatus::Done, charge: Charge::Settle(to_row_pixels(row_megapixels)), failure: None };
    end(&mut tx, &job, ending, now).await?;
    tx.commit().await?;
    Ok(Written::Done)
}

pub(super) async fn fail(store: &SqliteStore, lease: &Lease, failure: &Failure, now: Timestamp) -> Result<Written, StorageError> {
    let ending = Ending { status: JobStatus::Failed, charge: Charge::Refund, failure: Some(failure) };
    give_up(store, lease, ending, now).await
}

pub(super) async fn finish_cancel(
    store: &SqliteStore,
    lease: &Lease,
    row_megapixels: f64,
    now: Timestamp,
) -> Result<Written, StorageError> {
    let ending = Ending { status: JobStatus::Cancelled, charge: Charge::Settle(to_row_pixels(row_megapixels)), failure: None };
    give_up(store, lease, ending, now).await
}

pub(super) async fn release(store: &SqliteStore, lease: &Lease) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    if job.is_cancel_requested {
        return Ok(Written::CancelRequested);
    }
    advance(&mut tx, job.seq).await?;
    requeue(&mut tx, &job).await?;
    tx.commit().await?;
    Ok(Written::Done)
}

/// Takes the attempt of a lease back: its work got further, or was given back in order.
pub(super) async fn advance(db: &mut SqliteConnection, seq: i64) -> Result<(), StorageError> {
    let uncount = sqlx::query("UPDATE jobs SET attempts = attempts - 1, has_advanced = 1 WHERE seq = ? AND has_advanced = 0");
    uncount.bind(seq).execute(db).await?;
    Ok(())
}

/// Puts a leased job back to wait, as the next of its user.
pub(super) async fn requeue(db: &mut SqliteConnection, job: &Open) -> Result<(), StorageError> {
    let write = sqlx::query("UPDATE jobs SET status = 'queued', lease_until = NULL WHERE seq = ?");
    write.bind(job.seq).execute(&mut *db).await?;
    turns::give_back(db, job.guild, job.user, job.row_pixels).await
}

async fn give_up(store: &SqliteStore, lease: &Lease, ending: Ending<'_>, now: Timestamp) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    end(&mut tx, &job, ending, now).await?;
    tx.commit().await?;
    Ok(Written::Done)
}

/// The leased job, if the lease is still the newest.
pub(super) async fn held(db: &mut SqliteConnection, lease: &Lease) -> Result<Option<Open>, StorageError> {
    const HELD: &str = concat!("SELECT ", open_columns!(), " FROM jobs WHERE id = ? AND epoch = ? AND status = 'leased'");
    Ok(sqlx::query_as(HELD).bind(bytes(lease.job.id)).bind(lease.epoch).fetch_optional(db).await?)
}
