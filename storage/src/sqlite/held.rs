//! What every write of a worker begins with: whether the job is still its own.

use sqlx::SqliteConnection;

use super::{
    ending::{Open, open_columns},
    rows::bytes,
};
use crate::{error::StorageError, jobs::Lease};

/// The leased job, if the lease is still the newest.
pub(super) async fn held(db: &mut SqliteConnection, lease: &Lease) -> Result<Option<Open>, StorageError> {
    const HELD: &str = concat!("SELECT ", open_columns!(), " FROM jobs WHERE id = ? AND epoch = ? AND status = 'leased'");
    Ok(sqlx::query_as(HELD).bind(bytes(lease.job.id)).bind(lease.epoch).fetch_optional(db).await?)
}

/// Work got further than ever: attempts are counted anew from here. That happens at most once for each of its steps, so that no job is begun for ever.
pub(super) async fn advance(db: &mut SqliteConnection, seq: i64) -> Result<(), StorageError> {
    sqlx::query("UPDATE jobs SET attempts = 0, has_advanced = 1 WHERE seq = ? AND has_advanced = 0").bind(seq).execute(db).await?;
    Ok(())
}

/// Takes the attempt of a lease back that was given back in order.
pub(super) async fn uncount(db: &mut SqliteConnection, seq: i64) -> Result<(), StorageError> {
    const UNCOUNT: &str = "UPDATE jobs SET attempts = attempts - 1, has_advanced = 1 WHERE seq = ? AND has_advanced = 0";
    sqlx::query(UNCOUNT).bind(seq).execute(db).await?;
    Ok(())
}
