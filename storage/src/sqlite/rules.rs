//! What guilds' managers allow: one table, of which a question reads the rows that bind one person.

use rusqlite::Connection;

use super::{SqliteStore, sql::sql};
use crate::{
    cost::{to_row_megapixels, to_row_pixels},
    error::StorageError,
    ids::*,
    quota::{Period, QuotaRule, Spender, Subject},
};

from_row! {
    struct Row {
        kind: String,
        subject: i64,
        period: String,
        row_pixels: i64,
        carry_row_pixels: i64,
        since: i64,
    }
}

/// A rule as it binds, in row-pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) subject: Subject,
    pub(super) period: Period,
    pub(super) limit: i64,
    pub(super) carry: i64,
    pub(super) since: Timestamp,
}

impl Row {
    fn bound(&self) -> Result<Bound, StorageError> {
        let corrupt = || StorageError::corrupt("rule", format!("{} {}", self.kind, self.subject));
        let subject = subject(&self.kind, self.subject).ok_or_else(corrupt)?;
        let period = [Period::Day, Period::Month].into_iter().find(|period| period_word(*period) == self.period).ok_or_else(corrupt)?;
        Ok(Bound { subject, period, limit: self.row_pixels, carry: self.carry_row_pixels, since: Timestamp(self.since) })
    }
}

/// A period as it stands in a row.
pub(super) fn period_word(period: Period) -> &'static str {
    match period {
        Period::Day => "day",
        Period::Month => "month",
    }
}

fn subject_words(subject: Subject) -> (&'static str, i64) {
    match subject {
        Subject::Guild => ("guild", 0),
        Subject::Everyone => ("everyone", 0),
        Subject::Role(role) => ("role", role.0.cast_signed()),
        Subject::Person(user) => ("person", user.0.cast_signed()),
    }
}

fn subject(kind: &str, id: i64) -> Option<Subject> {
    let id = id.cast_unsigned();
    let all = [Subject::Guild, Subject::Everyone, Subject::Role(RoleId(id)), Subject::Person(UserId(id))];
    all.into_iter().find(|subject| subject_words(*subject).0 == kind)
}

/// Takes guild, user and a JSON list of roles.
pub(super) const BINDING: &str = "SELECT kind, subject, period, row_pixels, carry_row_pixels, since FROM quota_rules \
        WHERE guild = ?1 AND kind IN ('guild', 'everyone') AND subject = 0 \
    UNION ALL SELECT kind, subject, period, row_pixels, carry_row_pixels, since FROM quota_rules \
        WHERE guild = ?1 AND kind = 'person' AND subject = ?2 \
    UNION ALL SELECT kind, subject, period, row_pixels, carry_row_pixels, since FROM quota_rules \
        WHERE guild = ?1 AND kind = 'role' AND subject IN (SELECT value FROM json_each(?3))";

/// The rules that bind somebody: in each period one for their guild and one for themselves at most.
pub(super) fn binding(db: &Connection, spender: &Spender) -> Result<Vec<Bound>, StorageError> {
    // Direct messages have no managers.
    if spender.guild.0 == spender.user.0 {
        return Ok(Vec::new());
    }
    let roles: Vec<i64> = spender.roles.iter().map(|role| role.0.cast_signed()).collect();
    let query = sql(BINDING).bind(spender.guild.0.cast_signed()).bind(spender.user.0.cast_signed());
    let rows: Vec<Row> = query.bind(serde_json::json!(roles).to_string()).all(db)?;
    let all = rows.iter().map(Row::bound).collect::<Result<Vec<_>, _>>()?;
    let of = |period: Period| all.iter().filter(move |bound| bound.period == period).copied();
    let nearest = |bound: &Bound| match bound.subject {
        Subject::Person(_) => 2,
        Subject::Role(_) => 1,
        Subject::Guild | Subject::Everyone => 0,
    };
    let mut binding = Vec::new();
    for period in [Period::Day, Period::Month] {
        binding.extend(of(period).find(|bound| bound.subject == Subject::Guild));
        let persons = of(period).filter(|bound| bound.subject != Subject::Guild);
        binding.extend(persons.max_by_key(|bound| (nearest(bound), bound.limit, bound.carry)));
    }
    Ok(binding)
}

pub(super) async fn quota_rules(store: &SqliteStore, guild: GuildId) -> Result<Vec<QuotaRule>, StorageError> {
    const READ: &str = "SELECT kind, subject, period, row_pixels, carry_row_pixels, since FROM quota_rules WHERE guild = ?";
    let rows: Vec<Row> = sqlx::query_as(READ).bind(guild.0.cast_signed()).fetch_all(&store.readers).await?;
    let rule = |row: &Row| {
        let Bound { subject, period, limit, carry, .. } = row.bound()?;
        Ok(QuotaRule { subject, period, row_megapixels: to_row_megapixels(limit), carry_over: to_row_megapixels(carry) })
    };
    let mut rules = rows.iter().map(rule).collect::<Result<Vec<_>, StorageError>>()?;
    rules.sort_by_key(|rule| (rule.subject, rule.period));
    Ok(rules)
}

pub(super) async fn set_quota_rule(store: &SqliteStore, guild: GuildId, rule: &QuotaRule, now: Timestamp) -> Result<(), StorageError> {
    const WRITE: &str = "INSERT INTO quota_rules (guild, kind, subject, period, row_pixels, carry_row_pixels, since) \
        VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (guild, kind, subject, period) \
        DO UPDATE SET row_pixels = excluded.row_pixels, carry_row_pixels = excluded.carry_row_pixels";
    let (kind, subject) = subject_words(rule.subject);
    let write = sqlx::query(WRITE).bind(guild.0.cast_signed()).bind(kind).bind(subject).bind(period_word(rule.period));
    let write = write.bind(to_row_pixels(rule.row_megapixels)).bind(to_row_pixels(rule.carry_over)).bind(now.0);
    store.writer.one(write).await?;
    Ok(())
}

pub(super) async fn remove_quota_rule(store: &SqliteStore, guild: GuildId, subject: Subject, period: Period) -> Result<bool, StorageError> {
    const REMOVE: &str = "DELETE FROM quota_rules WHERE guild = ? AND kind = ? AND subject = ? AND period = ?";
    let (kind, subject) = subject_words(subject);
    let remove = sqlx::query(REMOVE).bind(guild.0.cast_signed()).bind(kind).bind(subject).bind(period_word(period));
    Ok(store.writer.one(remove).await?.rows_affected() > 0)
}
