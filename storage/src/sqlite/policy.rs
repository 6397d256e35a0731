//! Rules of who may draw, a row each, and the book about them.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use super::{SqliteStore, sql::sql};
use crate::{
    cost::{to_row_megapixels, to_row_pixels},
    enqueue::Refusal,
    error::StorageError,
    ids::*,
    policy::*,
};

from_row! {
    struct Row {
        guild: i64,
        kind: String,
        subject: i64,
        may_draw: Option<bool>,
        models: Option<String>,
        row_pixels: Option<i64>,
        pause_ms: Option<i64>,
        is_adult: Option<bool>,
    }
}

/// Columns of `audit`, in the order of [`AuditEntry`].
type Line = (i64, i64, i64, bool, String);

fn words(subject: DrawSubject) -> (&'static str, i64) {
    match subject {
        DrawSubject::Everyone => ("everyone", 0),
        DrawSubject::Channel(channel) => ("channel", channel.cast_signed()),
        DrawSubject::Role(role) => ("role", role.0.cast_signed()),
        DrawSubject::Person(user) => ("person", user.0.cast_signed()),
    }
}

fn subject(kind: &str, id: i64) -> Option<DrawSubject> {
    let id = id.cast_unsigned();
    let all = [DrawSubject::Everyone, DrawSubject::Channel(id), DrawSubject::Role(RoleId(id)), DrawSubject::Person(UserId(id))];
    all.into_iter().find(|subject| words(*subject).0 == kind)
}

impl TryFrom<Row> for DrawRule {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let corrupt = || StorageError::corrupt("rule", format!("{} {}", row.kind, row.subject));
        let subject = subject(&row.kind, row.subject).ok_or_else(corrupt)?;
        let models = row.models.as_deref().map(serde_json::from_str).transpose().map_err(|_| corrupt())?;
        let terms = DrawTerms {
            may_draw: row.may_draw,
            models,
            row_megapixels: row.row_pixels.map(to_row_megapixels),
            pause: row.pause_ms.map(|ms| Duration::from_millis(ms.max(0).unsigned_abs())),
            is_adult: row.is_adult,
        };
        Ok(Self { guild: GuildId(row.guild.cast_unsigned()), subject, terms })
    }
}

/// Which rules there are now.
const REVISION: &str = "SELECT number FROM rules_revision";

/// Whether a job was judged by the rules that there are.
pub(super) fn is_judged_by_these(db: &Connection, admission: &Admission) -> Result<bool, StorageError> {
    match admission.revision {
        Some(judged_by) => Ok(sql(REVISION).one::<i64>(db)?.cast_unsigned() == judged_by),
        None => Ok(true),
    }
}

/// The pause that is not over, if there is one. A clock that was set back since prolongs none.
pub(super) fn refusal(db: &Connection, user: UserId, admission: &Admission, now: Timestamp) -> Result<Option<Refusal>, StorageError> {
    let mut again: Option<Timestamp> = None;
    for pause in &admission.pauses {
        let read = sql("SELECT since FROM paused WHERE guild = ? AND user = ?");
        let since: Option<i64> = read.bind(pause.guild.0.cast_signed()).bind(user.0.cast_signed()).optional(db)?;
        let Some(since) = since.map(Timestamp) else { continue };
        let end = since.after(pause.lasts);
        if (since..end).contains(&now) {
            again = again.max(Some(end));
        }
    }
    Ok(again.map(|again| Refusal::Pause { again }))
}

/// Pauses begin with a job that came in.
pub(super) fn came_in(db: &Connection, user: UserId, admission: &Admission, now: Timestamp) -> Result<(), StorageError> {
    for pause in &admission.pauses {
        let write = sql("INSERT OR REPLACE INTO paused (guild, user, since) VALUES (?, ?, ?)");
        write.bind(pause.guild.0.cast_signed()).bind(user.0.cast_signed()).bind(now.0).execute(db)?;
    }
    Ok(())
}

#[async_trait]
impl Policy for SqliteStore {
    async fn draw_rules_for(&self, guild: GuildId, user: UserId) -> Result<DrawRules, StorageError> {
        const READ: &str = "SELECT * FROM draw_rules WHERE guild IN (0, ?1) AND (kind != 'person' OR subject = ?2)";
        // Read before the rules: what changes between the two is noticed.
        let revision: i64 = sqlx::query_scalar(REVISION).fetch_one(&self.readers).await?;
        let read = sqlx::query_as(READ).bind(guild.0.cast_signed()).bind(user.0.cast_signed());
        let rows: Vec<Row> = read.fetch_all(&self.readers).await?;
        let rules = rows.into_iter().map(DrawRule::try_from).collect::<Result<_, _>>()?;
        Ok(DrawRules { revision: revision.cast_unsigned(), rules })
    }

