use super::json_column;
use crate::world::Id;
use serde_json::Value;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

/// A message as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredMessage {
    pub(crate) id: Id,
    pub(crate) channel_id: Id,
    pub(crate) author_id: Id,
    /// The only person who sees it, for an ephemeral message.
    pub(crate) audience: Option<Id>,
    pub(crate) interaction_id: Option<Id>,
    pub(crate) nonce: Option<String>,
    pub(crate) created_ms: i64,
    /// Discord's message object, without addresses of files.
    pub(crate) body: Value,
}

/// Which messages of a channel to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) channel_id: Id,
    /// Ephemeral messages of this person are included.
    pub(crate) viewer: Option<Id>,
    pub(crate) before: Option<Id>,
    pub(crate) after: Option<Id>,
    pub(crate) limit: i64,
}

fn read(row: &SqliteRow) -> Result<StoredMessage, sqlx::Error> {
    Ok(StoredMessage {
        id: row.try_get("id")?,
        channel_id: row.try_get("channel_id")?,
        author_id: row.try_get("author_id")?,
        audience: row.try_get("audience")?,
        interaction_id: row.try_get("interaction_id")?,
        nonce: row.try_get("nonce")?,
        created_ms: row.try_get("created_ms")?,
        body: json_column(row, "body")?,
    })
}

/// Creates the message, or overwrites its body.
pub(crate) async fn save(db: &mut SqliteConnection, message: &StoredMessage) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO messages (id, channel_id, author_id, audience, interaction_id, nonce, created_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET body = excluded.body",
    )
    .bind(message.id)
    .bind(message.channel_id)
    .bind(message.author_id)
    .bind(message.audience)
    .bind(message.interaction_id)
    .bind(&message.nonce)
    .bind(message.created_ms)
    .bind(message.body.to_string())
    .execute(db)
    .await
    .map(drop)
}

pub(crate) async fn get(db: &mut SqliteConnection, id: Id) -> Result<Option<StoredMessage>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM messages WHERE id = ?").bind(id).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

pub(crate) async fn delete(db: &mut SqliteConnection, id: Id) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM messages WHERE id = ?").bind(id).execute(db).await.map(drop)
}

/// A window of a channel, oldest first. With `after` the oldest of the window are taken, else the newest.
pub(crate) async fn list(db: &mut SqliteConnection, window: Window) -> Result<Vec<StoredMessage>, sqlx::Error> {
    const NEWEST: &str = "SELECT * FROM messages WHERE channel_id = ? AND (audience IS NULL OR audience = ?) AND id < ? AND id > ?
         ORDER BY id DESC LIMIT ?";
    const OLDEST: &str = "SELECT * FROM messages WHERE channel_id = ? AND (audience IS NULL OR audience = ?) AND id < ? AND id > ?
         ORDER BY id ASC LIMIT ?";
    let rows = sqlx::query(if window.after.is_some() { OLDEST } else { NEWEST })
        .bind(window.channel_id)
        .bind(window.viewer)
        .bind(window.before.unwrap_or(Id::MAX))
        .bind(window.after.unwrap_or(0))
        .bind(window.limit)
        .fetch_all(db)
        .await?;
    let mut messages: Vec<StoredMessage> = rows.iter().map(read).collect::<Result<_, _>>()?;
    messages.sort_by_key(|message| message.id);
    Ok(messages)
}

/// The newest message that everyone in the channel sees.
pub(crate) async fn last_id(db: &mut SqliteConnection, channel_id: Id) -> Result<Option<Id>, sqlx::Error> {
    sqlx::query_scalar("SELECT MAX(id) FROM messages WHERE channel_id = ? AND audience IS NULL").bind(channel_id).fetch_one(db).await
}

/// The author's message with this nonce that is not older than `since_ms`.
pub(crate) async fn with_nonce(
    db: &mut SqliteConnection,
    author_id: Id,
    nonce: &str,
    since_ms: i64,
) -> Result<Option<StoredMessage>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM messages WHERE author_id = ? AND nonce = ? AND created_ms >= ? ORDER BY id DESC LIMIT 1")
        .bind(author_id)
        .bind(nonce)
        .bind(since_ms)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Deletes the messages of a channel beyond the newest `n_kept`; returns their ids.
pub(crate) async fn keep_newest(db: &mut SqliteConnection, channel_id: Id, n_kept: i64) -> Result<Vec<Id>, sqlx::Error> {
    sqlx::query_scalar(
        "DELETE FROM messages WHERE channel_id = ?1
         AND id <= (SELECT id FROM messages WHERE channel_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2) RETURNING id",
    )
    .bind(channel_id)
    .bind(n_kept)
    .fetch_all(db)
    .await
}

/// The pinned messages of a channel, the newest first.
pub(crate) async fn pinned(db: &mut SqliteConnection, channel_id: Id) -> Result<Vec<StoredMessage>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM messages WHERE channel_id = ? AND audience IS NULL AND body ->> '$.pinned' = 1 ORDER BY id DESC")
        .bind(channel_id)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

/// The ids of every message of a channel.
pub(crate) async fn ids(db: &mut SqliteConnection, channel_id: Id) -> Result<Vec<Id>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM messages WHERE channel_id = ?").bind(channel_id).fetch_all(db).await
}
