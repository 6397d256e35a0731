//! What a worker does with the job that it has. Every write is refused when another lease was given since.

use std::time::Duration;

use rusqlite::Connection;

use super::{
    SqliteStore, checkpoints,
    ending::{Ending, Open, end},
    held::{self, advance, uncount, write_uncancelled},
    images,
    quota::Charge,
    sql::sql,
    turns,
};
use crate::{cost::to_row_pixels, error::StorageError, failure::Failure, ids::Timestamp, images::NewImage, jobs::*};

pub(super) async fn renew(store: &SqliteStore, lease: &Lease, duration: Duration, now: Timestamp) -> Result<Written, StorageError> {
    let renew = move |db: &Connection, job: &Open| {
        let write = sql("UPDATE jobs SET lease_since = ?2, lease_until = ?3 WHERE seq = ?1");
        write.bind(job.seq).bind(now.0).bind(now.after(duration).0).execute(db).map(drop)
    };
    write_uncancelled(store, lease, renew).await
}

pub(super) async fn set_notes(store: &SqliteStore, lease: &Lease, notes: &serde_json::Value) -> Result<Written, StorageError> {
    let notes = notes.to_string();
    let set =
        move |db: &Connection, job: &Open| sql("UPDATE jobs SET notes = ?2 WHERE seq = ?1").bind(job.seq).bind(notes).execute(db).map(drop);
    done(held::write(store, lease, set).await)
}

pub(super) async fn record_image(store: &SqliteStore, lease: &Lease, image: &NewImage) -> Result<Written, StorageError> {
    let image = image.clone();
    let record = move |db: &Connection, job: &Open| {
        if images::insert(db, job.seq, &image)? {
            advance(db, job.seq)?;
            checkpoints::recorded(db, job.seq, image.index)?;
        }
        Ok(())
    };
    write_uncancelled(store, lease, record).await
}

pub(super) async fn complete(store: &SqliteStore, lease: &Lease, row_megapixels: f64, now: Timestamp) -> Result<Written, StorageError> {
    let charge = Charge::Settle(to_row_pixels(row_megapixels));
    let complete = move |db: &Connection, job: &Open| end(db, job, Ending { status: JobStatus::Done, charge, failure: None }, now);
    write_uncancelled(store, lease, complete).await
}

pub(super) async fn fail(store: &SqliteStore, lease: &Lease, failure: &Failure, now: Timestamp) -> Result<Written, StorageError> {
    let failure = failure.clone();
    let fail = move |db: &Connection, job: &Open| {
        end(db, job, Ending { status: JobStatus::Failed, charge: Charge::Refund, failure: Some(&failure) }, now)
    };
    done(held::write(store, lease, fail).await)
}

pub(super) async fn finish_cancel(
    store: &SqliteStore,
    lease: &Lease,
    row_megapixels: f64,
    now: Timestamp,
) -> Result<Written, StorageError> {
    let charge = Charge::Settle(to_row_pixels(row_megapixels));
    let cancel = move |db: &Connection, job: &Open| end(db, job, Ending { status: JobStatus::Cancelled, charge, failure: None }, now);
    done(held::write(store, lease, cancel).await)
}

pub(super) async fn release(store: &SqliteStore, lease: &Lease) -> Result<Written, StorageError> {
    let release = |db: &Connection, job: &Open| {
        uncount(db, job.seq)?;
        requeue(db, job)
    };
    write_uncancelled(store, lease, release).await
}

fn done(written: Result<Option<()>, StorageError>) -> Result<Written, StorageError> {
    Ok(written?.map_or(Written::Fenced, |()| Written::Done))
}

/// Puts a leased job back to wait, as the next of its user.
pub(super) fn requeue(db: &Connection, job: &Open) -> Result<(), StorageError> {
    sql("UPDATE jobs SET status = 'queued', lease_until = NULL WHERE seq = ?").bind(job.seq).execute(db)?;
    turns::give_back(db, job.lane()?, job.row_pixels)
}