    async fn draw_rules(&self, guild: GuildId) -> Result<Vec<DrawRule>, StorageError> {
        let read = sqlx::query_as("SELECT * FROM draw_rules WHERE guild = ?").bind(guild.0.cast_signed());
        let rows: Vec<Row> = read.fetch_all(&self.readers).await?;
        let mut rules = rows.into_iter().map(DrawRule::try_from).collect::<Result<Vec<_>, _>>()?;
        rules.sort_by_key(|rule| rule.subject);
        Ok(rules)
    }

    async fn set_draw_rule(&self, rule: &DrawRule) -> Result<(), StorageError> {
        const WRITE: &str = "INSERT INTO draw_rules (guild, kind, subject, may_draw, models, row_pixels, pause_ms, is_adult) \
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (guild, kind, subject) DO UPDATE SET may_draw = excluded.may_draw, \
            models = excluded.models, row_pixels = excluded.row_pixels, pause_ms = excluded.pause_ms, is_adult = excluded.is_adult";
        const REMOVE: &str = "DELETE FROM draw_rules WHERE guild = ? AND kind = ? AND subject = ?";
        let DrawRule { guild, subject, terms } = rule;
        let (kind, subject) = words(*subject);
        let write = if *terms == DrawTerms::default() { REMOVE } else { WRITE };
        let mut write = sqlx::query(write).bind(guild.0.cast_signed()).bind(kind).bind(subject);
        if *terms != DrawTerms::default() {
            let models = terms.models.as_ref().map(|models| serde_json::json!(models).to_string());
            let pause_ms = terms.pause.map(|pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
            write =
                write.bind(terms.may_draw).bind(models).bind(terms.row_megapixels.map(to_row_pixels)).bind(pause_ms).bind(terms.is_adult);
        }
        self.writer.one(write).await?;
        Ok(())
    }

    async fn note_audit(&self, entry: &AuditEntry) -> Result<(), StorageError> {
        const WRITE: &str = "INSERT INTO audit (guild, user, at, is_change, what) VALUES (?, ?, ?, ?, ?)";
        const FORGET: &str = "DELETE FROM audit WHERE guild = ?1 AND is_change = ?2 AND seq <= \
            (SELECT seq FROM audit WHERE guild = ?1 AND is_change = ?2 ORDER BY seq DESC LIMIT 1 OFFSET ?3)";
        let guild = entry.guild.0.cast_signed();
        let mut tx = self.begin().await?;
        let write = sqlx::query(WRITE).bind(guild).bind(entry.user.0.cast_signed()).bind(entry.at.0);
        write.bind(entry.is_change).bind(entry.what.to_string()).execute(&mut *tx).await?;
        sqlx::query(FORGET).bind(guild).bind(entry.is_change).bind(MAX_AUDIT).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn audit(&self, guild: GuildId, is_change: Option<bool>, offset: u32, n: u32) -> Result<(Vec<AuditEntry>, bool), StorageError> {
        const READ: &str = "SELECT guild, user, at, is_change, what FROM audit WHERE guild = ?1 AND is_change IN (?2, ?3) \
            ORDER BY seq DESC LIMIT ?4 OFFSET ?5";
        let (first, second) = (is_change.unwrap_or(false), is_change.unwrap_or(true));
        let read = sqlx::query_as(READ).bind(guild.0.cast_signed()).bind(first).bind(second).bind(i64::from(n) + 1).bind(offset);
        let mut lines: Vec<Line> = read.fetch_all(&self.readers).await?;
        let has_more = lines.len() > n as usize;
        lines.truncate(n as usize);
        let entry = |(guild, user, at, is_change, what): Line| {
            let what = serde_json::from_str(&what).map_err(|_| StorageError::corrupt("line", "the book"))?;
            Ok(AuditEntry { guild: GuildId(guild.cast_unsigned()), user: UserId(user.cast_unsigned()), at: Timestamp(at), is_change, what })
        };
        Ok((lines.into_iter().map(entry).collect::<Result<_, StorageError>>()?, has_more))
    }

    async fn forget_audit(&self, before: Timestamp) -> Result<u64, StorageError> {
        Ok(self.writer.one(sqlx::query("DELETE FROM audit WHERE at < ?").bind(before.0)).await?.rows_affected())
    }
}
