//! All that is kept of a person: told, and deleted.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::{SqliteStore, keeping::unnamed, rows::job_id};
use crate::{error::StorageError, ids::*, privacy::*, quota::Period};

/// Each list of what names a person, and the statement that makes an object of each row; it takes the person.
const LISTS: [(&str, &str); 9] = [
    ("drafts", "SELECT json_object('typed', json(content), 'created', created) FROM drafts WHERE user = ?1 ORDER BY seq"),
    (
        "favourites",
        "SELECT json_object('job', lower(hex(jobs.id)), 'picture', number, 'created', favourites.created) \
        FROM favourites JOIN jobs ON jobs.seq = favourites.job WHERE favourites.user = ?1 ORDER BY favourites.created",
    ),
    ("speeds", "SELECT json_object('server', CAST(guild AS TEXT), 'speed', iif(tier = 0, 'fast', 'relax')) FROM speeds WHERE user = ?1"),
    (
        "used",
        "SELECT json_object('day', day, 'server', CAST(guild AS TEXT), 'row_pixels', row_pixels) FROM spent WHERE user = ?1 ORDER BY day",
    ),
    (
        "limits",
        "SELECT json_object('server', CAST(guild AS TEXT), 'in a', period, 'row_pixels', row_pixels) FROM quota_rules \
        WHERE kind = 'person' AND subject = ?1",
    ),
    (
        "rules",
        "SELECT json_object('server', CAST(guild AS TEXT), 'may_draw', may_draw, 'models', json(models), 'row_pixels', row_pixels, \
        'pause_ms', pause_ms, 'is_adult', is_adult) FROM draw_rules WHERE kind = 'person' AND subject = ?1",
    ),
    (
        "appeals",
        "SELECT json_object('server', CAST(guild AS TEXT), 'word', word, 'line', line, 'state', state, 'created', created) \
        FROM appeals WHERE user = ?1 ORDER BY created",
    ),
    ("book", "SELECT json_object('server', CAST(guild AS TEXT), 'at', at, 'what', json(what)) FROM audit WHERE user = ?1 ORDER BY seq"),
    ("choices", "SELECT json_object('topic', topic, 'name', name, 'value', json(value)) FROM choices WHERE kind = 'person' AND owner = ?1"),
];

const JOBS: &str = "SELECT json_object('job', lower(hex(id)), 'server', CAST(guild AS TEXT), 'channel', CAST(channel AS TEXT), \
        'message', CAST(message AS TEXT), 'action', action, 'task', json(task), 'notes', json(notes), 'status', status, 'row_pixels', row_pixels, \
        'created', created, 'finished', finished, 'deleted', deleted, \
        'pictures', (SELECT json_group_array(json_object('number', number, 'seed', CAST(seed AS TEXT), 'sha256', blob)) \
            FROM images WHERE images.job = jobs.seq)) \
    FROM jobs WHERE user = ?1 ORDER BY seq DESC LIMIT ?2";

/// What goes with a person, whatever becomes of their jobs. It takes the person.
const OWN: [&str; 10] = [
    "DELETE FROM drafts WHERE user = ?1",
    "DELETE FROM received WHERE user = ?1",
    "DELETE FROM favourites WHERE user = ?1",
    "DELETE FROM speeds WHERE user = ?1",
    "DELETE FROM choices WHERE kind = 'person' AND owner = ?1",
    "UPDATE pauses SET user = 0 WHERE user = ?1",
    "DELETE FROM appeals WHERE user = ?1",
    "DELETE FROM audit WHERE user = ?1 AND is_change = 0",
    "UPDATE audit SET user = 0 WHERE user = ?1",
    "DELETE FROM flow_users WHERE user = ?1 AND head IS NULL",
];

