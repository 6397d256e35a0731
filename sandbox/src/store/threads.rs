use super::json_column;
use crate::world::{Id, Thread};
use sqlx::SqliteConnection;

/// Creates the thread, or overwrites it.
pub(crate) async fn save(db: &mut SqliteConnection, thread: &Thread) -> Result<(), sqlx::Error> {
    let body = serde_json::to_string(thread).map_err(|source| sqlx::Error::Encode(Box::new(source)))?;
    sqlx::query("INSERT INTO threads (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body")
        .bind(thread.id)
        .bind(body)
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn delete(db: &mut SqliteConnection, id: Id) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM threads WHERE id = ?").bind(id).execute(db).await.map(drop)
}

/// Every thread, oldest first.
pub(crate) async fn all(db: &mut SqliteConnection) -> Result<Vec<Thread>, sqlx::Error> {
    let rows = sqlx::query("SELECT body FROM threads ORDER BY id").fetch_all(db).await?;
    let read = |row| serde_json::from_value(json_column(row, "body")?).map_err(|source| sqlx::Error::Decode(Box::new(source)));
    rows.iter().map(read).collect()
}
