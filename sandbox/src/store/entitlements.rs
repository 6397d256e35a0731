use super::json_column;
use crate::world::Id;
use serde_json::Value;
use sqlx::SqliteConnection;

/// Creates the entitlement, or overwrites it.
pub(crate) async fn save(db: &mut SqliteConnection, id: Id, owner_id: Id, body: &Value) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO entitlements (id, owner_id, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body")
        .bind(id)
        .bind(owner_id)
        .bind(body.to_string())
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn get(db: &mut SqliteConnection, id: Id) -> Result<Option<Value>, sqlx::Error> {
    let row = sqlx::query("SELECT body FROM entitlements WHERE id = ?").bind(id).fetch_optional(db).await?;
    row.as_ref().map(|row| json_column(row, "body")).transpose()
}

/// Those between two ids, oldest first; deleted ones too.
pub(crate) async fn all(db: &mut SqliteConnection, after: Id, before: Id) -> Result<Vec<Value>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT body FROM entitlements WHERE id > ? AND id < ? ORDER BY id").bind(after).bind(before).fetch_all(db).await?;
    rows.iter().map(|row| json_column(row, "body")).collect()
}

/// What a person, or the guild they are in, has.
pub(crate) async fn of_owners(db: &mut SqliteConnection, owners: &[Id]) -> Result<Vec<Value>, sqlx::Error> {
    let rows = sqlx::query("SELECT body FROM entitlements WHERE owner_id IN (SELECT value FROM json_each(?)) ORDER BY id")
        .bind(serde_json::json!(owners).to_string())
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| json_column(row, "body")).collect()
}

/// Forgets the oldest beyond the newest `n_kept`.
pub(crate) async fn forget_beyond(db: &mut SqliteConnection, n_kept: i64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM entitlements WHERE id NOT IN (SELECT id FROM entitlements ORDER BY id DESC LIMIT ?)")
        .bind(n_kept)
        .execute(db)
        .await
        .map(drop)
}
