//! Blocked words, appeals, and guilds that the bot left.

use async_trait::async_trait;
use rusqlite::Connection;

use super::{
    SqliteStore,
    ending::{Ending, Open, end, open_columns},
    keeping::forget_one,
    quota::Charge,
    sql::sql,
    turns,
};
use crate::{error::StorageError, ids::*, jobs::JobStatus, moderation::*};

/// Columns of `appeals`, in the order of [`Appeal`].
type Row = (Vec<u8>, i64, i64, String, String, String, i64);

fn state_word(state: AppealState) -> &'static str {
    match state {
        AppealState::Offered => "offered",
        AppealState::Asked => "asked",
        AppealState::Approved => "approved",
        AppealState::Denied => "denied",
        AppealState::Used => "used",
    }
}

fn read((id, guild, user, word, line, state, created): Row) -> Result<Appeal, StorageError> {
    let id = uuid::Uuid::from_slice(&id).map(AppealId).map_err(|_| StorageError::corrupt("id", "an appeal"))?;
    let all = [AppealState::Offered, AppealState::Asked, AppealState::Approved, AppealState::Denied, AppealState::Used];
    let state = all.into_iter().find(|known| state_word(*known) == state).ok_or_else(|| StorageError::corrupt("state", id))?;
    let (guild, user) = (GuildId(guild.cast_unsigned()), UserId(user.cast_unsigned()));
    Ok(Appeal { id, guild, user, word, line, state, created: Timestamp(created) })
}

fn bytes(id: AppealId) -> Vec<u8> {
    id.0.as_bytes().to_vec()
}

/// Uses an approved appeal up; `false` where it is not there any more.
pub(super) fn pass(db: &Connection, appeal: Option<AppealId>) -> Result<bool, StorageError> {
    let Some(appeal) = appeal else { return Ok(true) };
    let used = sql("UPDATE appeals SET state = 'used' WHERE id = ? AND state = 'approved'").bind(bytes(appeal));
    Ok(used.execute(db)? == 1)
}

