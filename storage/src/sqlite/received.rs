//! Notes of what was heard: a row each, until its job or its answer is there.

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::{
    error::StorageError,
    ids::*,
    jobs::Delivery,
    received::{Received, Reception},
};

/// Columns of `received`, in the order of [`Received`].
type Row = (String, i64, i64, i64, String, i64, String, i64);

#[async_trait]
impl Reception for SqliteStore {
    async fn receive(&self, heard: &[Received]) -> Result<Vec<bool>, StorageError> {
        const NOTE: &str = "INSERT INTO received (key, guild, user, channel, token, token_expires, wish, created) \
            SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE key = ?1) ON CONFLICT (key) DO NOTHING";
        let mut tx = self.begin().await?;
        let mut are_new = Vec::with_capacity(heard.len());
        for Received { key, guild, user, delivery, wish, created } in heard {
            let note = sqlx::query(NOTE).bind(key).bind(guild.0.cast_signed()).bind(user.0.cast_signed());
            let note = note.bind(delivery.channel.cast_signed()).bind(&delivery.token).bind(delivery.token_expires.0);
            let noted = note.bind(wish.to_string()).bind(created.0).execute(&mut *tx).await?;
            are_new.push(noted.rows_affected() == 1);
        }
        tx.commit().await?;
        Ok(are_new)
    }

    async fn received(&self, n: u32) -> Result<Vec<Received>, StorageError> {
        const READ: &str = "SELECT key, guild, user, channel, token, token_expires, wish, created FROM received ORDER BY seq LIMIT ?";
        let rows: Vec<Row> = sqlx::query_as(READ).bind(n).fetch_all(&self.readers).await?;
        rows.into_iter().map(read).collect()
    }

    async fn amend_received(&self, key: &str, wish: &serde_json::Value) -> Result<(), StorageError> {
        let amend = sqlx::query("UPDATE received SET wish = ? WHERE key = ?");
        self.writer.one(amend.bind(wish.to_string()).bind(key)).await?;
        Ok(())
    }

    async fn forget_received(&self, keys: &[String]) -> Result<(), StorageError> {
        let mut tx = self.begin().await?;
        for key in keys {
            forget(&mut tx, key).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Forgets one that has its job or its answer.
pub(super) async fn forget(db: &mut SqliteConnection, key: &str) -> Result<(), StorageError> {
    sqlx::query("DELETE FROM received WHERE key = ?").bind(key).execute(db).await?;
    Ok(())
}

fn read((key, guild, user, channel, token, token_expires, wish, created): Row) -> Result<Received, StorageError> {
    let wish = serde_json::from_str(&wish).map_err(|_| StorageError::corrupt("wish", &key))?;
    let delivery = Delivery { channel: channel.cast_unsigned(), token, token_expires: Timestamp(token_expires), message: None };
    let (guild, user) = (GuildId(guild.cast_unsigned()), UserId(user.cast_unsigned()));
    Ok(Received { key, guild, user, delivery, wish, created: Timestamp(created) })
}
