use super::json_column;
use crate::world::Id;
use serde_json::Value;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

/// One use of a command, a component or a form.
#[derive(Clone, Debug)]
pub(crate) struct StoredInteraction {
    pub(crate) id: Id,
    pub(crate) token: String,
    /// Discord's interaction type: 2 command, 3 component, 4 autocomplete, 5 form.
    pub(crate) kind: i64,
    /// The command's name.
    pub(crate) name: Option<String>,
    pub(crate) user_id: Id,
    pub(crate) channel_id: Id,
    pub(crate) created_ms: i64,
    /// The callback type of the first answer.
    pub(crate) answer: Option<i64>,
    pub(crate) original_id: Option<Id>,
    pub(crate) source_id: Option<Id>,
    pub(crate) modal: Option<Value>,
    /// Discord's `authorizing_integration_owners`.
    pub(crate) owners: Value,
}

fn read(row: &SqliteRow) -> Result<StoredInteraction, sqlx::Error> {
    Ok(StoredInteraction {
        id: row.try_get("id")?,
        token: row.try_get("token")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        user_id: row.try_get("user_id")?,
        channel_id: row.try_get("channel_id")?,
        created_ms: row.try_get("created_ms")?,
        answer: row.try_get("answer")?,
        original_id: row.try_get("original_id")?,
        source_id: row.try_get("source_id")?,
        modal: if row.try_get::<Option<String>, _>("modal")?.is_some() { Some(json_column(row, "modal")?) } else { None },
        owners: if row.try_get::<Option<String>, _>("owners")?.is_some() { json_column(row, "owners")? } else { Value::Null },
    })
}

pub(crate) async fn insert(db: &mut SqliteConnection, interaction: &StoredInteraction) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO interactions (id, token, kind, name, user_id, channel_id, created_ms, source_id, owners)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(interaction.id)
    .bind(&interaction.token)
    .bind(interaction.kind)
    .bind(&interaction.name)
    .bind(interaction.user_id)
    .bind(interaction.channel_id)
    .bind(interaction.created_ms)
    .bind(interaction.source_id)
    .bind(interaction.owners.to_string())
    .execute(db)
    .await
    .map(drop)
}

pub(crate) async fn by_token(db: &mut SqliteConnection, token: &str) -> Result<Option<StoredInteraction>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM interactions WHERE token = ?").bind(token).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

pub(crate) async fn get(db: &mut SqliteConnection, id: Id) -> Result<Option<StoredInteraction>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM interactions WHERE id = ?").bind(id).fetch_optional(db).await?;
    row.as_ref().map(read).transpose()
}

/// Records the first answer.
pub(crate) async fn answer(db: &mut SqliteConnection, interaction: &StoredInteraction) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE interactions SET answer = ?, original_id = ?, modal = ? WHERE id = ?")
        .bind(interaction.answer)
        .bind(interaction.original_id)
        .bind(interaction.modal.as_ref().map(Value::to_string))
        .bind(interaction.id)
        .execute(db)
        .await
        .map(drop)
}

/// Takes away the form that the first answer opened; `false` when it was gone.
pub(crate) async fn close_form(db: &mut SqliteConnection, id: Id) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE interactions SET modal = NULL WHERE id = ? AND modal IS NOT NULL").bind(id).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Counts a follow-up; returns how many there are now.
pub(crate) async fn count_follow_up(db: &mut SqliteConnection, id: Id) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("UPDATE interactions SET n_follow_ups = n_follow_ups + 1 WHERE id = ? RETURNING n_follow_ups")
        .bind(id)
        .fetch_one(db)
        .await
}

/// Those of these interactions that still wait for their first answer.
pub(crate) async fn unanswered(db: &mut SqliteConnection, ids: &[Id]) -> Result<Vec<Id>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM interactions WHERE id IN (SELECT value FROM json_each(?)) AND answer IS NULL")
        .bind(serde_json::json!(ids).to_string())
        .fetch_all(db)
        .await
}

/// Forgets interactions whose ids are below `before`: their tokens have long been dead.
pub(crate) async fn forget(db: &mut SqliteConnection, before: Id) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM interactions WHERE id < ?").bind(before).execute(db).await.map(drop)
}
