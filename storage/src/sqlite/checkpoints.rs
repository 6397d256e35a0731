//! Pictures on their way: the newest state of each, until it is recorded or its job ends.

use async_trait::async_trait;
use rusqlite::Connection;

use super::{
    SqliteStore,
    ending::Open,
    held::{self, advance},
    rows::bytes,
    sql::sql,
};
use crate::{
    checkpoints::{Checkpoint, CheckpointLimits, Checkpoints, Kept},
    error::StorageError,
    ids::JobId,
    jobs::*,
};

from_row! {
    struct CheckpointRow {
        number: u32,
        steps: u32,
        state: Vec<u8>,
    }
}

#[async_trait]
impl Checkpoints for SqliteStore {
    async fn keep(&self, lease: &Lease, checkpoints: &[Checkpoint], limits: &CheckpointLimits) -> Result<Kept, StorageError> {
        let (checkpoints, limits) = (checkpoints.to_vec(), *limits);
        let keep = move |db: &Connection, job: &Open| {
            let mut n_left_out = 0;
            if job.is_cancel_requested {
                return Ok(Kept { written: Written::CancelRequested, n_left_out });
            }
            for checkpoint in &checkpoints {
                n_left_out += u32::from(!keep_one(db, job.seq, checkpoint, &limits)?);
            }
            Ok(Kept { written: Written::Done, n_left_out })
        };
        Ok(held::write(self, lease, keep).await?.unwrap_or(Kept { written: Written::Fenced, n_left_out: 0 }))
    }
}

/// Whether there was room for it.
fn keep_one(
    db: &Connection,
    job: i64,
    Checkpoint { index, n_steps, state }: &Checkpoint,
    limits: &CheckpointLimits,
) -> Result<bool, StorageError> {
    const IS_RECORDED: &str = "SELECT EXISTS (SELECT 1 FROM images WHERE job = ? AND number = ?)";
    const OTHERS: &str = "SELECT coalesce(sum(length(state)), 0) FROM checkpoints WHERE NOT (job = ? AND number = ?)";
    const STEPS: &str = "SELECT steps FROM checkpoints WHERE job = ? AND number = ?";
    const KEEP: &str = "INSERT INTO checkpoints (job, number, steps, state) VALUES (?, ?, ?, ?) \
        ON CONFLICT (job, number) DO UPDATE SET steps = max(steps, excluded.steps), state = excluded.state";
    if sql(IS_RECORDED).bind(job).bind(index).one(db)? {
        return Ok(true);
    }
    let others: i64 = sql(OTHERS).bind(job).bind(index).one(db)?;
    let n_bytes = state.len() as u64;
    if n_bytes > limits.max_bytes || others.cast_unsigned() + n_bytes > limits.max_bytes_in_all {
        return Ok(false);
    }
    let furthest: Option<u32> = sql(STEPS).bind(job).bind(index).optional(db)?;
    sql(KEEP).bind(job).bind(index).bind(n_steps).bind(&state[..]).execute(db)?;
    if furthest.is_none_or(|furthest| *n_steps > furthest) {
        advance(db, job)?;
    }
    Ok(true)
}

/// A picture was recorded: its state is of no use any more.
pub(super) fn recorded(db: &Connection, job: i64, index: u32) -> Result<(), StorageError> {
    const DROP: &str = "UPDATE checkpoints SET state = NULL WHERE job = ? AND number = ?";
    sql(DROP).bind(job).bind(index).execute(db)?;
    Ok(())
}

/// What is kept of a job, by index.
pub(super) fn of_job(db: &Connection, job: JobId) -> Result<Vec<Checkpoint>, StorageError> {
    const KEPT: &str = "SELECT number, steps, state FROM checkpoints \
        WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state IS NOT NULL ORDER BY number";
    let rows: Vec<CheckpointRow> = sql(KEPT).bind(bytes(job)).all(db)?;
    let read = |CheckpointRow { number: index, steps: n_steps, state }| Checkpoint { index, n_steps, state: state.into() };
    Ok(rows.into_iter().map(read).collect())
}