/// What goes with their jobs. In direct messages the person stands in for the guild.
const OF_JOBS: [&str; 7] = [
    "DELETE FROM favourites WHERE job IN (SELECT seq FROM jobs WHERE user = ?1)",
    "DELETE FROM images WHERE job IN (SELECT seq FROM jobs WHERE user = ?1)",
    "DELETE FROM inputs WHERE job IN (SELECT seq FROM jobs WHERE user = ?1)",
    "DELETE FROM states WHERE job IN (SELECT seq FROM jobs WHERE user = ?1)",
    "UPDATE outbox SET error = NULL, posting = NULL WHERE job IN (SELECT seq FROM jobs WHERE user = ?1)",
    "UPDATE ledger SET guild = iif(guild = ?1, 0, guild), user = 0 WHERE user = ?1",
    "UPDATE jobs SET key = 'erased ' || seq, press = NULL, guild = iif(guild = ?1, 0, guild), user = 0, task = 'null', notes = NULL, model = NULL, \
        parent = NULL, parent_index = NULL, channel = 0, message = NULL, token = NULL, error = NULL, thumbnail = NULL, \
        deleted = coalesce(deleted, ?2), forgotten = coalesce(forgotten, ?2) WHERE user = ?1",
];

#[async_trait]
impl Privacy for SqliteStore {
    async fn person(&self, user: UserId, n: u32) -> Result<serde_json::Value, StorageError> {
        let read = |row: String| serde_json::from_str(&row).map_err(|_| StorageError::corrupt("row", "a person"));
        let mut told = serde_json::Map::new();
        for (name, statement) in LISTS {
            let rows: Vec<String> = sqlx::query_scalar(statement).bind(user.0.cast_signed()).fetch_all(&self.lookers).await?;
            told.insert(name.to_owned(), rows.into_iter().map(read).collect::<Result<Vec<serde_json::Value>, _>>()?.into());
        }
        let rows: Vec<String> = sqlx::query_scalar(JOBS).bind(user.0.cast_signed()).bind(n).fetch_all(&self.lookers).await?;
        told.insert("jobs".to_owned(), rows.into_iter().map(read).collect::<Result<Vec<serde_json::Value>, _>>()?.into());
        Ok(told.into())
    }

    async fn open_jobs(&self, user: UserId) -> Result<Vec<JobId>, StorageError> {
        const OPEN: &str = "SELECT id FROM jobs WHERE user = ? AND status IN ('queued', 'leased')";
        let ids: Vec<Vec<u8>> = sqlx::query_scalar(OPEN).bind(user.0.cast_signed()).fetch_all(&self.lookers).await?;
        ids.iter().map(|id| job_id(id)).collect()
    }

    async fn erase(&self, user: UserId, now: Timestamp) -> Result<Erased, StorageError> {
        const AT_WORK: &str = "SELECT count(*) FROM jobs WHERE user = ?1 AND (status IN ('queued', 'leased') \
            OR EXISTS (SELECT 1 FROM outbox WHERE outbox.job = jobs.seq AND outbox.state = 'pending'))";
        const BLOBS: &str = "SELECT blob FROM images WHERE job IN (SELECT seq FROM jobs WHERE user = ?1) \
            UNION SELECT blob FROM inputs WHERE job IN (SELECT seq FROM jobs WHERE user = ?1) \
            UNION SELECT blob FROM states WHERE job IN (SELECT seq FROM jobs WHERE user = ?1) \
            UNION SELECT thumbnail FROM jobs WHERE user = ?1 AND thumbnail IS NOT NULL";
        let id = user.0.cast_signed();
        let mut tx = self.begin().await?;
        let at_work: u32 = sqlx::query_scalar(AT_WORK).bind(id).fetch_one(&mut *tx).await?;
        if at_work > 0 {
            return Ok(Erased::StillAtWork(at_work));
        }
        let blobs: Vec<String> = sqlx::query_scalar(BLOBS).bind(id).fetch_all(&mut *tx).await?;
        for statement in OWN {
            sqlx::query(statement).bind(id).execute(&mut *tx).await?;
        }
        for statement in OF_JOBS {
            sqlx::query(statement).bind(id).bind(now.0).execute(&mut *tx).await?;
        }
        sqlx::query("INSERT OR REPLACE INTO erased (user, since) VALUES (?, ?)").bind(id).bind(now.0).execute(&mut *tx).await?;
        let month = self.zone.number(Period::Month, now);
        fold(&mut tx, user, month).await?;
        let unused = unnamed(&mut *tx, &blobs).await?;
        tx.commit().await?;
        let keys = unused.iter().map(|blob| BlobKey::parse(blob)).collect::<Result<_, _>>()?;
        Ok(Erased::Gone(keys))
    }

