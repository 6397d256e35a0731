use super::json_column;
use crate::{faults::Fault, world::Id};
use sqlx::{Connection, SqliteConnection};

/// Keeps these faults in place of those that were kept.
pub(crate) async fn save_faults(db: &mut SqliteConnection, faults: &[Fault]) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    sqlx::query("DELETE FROM standing_faults").execute(&mut *tx).await?;
    for fault in faults {
        let body = serde_json::to_string(fault).map_err(|source| sqlx::Error::Encode(Box::new(source)))?;
        sqlx::query("INSERT INTO standing_faults (body) VALUES (?)").bind(body).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// The faults that were kept, oldest first.
pub(crate) async fn faults(db: &mut SqliteConnection) -> Result<Vec<Fault>, sqlx::Error> {
    let rows = sqlx::query("SELECT body FROM standing_faults ORDER BY id").fetch_all(db).await?;
    let read = |row| serde_json::from_value(json_column(row, "body")?).map_err(|source| sqlx::Error::Decode(Box::new(source)));
    rows.iter().map(read).collect()
}

/// Remembers whether somebody takes direct messages.
pub(crate) async fn accept_dms(db: &mut SqliteConnection, user_id: Id, accepts: bool) -> Result<(), sqlx::Error> {
    let query = match accepts {
        true => sqlx::query("DELETE FROM refusals WHERE user_id = ?"),
        false => sqlx::query("INSERT OR IGNORE INTO refusals (user_id) VALUES (?)"),
    };
    query.bind(user_id).execute(db).await.map(drop)
}

/// Who refuses direct messages.
pub(crate) async fn refusals(db: &mut SqliteConnection) -> Result<Vec<Id>, sqlx::Error> {
    sqlx::query_scalar("SELECT user_id FROM refusals").fetch_all(db).await
}
