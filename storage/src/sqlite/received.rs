//! Notes of what was heard: a row each, until its job or its answer is there.

use async_trait::async_trait;
use rusqlite::Connection;

use super::{SqliteStore, sql::sql};
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
        let heard = heard.to_vec();
        let write = move |db: &Connection| {
            let mut are_new = Vec::with_capacity(heard.len());
            for Received { key, guild, user, delivery, wish, created } in &heard {
                let note = sql(NOTE).bind(key).bind(guild.0.cast_signed()).bind(user.0.cast_signed());
                let note = note.bind(delivery.channel.cast_signed()).bind(&delivery.token).bind(delivery.token_expires.0);
                let noted = note.bind(wish.to_string()).bind(created.0).execute(db)?;
                are_new.push(noted == 1);
            }
            Ok(are_new)
        };
        self.write(write).await
    }

    async fn received(&self, n: u32) -> Result<Vec<Received>, StorageError> {
        const READ: &str = "SELECT key, guild, user, channel, token, token_expires, wish, created FROM received ORDER BY seq LIMIT ?";
        let rows: Vec<Row> = sqlx::query_as(READ).bind(n).fetch_all(&self.readers).await?;
        rows.into_iter().map(read).collect()
    }

    async fn amend_received(&self, key: &str, wish: &serde_json::Value) -> Result<(), StorageError> {
        let amend = sql("UPDATE received SET wish = ? WHERE key = ?").bind(wish.to_string()).bind(key);
        self.write(move |db| amend.execute(db).map(drop)).await
    }

    async fn forget_received(&self, keys: &[String]) -> Result<(), StorageError> {
        let keys = keys.to_vec();
        self.write(move |db| keys.iter().try_for_each(|key| forget(db, key))).await
    }
}

/// Forgets one that has its job or its answer.
pub(super) fn forget(db: &Connection, key: &str) -> Result<(), StorageError> {
    sql("DELETE FROM received WHERE key = ?").bind(key).execute(db)?;
    Ok(())
}

fn read((key, guild, user, channel, token, token_expires, wish, created): Row) -> Result<Received, StorageError> {
    let wish = serde_json::from_str(&wish).map_err(|_| StorageError::corrupt("wish", &key))?;
    let delivery =
        Delivery { channel: channel.cast_unsigned(), token, token_expires: Timestamp(token_expires), message: None, is_private: false };
    let (guild, user) = (GuildId(guild.cast_unsigned()), UserId(user.cast_unsigned()));
    Ok(Received { key, guild, user, delivery, wish, created: Timestamp(created) })
}
