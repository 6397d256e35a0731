//! What is kept, and what no longer: which blobs something names, and jobs that are old enough to be forgotten.

use std::{collections::HashSet, time::Duration};

use sqlx::{SqliteConnection, SqliteExecutor};

use super::{
    SqliteStore,
    rows::{bytes, job_id},
    sql::sql,
};
use crate::{error::StorageError, ids::*};

/// Of a JSON list of blobs those that nothing names. A blob is named by a picture of a job that is done or may still be, by a
/// small picture, by what a picture goes on from, by an input of a job that has not ended and, unless somebody deleted the job that drew it, by an input of any job: an upload
/// stays until the last job that used it is deleted, a picture that was deleted goes even where something was made from it.
pub(super) const UNNAMED: &str = "SELECT value FROM json_each(?1) AS asked WHERE NOT ( \
    EXISTS (SELECT 1 FROM images JOIN jobs ON seq = images.job \
        WHERE blob = asked.value AND deleted IS NULL AND status IN ('done', 'queued', 'leased')) \
    OR EXISTS (SELECT 1 FROM jobs WHERE thumbnail = asked.value) \
    OR EXISTS (SELECT 1 FROM states WHERE blob = asked.value) \
    OR EXISTS (SELECT 1 FROM inputs JOIN jobs ON seq = inputs.job WHERE blob = asked.value AND status IN ('queued', 'leased')) \
    OR (EXISTS (SELECT 1 FROM inputs JOIN jobs ON seq = inputs.job WHERE blob = asked.value AND deleted IS NULL) \
        AND NOT EXISTS (SELECT 1 FROM images JOIN jobs ON seq = images.job WHERE blob = asked.value AND deleted IS NOT NULL)))";

pub(super) const TO_FORGET: &str = "SELECT seq FROM jobs WHERE finished IS NOT NULL AND forgotten IS NULL AND finished < ?1 \
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job = jobs.seq AND outbox.state = 'pending') ORDER BY finished, seq LIMIT ?2";

pub(super) const SHOWN: &str = "SELECT id, number, blob FROM images CROSS JOIN jobs ON seq = images.job \
    WHERE (images.job, number) > (coalesce((SELECT seq FROM jobs WHERE id = ?1), -1), ?2) AND status = 'done' AND deleted IS NULL \
    ORDER BY images.job, number LIMIT ?3";

pub(super) async fn shown_pictures(
    store: &SqliteStore,
    after: Option<(JobId, u32)>,
    n: u32,
) -> Result<Vec<(JobId, u32, BlobKey)>, StorageError> {
    let (job, number) = after.unzip();
    let read = sqlx::query_as(SHOWN).bind(job.map(bytes)).bind(number.unwrap_or(0)).bind(n);
    let rows: Vec<(Vec<u8>, u32, String)> = read.fetch_all(&store.lookers).await?;
    rows.into_iter().map(|(id, number, blob)| Ok((job_id(&id)?, number, BlobKey::parse(&blob)?))).collect()
}

/// Those of some blobs that nothing names, in their order.
pub(super) async fn unnamed(db: impl SqliteExecutor<'_>, blobs: &[String]) -> Result<Vec<String>, StorageError> {
    let asked = serde_json::Value::from(blobs).to_string();
    let unnamed: Vec<String> = sqlx::query_scalar(UNNAMED).bind(asked).fetch_all(db).await?;
    let unnamed: HashSet<&String> = unnamed.iter().collect();
    Ok(blobs.iter().filter(|blob| unnamed.contains(blob)).cloned().collect())
}

pub(super) async fn unnamed_keys(store: &SqliteStore, keys: &[BlobKey]) -> Result<Vec<BlobKey>, StorageError> {
    let blobs: Vec<String> = keys.iter().map(BlobKey::to_string).collect();
    unnamed(&store.lookers, &blobs).await?.iter().map(|blob| BlobKey::parse(blob)).collect()
}

/// How much older everything is with one look than with the one before.
const MOST_AT_ONCE: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn sweeping(store: &SqliteStore, now: Timestamp) -> Result<Timestamp, StorageError> {
    const NOTE: &str = "INSERT INTO swept (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = min(?1, at + ?2) RETURNING at";
    let most = i64::try_from(MOST_AT_ONCE.as_millis()).unwrap_or(i64::MAX);
    let note = sql(NOTE).bind(now.0).bind(most);
    store.write(move |db| note.one(db)).await.map(Timestamp)
}

pub(super) async fn forget(store: &SqliteStore, before: Timestamp, n: u32, now: Timestamp) -> Result<u32, StorageError> {
    let mut tx = store.begin().await?;
    let old: Vec<i64> = sqlx::query_scalar(TO_FORGET).bind(before.0).bind(n).fetch_all(&mut *tx).await?;
    for seq in &old {
        forget_one(&mut tx, *seq, now).await?;
    }
    tx.commit().await?;
    Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
}

pub(super) async fn forget_one(db: &mut SqliteConnection, seq: i64, now: Timestamp) -> Result<(), StorageError> {
    const JOB: &str = "UPDATE jobs SET task = 'null', notes = NULL, press = NULL, thumbnail = NULL, forgotten = ?2 WHERE seq = ?1";
    for rows in [
        "DELETE FROM images WHERE job = ?",
        "DELETE FROM inputs WHERE job = ?",
        "DELETE FROM states WHERE job = ?",
        "DELETE FROM favourites WHERE job = ?",
    ] {
        sqlx::query(rows).bind(seq).execute(&mut *db).await?;
    }
    sqlx::query(JOB).bind(seq).bind(now.0).execute(db).await?;
    Ok(())
}
