//! A person asks to stop a job.

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
