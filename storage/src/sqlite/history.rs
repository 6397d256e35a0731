//! What was made: jobs, and pages of them.

use sqlx::{Sqlite, sqlite::SqliteArguments};

use super::{
    SqliteStore, favourites,
    keeping::unnamed,
    rows::{JobRow, bytes, job_columns, status},
    states,
};
use crate::{error::StorageError, ids::*, jobs::*};

/// The statements of one direction, for each filter. All take the guild, the key of the job to begin beside (finished, seq), how many and how
/// many to skip; then the person and the channels (a JSON list), as far as they are asked for.
pub(super) struct Pages {
    pub(super) of_guild: &'static str,
    pub(super) of_user: &'static str,
    /// The newest of each channel, of which the newest are taken: as much is read for somebody who sees little of a large guild.
    pub(super) of_channels: &'static str,
    pub(super) of_user_in_channels: &'static str,
}

/// Pages on one side of a key, the nearest first. The index is named: with two bounds on `finished` SQLite (3.54) takes the guild's, and reads all
/// that others made.
macro_rules! pages {
    ($side:literal, $order:literal) => {
        Pages {
            of_guild: concat!("SELECT ", job_columns!(), pages!(which "jobs_finished", " AND is_private = 0", $side, $order), " LIMIT ?4 OFFSET ?5"),
            of_user: concat!(
                "SELECT ",
                job_columns!(),
                pages!(which "jobs_finished_by_user", " AND user = ?6", $side, $order),
                " LIMIT ?4 OFFSET ?5"
            ),
            of_channels: concat!(
                "SELECT ",
                job_columns!(),
                " FROM jobs WHERE seq IN (SELECT one.seq FROM json_each(?6) AS open CROSS JOIN jobs AS one ON one.seq IN (SELECT seq",
                pages!(which "jobs_finished_by_channel", " AND channel = open.value AND is_private = 0", $side, $order),
                " LIMIT ?4 + ?5)) ORDER BY finished ",
                $order,
                ", seq ",
                $order,
                " LIMIT ?4 OFFSET ?5"
            ),
            of_user_in_channels: concat!(
                "SELECT ",
                job_columns!(),
                pages!(which "jobs_finished_by_user", " AND user = ?6 AND channel IN (SELECT value FROM json_each(?7))", $side, $order),
                " LIMIT ?4 OFFSET ?5"
            ),
        }
    };
    (which $index:literal, $and:literal, $side:literal, $order:literal) => {
        concat!(
            " FROM jobs INDEXED BY ", $index, " WHERE guild = ?1", $and, " AND finished IS NOT NULL AND deleted IS NULL AND (finished, seq) ",
            $side, " (?2, ?3) ORDER BY finished ", $order, ", seq ", $order
        )
    };
}

pub(super) const OLDER: Pages = pages!("<", "DESC");
pub(super) const NEWER: Pages = pages!(">", "ASC");

/// Older than everything.
const NEWEST: (i64, i64) = (i64::MAX, i64::MAX);

pub(super) async fn job(store: &SqliteStore, id: JobId) -> Result<Option<Job>, StorageError> {
    const JOB: &str = concat!("SELECT ", job_columns!(), " FROM jobs WHERE id = ?");
    let row: Option<JobRow> = sqlx::query_as(JOB).bind(bytes(id)).fetch_optional(&store.readers).await?;
    row.map(Job::try_from).transpose()
}

pub(super) async fn children(store: &SqliteStore, id: JobId, n: u32) -> Result<Vec<Job>, StorageError> {
    const CHILDREN: &str = concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs WHERE parent = ?1 AND parent IS NOT NULL AND status = 'done' AND deleted IS NULL AND forgotten IS NULL ORDER BY seq LIMIT ?2"
    );
    let rows: Vec<JobRow> = sqlx::query_as(CHILDREN).bind(bytes(id)).bind(n).fetch_all(&store.lookers).await?;
    rows.into_iter().map(Job::try_from).collect()
}

pub(super) async fn history(store: &SqliteStore, filter: HistoryFilter, offset: u32, n: u32) -> Result<(Vec<Job>, bool), StorageError> {
    read(store, &OLDER, &filter, NEWEST, (offset, n)).await
}