#[async_trait]
impl Moderation for SqliteStore {
    async fn blocked_words(&self, guild: GuildId) -> Result<Vec<BlockedWord>, StorageError> {
        let read = sqlx::query_as("SELECT word, in_negative FROM blocked_words WHERE guild = ? ORDER BY word");
        let rows: Vec<(String, bool)> = read.bind(guild.0.cast_signed()).fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(|(word, in_negative)| BlockedWord { word, in_negative }).collect())
    }

    async fn block_word(&self, guild: GuildId, word: &BlockedWord) -> Result<bool, StorageError> {
        const WRITE: &str = "INSERT INTO blocked_words (guild, word, in_negative) SELECT ?1, ?2, ?3 \
            WHERE (SELECT count(*) FROM blocked_words WHERE guild = ?1 AND word <> ?2) < ?4 \
            ON CONFLICT (guild, word) DO UPDATE SET in_negative = excluded.in_negative";
        let write = sqlx::query(WRITE).bind(guild.0.cast_signed()).bind(&word.word).bind(word.in_negative);
        let most = i64::try_from(MAX_WORDS).unwrap_or(i64::MAX);
        Ok(self.writer.one(write.bind(most)).await?.rows_affected() > 0)
    }

    async fn unblock_word(&self, guild: GuildId, word: &str) -> Result<bool, StorageError> {
        let remove = sqlx::query("DELETE FROM blocked_words WHERE guild = ? AND word = ?").bind(guild.0.cast_signed()).bind(word);
        Ok(self.writer.one(remove).await?.rows_affected() > 0)
    }

    async fn moderators(&self, guild: GuildId) -> Result<Option<u64>, StorageError> {
        let read = sqlx::query_scalar("SELECT channel FROM moderators WHERE guild = ?").bind(guild.0.cast_signed());
        let channel: Option<i64> = read.fetch_optional(&self.readers).await?;
        Ok(channel.map(i64::cast_unsigned))
    }

    async fn set_moderators(&self, guild: GuildId, channel: Option<u64>) -> Result<(), StorageError> {
        let write = match channel {
            Some(channel) => sqlx::query("INSERT OR REPLACE INTO moderators (guild, channel) VALUES (?, ?)")
                .bind(guild.0.cast_signed())
                .bind(channel.cast_signed()),
            None => sqlx::query("DELETE FROM moderators WHERE guild = ?").bind(guild.0.cast_signed()),
        };
        self.writer.one(write).await?;
        Ok(())
    }

    async fn keep_appeal(&self, appeal: &Appeal) -> Result<(), StorageError> {
        const WRITE: &str = "INSERT INTO appeals (id, guild, user, word, line, state, created) VALUES (?, ?, ?, ?, ?, ?, ?)";
        const FORGET: &str = "DELETE FROM appeals WHERE user = ?1 AND id NOT IN \
            (SELECT id FROM appeals WHERE user = ?1 ORDER BY created DESC, id DESC LIMIT ?2)";
        let Appeal { id, guild, user, word, line, state, created } = appeal;
        let mut tx = self.begin().await?;
        let write = sqlx::query(WRITE).bind(bytes(*id)).bind(guild.0.cast_signed()).bind(user.0.cast_signed());
        write.bind(word).bind(line).bind(state_word(*state)).bind(created.0).execute(&mut *tx).await?;
        sqlx::query(FORGET).bind(user.0.cast_signed()).bind(MAX_APPEALS).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn appeal(&self, id: AppealId) -> Result<Option<Appeal>, StorageError> {
        const READ: &str = "SELECT id, guild, user, word, line, state, created FROM appeals WHERE id = ?";
        let row: Option<Row> = sqlx::query_as(READ).bind(bytes(id)).fetch_optional(&self.readers).await?;
        row.map(read).transpose()
    }

    async fn move_appeal(&self, id: AppealId, from: AppealState, to: AppealState) -> Result<bool, StorageError> {
        let write = sqlx::query("UPDATE appeals SET state = ? WHERE id = ? AND state = ?").bind(state_word(to)).bind(bytes(id));
        Ok(self.writer.one(write.bind(state_word(from))).await?.rows_affected() == 1)
    }

    async fn approved(&self, guild: GuildId, user: UserId, line: &str) -> Result<Option<AppealId>, StorageError> {
        const READ: &str = "SELECT id FROM appeals WHERE user = ? AND guild = ? AND state = 'approved' AND line = ? LIMIT 1";
        let read = sqlx::query_scalar(READ).bind(user.0.cast_signed()).bind(guild.0.cast_signed()).bind(line);
        let id: Option<Vec<u8>> = read.fetch_optional(&self.readers).await?;
        Ok(id.and_then(|id| uuid::Uuid::from_slice(&id).ok()).map(AppealId))
    }

    async fn forget_appeals(&self, before: Timestamp) -> Result<u64, StorageError> {
        Ok(self.writer.one(sqlx::query("DELETE FROM appeals WHERE created < ?").bind(before.0)).await?.rows_affected())
    }

    async fn leave_guild(&self, guild: GuildId, now: Timestamp) -> Result<(), StorageError> {
        const OWN: [&str; 10] = [
            "DELETE FROM guild_settings WHERE guild = ?",
            "DELETE FROM quota_rules WHERE guild = ?",
            "DELETE FROM draw_rules WHERE guild = ?",
            "DELETE FROM blocked_words WHERE guild = ?",
            "DELETE FROM moderators WHERE guild = ?",
            "DELETE FROM appeals WHERE guild = ?",
            "DELETE FROM audit WHERE guild = ?",
            "DELETE FROM speeds WHERE guild = ?",
            "DELETE FROM choices WHERE kind = 'guild' AND owner = ?",
            "DELETE FROM pauses WHERE guild = ?",
        ];
        const WAITING: &str = concat!("SELECT ", open_columns!(), " FROM jobs WHERE guild = ? AND status = 'queued'");
        const CANCEL: &str = "UPDATE jobs SET is_cancel_requested = 1 WHERE guild = ? AND status = 'leased'";
        let id = guild.0.cast_signed();
        let leave = move |db: &Connection| {
            for own in OWN {
                sql(own).bind(id).execute(db)?;
            }
            let waiting: Vec<Open> = sql(WAITING).bind(id).all(db)?;
            for job in &waiting {
                end(db, job, Ending { status: JobStatus::Cancelled, charge: Charge::Refund, failure: None }, now)?;
                turns::leave(db, job.lane()?)?;
            }
            sql(CANCEL).bind(id).execute(db)?;
            sql("INSERT OR IGNORE INTO left_guilds (guild, since) VALUES (?, ?)").bind(id).bind(now.0).execute(db)?;
            Ok(())
        };
        self.write(leave).await
    }

    async fn join_guild(&self, guild: GuildId) -> Result<(), StorageError> {
        let here: Option<i64> = sqlx::query_scalar("SELECT 1 FROM left_guilds WHERE guild = ?")
            .bind(guild.0.cast_signed())
            .fetch_optional(&self.readers)
            .await?;
        // Every guild tells of itself at every start, and nearly none had been left.
        if here.is_some() {
            self.writer.one(sqlx::query("DELETE FROM left_guilds WHERE guild = ?").bind(guild.0.cast_signed())).await?;
        }
        Ok(())
    }

    async fn forget_left(&self, before: Timestamp, n: u32, now: Timestamp) -> Result<u32, StorageError> {
        const OLD: &str = "SELECT jobs.seq FROM left_guilds CROSS JOIN jobs ON jobs.guild = left_guilds.guild \
            WHERE left_guilds.since < ? AND jobs.finished IS NOT NULL AND jobs.forgotten IS NULL \
            AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job = jobs.seq AND outbox.state = 'pending') LIMIT ?";
        const DONE: &str = "DELETE FROM left_guilds WHERE since < ?1 AND NOT EXISTS (SELECT 1 FROM jobs \
            WHERE jobs.guild = left_guilds.guild AND jobs.forgotten IS NULL)";
        let mut tx = self.begin().await?;
        let old: Vec<i64> = sqlx::query_scalar(OLD).bind(before.0).bind(n).fetch_all(&mut *tx).await?;
        for seq in &old {
            forget_one(&mut tx, *seq, now).await?;
        }
        if old.is_empty() {
            sqlx::query(DONE).bind(before.0).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
    }
}
