//! A person asks to stop a job, or for less of it.

use rusqlite::Connection;

use super::{
    SqliteStore,
    ending::{Ending, Open, end, open_columns},
    quota::Charge,
    rows::{bytes, status},
    sql::sql,
    turns,
};
use crate::{error::StorageError, ids::*, jobs::*};

pub(super) async fn request_cancel(store: &SqliteStore, id: JobId, now: Timestamp) -> Result<Cancelled, StorageError> {
    const OPEN: &str = concat!("SELECT ", open_columns!(), " FROM jobs WHERE id = ?");
    const ASK: &str = "UPDATE jobs SET is_cancel_requested = 1 WHERE id = ?";
    let cancel = move |db: &Connection| match status_of(db, id)? {
        JobStatus::Queued => {
            let job: Open = sql(OPEN).bind(bytes(id)).one(db)?;
            end(db, &job, Ending { status: JobStatus::Cancelled, charge: Charge::Refund, failure: None }, now)?;
            turns::leave(db, job.lane()?)?;
            Ok(Cancelled::Now)
        }
        JobStatus::Leased => {
            sql(ASK).bind(bytes(id)).execute(db)?;
            Ok(Cancelled::Requested)
        }
        ended => Ok(Cancelled::Already(ended)),
    };
    store.write(cancel).await
}

pub(super) async fn want_less(store: &SqliteStore, id: JobId, less: Less) -> Result<JobStatus, StorageError> {
    const STOP: &str = "UPDATE jobs SET is_stop_requested = 1 WHERE id = ? AND finished IS NULL";
    const CULL: &str = "UPDATE jobs SET culled = culled | ?2 WHERE id = ?1 AND finished IS NULL";
    let write = match less {
        Less::Stop => sql(STOP).bind(bytes(id)),
        Less::Without(index) => sql(CULL).bind(bytes(id)).bind(1_u32.checked_shl(index).unwrap_or(0)),
    };
    let want = move |db: &Connection| {
        write.execute(db)?;
        status_of(db, id)
    };
    store.write(want).await
}

fn status_of(db: &Connection, id: JobId) -> Result<JobStatus, StorageError> {
    let word: Option<String> = sql("SELECT status FROM jobs WHERE id = ?").bind(bytes(id)).optional(db)?;
    let word = word.ok_or_else(|| StorageError::MissingJob(id.to_string()))?;
    status(&word).ok_or_else(|| StorageError::corrupt("status", id))
}