    async fn forget_erased(&self, now: Timestamp) -> Result<u32, StorageError> {
        let month = self.zone.number(Period::Month, now);
        let mut tx = self.begin().await?;
        let users: Vec<i64> = sqlx::query_scalar("SELECT user FROM erased").fetch_all(&mut *tx).await?;
        for user in &users {
            fold(&mut tx, UserId(user.cast_unsigned()), month).await?;
        }
        const DONE: &str = "DELETE FROM erased WHERE NOT EXISTS (SELECT 1 FROM spent_by_month WHERE spent_by_month.user = erased.user)";
        sqlx::query(DONE).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(u32::try_from(users.len()).unwrap_or(u32::MAX))
    }

    async fn scrub(&self) -> Result<bool, StorageError> {
        let mut db = self.writer.take().await?;
        sqlx::query("VACUUM").execute(&mut *db).await?;
        let (is_busy, ..): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *db).await?;
        Ok(is_busy == 0)
    }
}

/// Makes what a person used before a month nobody's: sums of days and months stay what they are.
async fn fold(db: &mut SqliteConnection, user: UserId, month: i64) -> Result<(), StorageError> {
    const MONTHS: &str = "SELECT month, guild, row_pixels FROM spent_by_month WHERE user = ? AND month < ?";
    const DAYS: &str = "SELECT day, guild, row_pixels FROM spent WHERE user = ?1 \
        AND strftime('%Y', day * 86400, 'unixepoch') * 12 + strftime('%m', day * 86400, 'unixepoch') - 1 < ?2";
    // The trigger adds each to its month, of a person and of a guild.
    const ADD: &str = "INSERT INTO spent (day, guild, user, row_pixels) VALUES (?1, ?2, 0, ?3) \
        ON CONFLICT (day, guild, user) DO UPDATE SET row_pixels = row_pixels + excluded.row_pixels";
    const TAKE: &str = "UPDATE guild_months SET row_pixels = row_pixels - ?3 WHERE month = ?1 AND guild = ?2";
    let id = user.0.cast_signed();
    let days: Vec<(i64, i64, i64)> = sqlx::query_as(DAYS).bind(id).bind(month).fetch_all(&mut *db).await?;
    let months: Vec<(i64, i64, i64)> = sqlx::query_as(MONTHS).bind(id).bind(month).fetch_all(&mut *db).await?;
    // In direct messages the person stands in for the guild.
    let nobody = |guild: i64| if guild == id { 0 } else { guild };
    for (day, guild, row_pixels) in days {
        sqlx::query("DELETE FROM spent WHERE day = ? AND guild = ? AND user = ?").bind(day).bind(guild).bind(id).execute(&mut *db).await?;
        sqlx::query(ADD).bind(day).bind(nobody(guild)).bind(row_pixels).execute(&mut *db).await?;
    }
    let mut own = BTreeSet::new();
    for (month, guild, row_pixels) in months {
        let gone = sqlx::query("DELETE FROM spent_by_month WHERE month = ? AND guild = ? AND user = ?").bind(month).bind(guild).bind(id);
        gone.execute(&mut *db).await?;
        sqlx::query(TAKE).bind(month).bind(guild).bind(row_pixels).execute(&mut *db).await?;
        own.extend((guild == id).then_some(month));
    }
    for month in own {
        sqlx::query("DELETE FROM guild_months WHERE month = ? AND guild = ?").bind(month).bind(id).execute(&mut *db).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where persons are named and nothing is deleted: sums, which are nobody's later, what they are not let off by deleting, and turns that wait.
    const KEPT: [&str; 6] = ["erased", "flow_users", "forgiven", "paused", "spent", "spent_by_month"];

    #[tokio::test]
    async fn every_table_that_names_a_person_is_seen_to() {
        const TABLES: &str = "SELECT DISTINCT tables.name FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns \
            WHERE tables.type = 'table' AND columns.name = 'user' ORDER BY tables.name";
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&folder.path().join("atelier.db")).await.expect("it opens");
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&store.readers).await.expect("readable");
        for table in &tables {
            let is_seen_to = OWN.iter().chain(&OF_JOBS).any(|statement| statement.contains(&format!(" {table} ")));
            assert!(
                is_seen_to || KEPT.contains(&table.as_str()),
                "{table} names persons: say what becomes of its rows when they have all deleted"
            );
        }
        assert!(tables.len() > 10, "{tables:?}");
    }
}
