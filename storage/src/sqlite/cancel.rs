//! A person asks to stop a job, or for less of it.

use super::{
    SqliteStore,
    ending::{Ending, Open, end, open_columns},
    quota::Charge,
    rows::{bytes, status},
    turns,
};
use crate::{error::StorageError, ids::*, jobs::*};

pub(super) async fn request_cancel(store: &SqliteStore, id: JobId, now: Timestamp) -> Result<Cancelled, StorageError> {
    const OPEN: &str = concat!("SELECT ", open_columns!(), " FROM jobs WHERE id = ?");
    const ASK: &str = "UPDATE jobs SET is_cancel_requested = 1 WHERE id = ?";
    let mut tx = store.begin().await?;
    let word: Option<String> = sqlx::query_scalar("SELECT status FROM jobs WHERE id = ?").bind(bytes(id)).fetch_optional(&mut *tx).await?;
    let word = word.ok_or_else(|| StorageError::MissingJob(id.to_string()))?;
    let answer = match status(&word).ok_or_else(|| StorageError::corrupt("status", id))? {
        JobStatus::Queued => {
            let job: Open = sqlx::query_as(OPEN).bind(bytes(id)).fetch_one(&mut *tx).await?;
            end(&mut tx, &job, Ending { status: JobStatus::Cancelled, charge: Charge::Refund, failure: None }, now).await?;
            turns::leave(&mut tx, job.lane()?).await?;
            Cancelled::Now
        }
        JobStatus::Leased => {
            sqlx::query(ASK).bind(bytes(id)).execute(&mut *tx).await?;
            Cancelled::Requested
        }
        ended => Cancelled::Already(ended),
    };
    tx.commit().await?;
    Ok(answer)
}

pub(super) async fn want_less(store: &SqliteStore, id: JobId, less: Less) -> Result<JobStatus, StorageError> {
    const STOP: &str = "UPDATE jobs SET is_stop_requested = 1 WHERE id = ? AND finished IS NULL";
    const CULL: &str = "UPDATE jobs SET culled = culled | ?2 WHERE id = ?1 AND finished IS NULL";
    let mut tx = store.begin().await?;
    let write = match less {
        Less::Stop => sqlx::query(STOP).bind(bytes(id)),
        Less::Without(index) => sqlx::query(CULL).bind(bytes(id)).bind(1_u32.checked_shl(index).unwrap_or(0)),
    };
    write.execute(&mut *tx).await?;
    let word: Option<String> = sqlx::query_scalar("SELECT status FROM jobs WHERE id = ?").bind(bytes(id)).fetch_optional(&mut *tx).await?;
    let word = word.ok_or_else(|| StorageError::MissingJob(id.to_string()))?;
    tx.commit().await?;
    status(&word).ok_or_else(|| StorageError::corrupt("status", id))
}