pub(super) async fn history_beside(
    store: &SqliteStore,
    filter: HistoryFilter,
    beside: Beside,
    n: u32,
) -> Result<HistoryPage, StorageError> {
    const KEY: &str = "SELECT finished, seq FROM jobs WHERE id = ? AND guild = ? AND finished IS NOT NULL";
    let (Beside::Older(id) | Beside::Newer(id)) = beside;
    let key: Option<(i64, i64)> =
        sqlx::query_as(KEY).bind(bytes(id)).bind(filter.guild.0.cast_signed()).fetch_optional(&store.lookers).await?;
    match (beside, key) {
        (Beside::Older(_), Some(key)) => {
            let (jobs, has_older) = read(store, &OLDER, &filter, key, (0, n)).await?;
            return Ok(HistoryPage { jobs, has_newer: true, has_older });
        }
        (Beside::Newer(_), Some(key)) => {
            let (mut jobs, has_newer) = read(store, &NEWER, &filter, key, (0, n)).await?;
            if has_newer {
                jobs.reverse();
                return Ok(HistoryPage { jobs, has_newer, has_older: true });
            }
        }
        (_, None) => {}
    }
    let (jobs, has_older) = read(store, &OLDER, &filter, NEWEST, (0, n)).await?;
    Ok(HistoryPage { jobs, has_newer: false, has_older })
}

/// Up to `n` jobs beside a key, `offset` of them left out, and whether there are more.
async fn read(
    store: &SqliteStore,
    pages: &Pages,
    filter: &HistoryFilter,
    key: (i64, i64),
    (offset, n): (u32, u32),
) -> Result<(Vec<Job>, bool), StorageError> {
    let open = filter.channels.as_ref().map(|channels| {
        let ids: Vec<String> = channels.iter().map(|id| id.cast_signed().to_string()).collect();
        format!("[{}]", ids.join(","))
    });
    let user = filter.user.map(|user| user.0.cast_signed());
    let begin = |statement: &'static str| -> sqlx::query::QueryAs<'static, Sqlite, JobRow, SqliteArguments> {
        let guild = filter.guild.0.cast_signed();
        sqlx::query_as(statement).bind(guild).bind(key.0).bind(key.1).bind(i64::from(n) + 1).bind(offset)
    };
    let query = match (user, open) {
        (None, None) => begin(pages.of_guild),
        (Some(user), None) => begin(pages.of_user).bind(user),
        (None, Some(open)) => begin(pages.of_channels).bind(open),
        (Some(user), Some(open)) => begin(pages.of_user_in_channels).bind(user).bind(open),
    };
    let mut rows: Vec<JobRow> = query.fetch_all(&store.lookers).await?;
    let has_more = rows.len() > n as usize;
    rows.truncate(n as usize);
    let jobs = rows.into_iter().map(Job::try_from).collect::<Result<_, _>>()?;
    Ok((jobs, has_more))
}

pub(super) async fn delete(store: &SqliteStore, id: JobId, now: Timestamp) -> Result<Vec<BlobKey>, StorageError> {
    const JOB: &str = "SELECT seq, status, thumbnail FROM jobs WHERE id = ?";
    const PICTURES: &str = "SELECT blob FROM images WHERE job = ? ORDER BY blob";
    const INPUTS: &str = "SELECT blob FROM inputs WHERE job = ? ORDER BY blob";
    const HIDE: &str = "UPDATE jobs SET deleted = coalesce(deleted, ?2), press = NULL, thumbnail = NULL WHERE seq = ?1";
    let mut tx = store.begin().await?;
    let found: Option<(i64, String, Option<String>)> = sqlx::query_as(JOB).bind(bytes(id)).fetch_optional(&mut *tx).await?;
    let (seq, word, thumbnail) = found.ok_or_else(|| StorageError::MissingJob(id.to_string()))?;
    if !status(&word).is_some_and(JobStatus::is_final) {
        return Err(StorageError::NotFinal(id.to_string()));
    }
    sqlx::query(HIDE).bind(seq).bind(now.0).execute(&mut *tx).await?;
    let mut pictures: Vec<String> = sqlx::query_scalar(PICTURES).bind(seq).fetch_all(&mut *tx).await?;
    pictures.extend(thumbnail);
    pictures.extend(states::drop_all(&mut tx, seq).await?);
    favourites::drop_all(&mut tx, seq).await?;
    let inputs: Vec<String> = sqlx::query_scalar(INPUTS).bind(seq).fetch_all(&mut *tx).await?;
    let mut blobs: Vec<String> = Vec::new();
    for blob in pictures.into_iter().chain(inputs) {
        if !blobs.contains(&blob) {
            blobs.push(blob);
        }
    }
    let unused = unnamed(&mut *tx, &blobs).await?;
    tx.commit().await?;
    unused.iter().map(|blob| BlobKey::parse(blob).map_err(|_| StorageError::corrupt("blob key", id))).collect()
}

#[cfg(test)]
mod tests;
