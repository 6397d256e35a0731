use super::json_column;
use crate::world::Id;
use serde_json::Value;
use sqlx::{Row, SqliteConnection};

/// What a guild says of each command, or of the application, that it says something of; the oldest ids first.
pub(crate) async fn of_guild(db: &mut SqliteConnection, guild_id: Id) -> Result<Vec<(Id, Value)>, sqlx::Error> {
    let rows = sqlx::query("SELECT id, body FROM command_permissions WHERE guild_id = ? ORDER BY id").bind(guild_id).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, json_column(row, "body")?))).collect()
}

/// Replaces what a guild says of a command; an empty list is nothing.
pub(crate) async fn save(db: &mut SqliteConnection, guild_id: Id, id: Id, body: &Value) -> Result<(), sqlx::Error> {
    let query = match body.as_array().is_none_or(Vec::is_empty) {
        true => sqlx::query("DELETE FROM command_permissions WHERE guild_id = ? AND id = ?").bind(guild_id).bind(id),
        false => sqlx::query("INSERT OR REPLACE INTO command_permissions (guild_id, id, body) VALUES (?, ?, ?)")
            .bind(guild_id)
            .bind(id)
            .bind(body.to_string()),
    };
    query.execute(db).await.map(drop)
}

/// Forgets what is said of commands that are no more.
pub(crate) async fn forget_strays(db: &mut SqliteConnection, application: Id) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM command_permissions WHERE id <> ? AND id NOT IN (SELECT id FROM commands)")
        .bind(application)
        .execute(db)
        .await
        .map(drop)
}
