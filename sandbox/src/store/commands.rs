use super::json_column;
use crate::world::Id;
use serde_json::Value;
use sqlx::SqliteConnection;

/// A registered command as it is stored.
pub(crate) struct StoredCommand {
    pub(crate) id: Id,
    /// 0 for a global command.
    pub(crate) guild_id: Id,
    pub(crate) kind: i64,
    pub(crate) name: String,
    pub(crate) body: Value,
}

/// Creates a command, or overwrites the one with this id.
pub(crate) async fn save(db: &mut SqliteConnection, command: &StoredCommand) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO commands (id, guild_id, kind, name, body) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body",
    )
    .bind(command.id)
    .bind(command.guild_id)
    .bind(command.kind)
    .bind(&command.name)
    .bind(command.body.to_string())
    .execute(db)
    .await
    .map(drop)
}

/// The id of the command with this name and kind.
pub(crate) async fn named(db: &mut SqliteConnection, guild_id: Id, kind: i64, name: &str) -> Result<Option<Id>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM commands WHERE guild_id = ? AND kind = ? AND name = ?")
        .bind(guild_id)
        .bind(kind)
        .bind(name)
        .fetch_optional(db)
        .await
}

pub(crate) async fn get(db: &mut SqliteConnection, id: Id) -> Result<Option<Value>, sqlx::Error> {
    let row = sqlx::query("SELECT body FROM commands WHERE id = ?").bind(id).fetch_optional(db).await?;
    row.as_ref().map(|row| json_column(row, "body")).transpose()
}

/// The commands of one place, oldest first.
pub(crate) async fn of_guild(db: &mut SqliteConnection, guild_id: Id) -> Result<Vec<Value>, sqlx::Error> {
    let rows = sqlx::query("SELECT body FROM commands WHERE guild_id = ? ORDER BY id").bind(guild_id).fetch_all(db).await?;
    rows.iter().map(|row| json_column(row, "body")).collect()
}

/// Global and guild commands together, in the order of their creation.
pub(crate) async fn all(db: &mut SqliteConnection) -> Result<Vec<Value>, sqlx::Error> {
    let rows = sqlx::query("SELECT body FROM commands ORDER BY id").fetch_all(db).await?;
    rows.iter().map(|row| json_column(row, "body")).collect()
}

pub(crate) async fn delete(db: &mut SqliteConnection, guild_id: Id, id: Id) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM commands WHERE guild_id = ? AND id = ?").bind(guild_id).bind(id).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Counts the creation of a command; returns how many there were since `since_ms`.
pub(crate) async fn count_creation(db: &mut SqliteConnection, guild_id: Id, now_ms: i64, since_ms: i64) -> Result<i64, sqlx::Error> {
    sqlx::query("DELETE FROM command_creations WHERE created_ms <= ?").bind(since_ms).execute(&mut *db).await?;
    sqlx::query("INSERT INTO command_creations (guild_id, created_ms) VALUES (?, ?)").bind(guild_id).bind(now_ms).execute(&mut *db).await?;
    sqlx::query_scalar("SELECT COUNT(*) FROM command_creations WHERE guild_id = ?").bind(guild_id).fetch_one(db).await
}

/// Removes every command of a place whose id is not in `kept`.
pub(crate) async fn retain(db: &mut SqliteConnection, guild_id: Id, kept: &[Id]) -> Result<(), sqlx::Error> {
    let kept = serde_json::json!(kept).to_string();
    sqlx::query("DELETE FROM commands WHERE guild_id = ? AND id NOT IN (SELECT value FROM json_each(?))")
        .bind(guild_id)
        .bind(kept)
        .execute(db)
        .await
        .map(drop)
}
