//! States of pictures that were handed out before their end.

use async_trait::async_trait;
use rusqlite::Connection;
use sqlx::SqliteConnection;

use super::{SqliteStore, ending::Open, held::write_uncancelled, keeping::unnamed, rows::bytes, sql::sql};
use crate::{
    error::StorageError,
    ids::{BlobKey, JobId, Timestamp},
    jobs::{Lease, Written},
    states::{KeptState, States},
};

from_row! {
    struct StateRow {
        number: u32,
        blob: String,
        bytes: i64,
        done: u32,
        total: u32,
    }
}

/// Jobs with states, the newest first, that no job which waits or runs comes from: when they were kept, and their bytes.
const BY_AGE: &str = "SELECT job, max(created) AS kept, sum(bytes), \
        job IN (SELECT parent.seq FROM jobs JOIN jobs AS parent ON parent.id = jobs.parent WHERE jobs.status IN ('queued', 'leased')) \
    FROM states GROUP BY job ORDER BY kept DESC, job DESC";

#[async_trait]
impl States for SqliteStore {
    async fn keep_state(&self, lease: &Lease, state: &KeptState, now: Timestamp) -> Result<Written, StorageError> {
        const KEEP: &str = "INSERT INTO states (job, number, blob, bytes, done, total, created) VALUES (?, ?, ?, ?, ?, ?, ?) \
            ON CONFLICT (job, number) DO UPDATE \
            SET blob = excluded.blob, bytes = excluded.bytes, done = excluded.done, total = excluded.total, created = excluded.created";
        let KeptState { index, blob, n_bytes, done, total } = state.clone();
        let keep = move |db: &Connection, job: &Open| {
            let write = sql(KEEP).bind(job.seq).bind(index).bind(blob.as_str()).bind(n_bytes.cast_signed());
            write.bind(done).bind(total).bind(now.0).execute(db).map(drop)
        };
        write_uncancelled(self, lease, keep).await
    }

    async fn states(&self, job: JobId) -> Result<Vec<KeptState>, StorageError> {
        const OF_JOB: &str =
            "SELECT number, blob, bytes, done, total FROM states WHERE job = (SELECT seq FROM jobs WHERE id = ?) ORDER BY number";
        let rows: Vec<StateRow> = sqlx::query_as(OF_JOB).bind(bytes(job)).fetch_all(&self.readers).await?;
        let read = |StateRow { number: index, blob, bytes, done, total }| {
            let blob = BlobKey::parse(&blob).map_err(|_| StorageError::corrupt("blob key", job))?;
            Ok(KeptState { index, blob, n_bytes: bytes.cast_unsigned(), done, total })
        };
        rows.into_iter().map(read).collect()
    }

    async fn forget_states(&self, before: Timestamp, max_bytes: u64) -> Result<Vec<BlobKey>, StorageError> {
        let mut tx = self.begin().await?;
        let jobs: Vec<(i64, i64, i64, bool)> = sqlx::query_as(BY_AGE).fetch_all(&mut *tx).await?;
        let (mut n_bytes, mut dropped) = (0_u64, Vec::new());
        for (job, kept, bytes, is_needed_still) in jobs {
            n_bytes += bytes.cast_unsigned();
            if !is_needed_still && (kept < before.0 || n_bytes > max_bytes) {
                n_bytes -= bytes.cast_unsigned();
                dropped.extend(drop_all(&mut tx, job).await?);
            }
        }
        dropped.dedup();
        let unused = unnamed(&mut *tx, &dropped).await?;
        tx.commit().await?;
        unused.iter().map(|blob| BlobKey::parse(blob).map_err(|_| StorageError::corrupt("blob key", blob))).collect()
    }
}

/// Forgets the states of a job; their blobs, which others may name.
pub(super) async fn drop_all(db: &mut SqliteConnection, job: i64) -> Result<Vec<String>, StorageError> {
    Ok(sqlx::query_scalar("DELETE FROM states WHERE job = ? RETURNING blob").bind(job).fetch_all(db).await?)
}
