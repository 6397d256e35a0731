//! What every write of a worker begins with: whether the job is still its own.

use rusqlite::Connection;

use super::{
    SqliteStore,
    ending::{Open, open_columns},
    rows::bytes,
    sql::sql,
};
use crate::{
    error::StorageError,
    jobs::{Lease, Written},
};

/// Writes to a leased job, if the lease is still the newest; what the writing says.
pub(super) async fn write<T: Send + 'static>(
    store: &SqliteStore,
    lease: &Lease,
    work: impl FnOnce(&Connection, &Open) -> Result<T, StorageError> + Send + 'static,
) -> Result<Option<T>, StorageError> {
    const HELD: &str = concat!("SELECT ", open_columns!(), " FROM jobs WHERE id = ? AND epoch = ? AND status = 'leased'");
    let held = sql(HELD).bind(bytes(lease.job.id)).bind(lease.epoch);
    let write = move |db: &Connection| {
        let job: Option<Open> = held.optional(db)?;
        job.map(|job| work(db, &job)).transpose()
    };
    store.write(write).await
}

/// The same for what is of no use once a cancel was requested, of which it tells instead.
pub(super) async fn write_uncancelled(
    store: &SqliteStore,
    lease: &Lease,
    work: impl FnOnce(&Connection, &Open) -> Result<(), StorageError> + Send + 'static,
) -> Result<Written, StorageError> {
    let written = write(store, lease, |db, job| match job.is_cancel_requested {
        true => Ok(Written::CancelRequested),
        false => work(db, job).map(|()| Written::Done),
    });
    Ok(written.await?.unwrap_or(Written::Fenced))
}

/// Work got further than ever: attempts are counted anew from here. That happens at most once for each of its steps, so that no job is begun for ever.
pub(super) fn advance(db: &Connection, seq: i64) -> Result<(), StorageError> {
    sql("UPDATE jobs SET attempts = 0, has_advanced = 1 WHERE seq = ? AND has_advanced = 0").bind(seq).execute(db)?;
    Ok(())
}

/// Takes the attempt of a lease back that was given back in order.
pub(super) fn uncount(db: &Connection, seq: i64) -> Result<(), StorageError> {
    const UNCOUNT: &str = "UPDATE jobs SET attempts = attempts - 1, has_advanced = 1 WHERE seq = ? AND has_advanced = 0";
    sql(UNCOUNT).bind(seq).execute(db)?;
    Ok(())
}
