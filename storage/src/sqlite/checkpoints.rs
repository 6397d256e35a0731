//! Pictures on their way: the newest state of each, until it is recorded or its job ends.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::{
    SqliteStore,
    held::{advance, held},
    rows::bytes,
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
        let nothing = |written| Ok(Kept { written, n_left_out: 0 });
        let mut tx = self.begin().await?;
        let Some(job) = held(&mut tx, lease).await? else { return nothing(Written::Fenced) };
        if job.is_cancel_requested {
            return nothing(Written::CancelRequested);
        }
        let mut n_left_out = 0;
        for checkpoint in checkpoints {
            n_left_out += u32::from(!keep_one(&mut tx, job.seq, checkpoint, limits).await?);
        }
        tx.commit().await?;
        Ok(Kept { written: Written::Done, n_left_out })
    }
}

/// Whether there was room for it.
async fn keep_one(
    db: &mut SqliteConnection,
    job: i64,
    Checkpoint { index, n_steps, state }: &Checkpoint,
    limits: &CheckpointLimits,
) -> Result<bool, StorageError> {
    const IS_RECORDED: &str = "SELECT EXISTS (SELECT 1 FROM images WHERE job = ? AND number = ?)";
    const OTHERS: &str = "SELECT coalesce(sum(length(state)), 0) FROM checkpoints WHERE NOT (job = ? AND number = ?)";
    const STEPS: &str = "SELECT steps FROM checkpoints WHERE job = ? AND number = ?";
    const KEEP: &str = "INSERT INTO checkpoints (job, number, steps, state) VALUES (?, ?, ?, ?) \
        ON CONFLICT (job, number) DO UPDATE SET steps = max(steps, excluded.steps), state = excluded.state";
    if sqlx::query_scalar(IS_RECORDED).bind(job).bind(index).fetch_one(&mut *db).await? {
        return Ok(true);
    }
    let others: i64 = sqlx::query_scalar(OTHERS).bind(job).bind(index).fetch_one(&mut *db).await?;
    let n_bytes = state.len() as u64;
    if n_bytes > limits.max_bytes || others.cast_unsigned() + n_bytes > limits.max_bytes_in_all {
        return Ok(false);
    }
    let furthest: Option<u32> = sqlx::query_scalar(STEPS).bind(job).bind(index).fetch_optional(&mut *db).await?;
    sqlx::query(KEEP).bind(job).bind(index).bind(n_steps).bind(&state[..]).execute(&mut *db).await?;
    if furthest.is_none_or(|furthest| *n_steps > furthest) {
        advance(db, job).await?;
    }
    Ok(true)
}

/// A picture was recorded: its state is of no use any more.
pub(super) async fn recorded(db: &mut SqliteConnection, job: i64, index: u32) -> Result<(), StorageError> {
    const DROP: &str = "UPDATE checkpoints SET state = NULL WHERE job = ? AND number = ?";
    sqlx::query(DROP).bind(job).bind(index).execute(db).await?;
    Ok(())
}

/// What is kept of a job, by index.
pub(super) async fn of_job(db: &mut SqliteConnection, job: JobId) -> Result<Vec<Checkpoint>, StorageError> {
    const KEPT: &str = "SELECT number, steps, state FROM checkpoints \
        WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND state IS NOT NULL ORDER BY number";
    let rows: Vec<CheckpointRow> = sqlx::query_as(KEPT).bind(bytes(job)).fetch_all(db).await?;
    let read = |CheckpointRow { number: index, steps: n_steps, state }| Checkpoint { index, n_steps, state: state.into() };
    Ok(rows.into_iter().map(read).collect())
}
