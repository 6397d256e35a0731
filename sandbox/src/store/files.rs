use crate::world::Id;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

/// What is known of an uploaded file; its bytes are in the file store under the same id.
pub(crate) struct StoredFile {
    pub(crate) id: Id,
    pub(crate) channel_id: Id,
    pub(crate) message_id: Option<Id>,
    pub(crate) filename: String,
    pub(crate) content_type: String,
}

pub(crate) async fn insert(db: &mut SqliteConnection, file: &StoredFile) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO files (id, channel_id, message_id, filename, content_type) VALUES (?, ?, ?, ?, ?)")
        .bind(file.id)
        .bind(file.channel_id)
        .bind(file.message_id)
        .bind(&file.filename)
        .bind(&file.content_type)
        .execute(db)
        .await
        .map(drop)
}

/// The content type of a file with exactly this address.
pub(crate) async fn content_type(db: &mut SqliteConnection, channel_id: Id, id: Id, filename: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT content_type FROM files WHERE id = ? AND channel_id = ? AND filename = ?")
        .bind(id)
        .bind(channel_id)
        .bind(filename)
        .fetch_optional(db)
        .await
}

/// Forgets the message's files that are not in `kept` and returns them: their bytes may be asked for a while longer.
pub(crate) async fn retain(db: &mut SqliteConnection, message_id: Id, kept: &[Id]) -> Result<Vec<StoredFile>, sqlx::Error> {
    let rows = sqlx::query("DELETE FROM files WHERE message_id = ? AND id NOT IN (SELECT value FROM json_each(?)) RETURNING *")
        .bind(message_id)
        .bind(serde_json::json!(kept).to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<StoredFile, sqlx::Error> {
    Ok(StoredFile {
        id: row.try_get("id")?,
        channel_id: row.try_get("channel_id")?,
        message_id: row.try_get("message_id")?,
        filename: row.try_get("filename")?,
        content_type: row.try_get("content_type")?,
    })
}

/// Forgets every file of these messages; returns their ids, so that their bytes can go too.
pub(crate) async fn forget_of(db: &mut SqliteConnection, messages: &[Id]) -> Result<Vec<Id>, sqlx::Error> {
    sqlx::query_scalar("DELETE FROM files WHERE message_id IN (SELECT value FROM json_each(?)) RETURNING id")
        .bind(serde_json::json!(messages).to_string())
        .fetch_all(db)
        .await
}

/// Forgets uploads of people that no message names and whose ids are below `before`; returns their ids.
pub(crate) async fn forget_uploads(db: &mut SqliteConnection, before: Id) -> Result<Vec<Id>, sqlx::Error> {
    sqlx::query_scalar("DELETE FROM files WHERE message_id IS NULL AND id < ? RETURNING id").bind(before).fetch_all(db).await
}

/// The ids of all files, the lowest first.
pub(crate) async fn ids(db: &mut SqliteConnection) -> Result<Vec<Id>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM files ORDER BY id").fetch_all(db).await
}
