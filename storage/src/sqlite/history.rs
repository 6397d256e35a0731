//! What was made: jobs, and pages of them.

use super::{
    SqliteStore,
    images::{Need, is_needed},
    rows::{JobRow, bytes, job_columns, status},
};
use crate::{error::StorageError, ids::*, jobs::*};

pub(super) const HISTORY: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM jobs WHERE guild = ?1 AND (?2 IS NULL OR user = ?2) \
     AND (?5 IS NULL OR channel IN (SELECT value FROM json_each(?5))) AND finished IS NOT NULL AND deleted IS NULL \
     ORDER BY finished DESC, seq DESC LIMIT ?3 OFFSET ?4"
);

pub(super) async fn job(store: &SqliteStore, id: JobId) -> Result<Option<Job>, StorageError> {
    const JOB: &str = concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = ?");
    let row: Option<JobRow> = sqlx::query_as(JOB).bind(bytes(id)).fetch_optional(&store.readers).await?;
    row.map(Job::try_from).transpose()
}

pub(super) async fn history(store: &SqliteStore, filter: HistoryFilter, offset: u32, n: u32) -> Result<(Vec<Job>, bool), StorageError> {
    let user = filter.user.map(|user| user.0.cast_signed());
    let query = sqlx::query_as(HISTORY).bind(filter.guild.0.cast_signed()).bind(user);
    let channels = filter.channels.map(|channels| {
        let ids: Vec<String> = channels.iter().map(|id| id.cast_signed().to_string()).collect();
        format!("[{}]", ids.join(","))
    });
    let mut rows: Vec<JobRow> = query.bind(i64::from(n) + 1).bind(offset).bind(channels).fetch_all(&store.readers).await?;
    let has_more = rows.len() > n as usize;
    rows.truncate(n as usize);
    let jobs = rows.into_iter().map(Job::try_from).collect::<Result<_, _>>()?;
    Ok((jobs, has_more))
}

pub(super) async fn delete(store: &SqliteStore, id: JobId, now: Timestamp) -> Result<Vec<BlobKey>, StorageError> {
    const JOB: &str = "SELECT seq, status, thumbnail FROM jobs WHERE id = ?";
    const HIDE: &str = "UPDATE jobs SET deleted = coalesce(deleted, ?2), press = NULL, thumbnail = NULL WHERE seq = ?1";
    let mut tx = store.begin().await?;
    let found: Option<(i64, String, Option<String>)> = sqlx::query_as(JOB).bind(bytes(id)).fetch_optional(&mut *tx).await?;
    let (seq, word, thumbnail) = found.ok_or_else(|| StorageError::MissingJob(id.to_string()))?;
    if !status(&word).is_some_and(JobStatus::is_final) {
        return Err(StorageError::NotFinal(id.to_string()));
    }
    sqlx::query(HIDE).bind(seq).bind(now.0).execute(&mut *tx).await?;
    let mut blobs: Vec<String> =
        sqlx::query_scalar("DELETE FROM images WHERE job = ? RETURNING blob").bind(seq).fetch_all(&mut *tx).await?;
    blobs.extend(thumbnail);
    blobs.sort();
    blobs.dedup();
    let mut unused = Vec::new();
    for blob in blobs {
        if !is_needed(&mut tx, &blob, Need::LiveJobs).await? {
            unused.push(blob);
        }
    }
    let inputs: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT blob FROM inputs WHERE job = ? ORDER BY blob").bind(seq).fetch_all(&mut *tx).await?;
    for input in inputs {
        if !unused.contains(&input) && !is_needed(&mut tx, &input, Need::ShownJobs).await? {
            unused.push(input);
        }
    }
    tx.commit().await?;
    unused.iter().map(|blob| BlobKey::parse(blob).map_err(|_| StorageError::corrupt("blob key", id))).collect()
}
