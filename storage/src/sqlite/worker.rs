//! What a worker does with the job that it has. Every write is refused when another lease was given since.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::{
    SqliteStore, checkpoints,
    ending::{Ending, Open, end},
    held::{advance, held, uncount},
    images,
    quota::Charge,
    turns,
};
use crate::{cost::to_row_pixels, error::StorageError, failure::Failure, ids::Timestamp, images::NewImage, jobs::*};

pub(super) async fn renew(store: &SqliteStore, lease: &Lease, duration: Duration, now: Timestamp) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    if job.is_cancel_requested {
        return Ok(Written::CancelRequested);
    }
    let write = sqlx::query("UPDATE jobs SET lease_since = ?2, lease_until = ?3 WHERE seq = ?1");
    write.bind(job.seq).bind(now.0).bind(now.after(duration).0).execute(&mut *tx).await?;
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
    uncount(&mut tx, job.seq).await?;
    requeue(&mut tx, &job).await?;
    tx.commit().await?;
    Ok(Written::Done)
}

/// Puts a leased job back to wait, as the next of its user.
pub(super) async fn requeue(db: &mut SqliteConnection, job: &Open) -> Result<(), StorageError> {
    let write = sqlx::query("UPDATE jobs SET status = 'queued', lease_until = NULL WHERE seq = ?");
    write.bind(job.seq).execute(&mut *db).await?;
    turns::give_back(db, job.lane()?, job.row_pixels).await
}

async fn give_up(store: &SqliteStore, lease: &Lease, ending: Ending<'_>, now: Timestamp) -> Result<Written, StorageError> {
    let mut tx = store.begin().await?;
    let Some(job) = held(&mut tx, lease).await? else { return Ok(Written::Fenced) };
    end(&mut tx, &job, ending, now).await?;
    tx.commit().await?;
    Ok(Written::Done)
}
