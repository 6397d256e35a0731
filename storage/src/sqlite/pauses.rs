//! Guilds whose waiting jobs are held back, and what of them is there to be held.

use rusqlite::Connection;

use super::{
    SqliteStore,
    rows::{JobRow, job_columns},
    sql::sql,
};
use crate::{error::StorageError, ids::*, jobs::Job};

from_row! {
    struct Paused {
        guild: i64,
    }
}

pub(super) async fn pause(store: &SqliteStore, guild: GuildId, by: Option<UserId>, now: Timestamp) -> Result<bool, StorageError> {
    let guild = guild.0.cast_signed();
    let write = match by {
        Some(user) => {
            let pause = sqlx::query("INSERT INTO pauses (guild, user, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
            pause.bind(guild).bind(user.0.cast_signed()).bind(now.0)
        }
        None => sqlx::query("DELETE FROM pauses WHERE guild = ?").bind(guild),
    };
    Ok(store.writer.one(write).await?.rows_affected() > 0)
}

pub(super) async fn paused(store: &SqliteStore) -> Result<Vec<(GuildId, UserId)>, StorageError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT guild, user FROM pauses ORDER BY guild").fetch_all(&store.readers).await?;
    Ok(rows.into_iter().map(|(guild, user)| (GuildId(guild.cast_unsigned()), UserId(user.cast_unsigned()))).collect())
}

/// The same within a claim.
pub(super) fn guilds(db: &Connection) -> Result<Vec<i64>, StorageError> {
    let paused: Vec<Paused> = sql("SELECT guild FROM pauses").all(db)?;
    Ok(paused.into_iter().map(|paused| paused.guild).collect())
}

pub(super) async fn unfinished(
    store: &SqliteStore,
    guild: Option<GuildId>,
    user: Option<UserId>,
    n: u32,
) -> Result<Vec<Job>, StorageError> {
    // Each half by the index of its own status.
    const READ: &str = concat!(
        "SELECT ",
        job_columns!(),
        " FROM jobs WHERE seq IN (SELECT seq FROM jobs INDEXED BY jobs_running WHERE status = 'leased' \
            AND (?1 IS NULL OR guild = ?1) AND (?2 IS NULL OR user = ?2) \
         UNION ALL SELECT seq FROM jobs INDEXED BY jobs_waiting WHERE status = 'queued' \
            AND (?1 IS NULL OR guild = ?1) AND (?2 IS NULL OR user = ?2)) ORDER BY status, seq LIMIT ?3"
    );
    let read = sqlx::query_as(READ).bind(guild.map(|guild| guild.0.cast_signed())).bind(user.map(|user| user.0.cast_signed()));
    let rows: Vec<JobRow> = read.bind(n).fetch_all(&store.readers).await?;
    rows.into_iter().map(Job::try_from).collect()
}
