//! What must outlive the process: one SQLite database. Its only connection is also the order in which things happen:
//! an operation announces its events before it gives the connection back.

pub(crate) mod commands;
pub(crate) mod entitlements;
pub(crate) mod files;
pub(crate) mod interactions;
pub(crate) mod messages;
pub(crate) mod threads;
pub(crate) mod world;

use crate::world::Id;
use sqlx::{
    Row, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::path::Path;
use tempfile::TempDir;

/// Discord counts its ids from 2015.
const EPOCH_MS: i64 = 1_420_070_400_000;

pub(crate) struct Store {
    pool: SqlitePool,
    secret: Vec<u8>,
    /// Removed with the store.
    _scratch: Option<TempDir>,
}

impl Store {
    /// Opens `sandbox.sqlite` in `data_dir`, or in a temporary folder.
    pub(crate) async fn open(data_dir: Option<&Path>) -> Result<Self, sqlx::Error> {
        // Not a database in memory: that one dies with its connection, and a request that is given up closes its connection.
        let scratch = if data_dir.is_none() { Some(tempfile::tempdir().map_err(sqlx::Error::Io)?) } else { None };
        let dir = data_dir.or(scratch.as_ref().map(TempDir::path)).unwrap_or(Path::new("."));
        let options = SqliteConnectOptions::new()
            .filename(dir.join("sandbox.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Enough against a killed process; only a power cut can lose the last writes.
            .synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::migrate!().run(&pool).await?;
        sqlx::query("INSERT OR IGNORE INTO identity (one, last_id, secret) VALUES (1, 0, randomblob(32))").execute(&pool).await?;
        let secret = sqlx::query("SELECT secret FROM identity").fetch_one(&pool).await?.try_get(0)?;
        Ok(Self { pool, secret, _scratch: scratch })
    }

    /// The connection. While it is held, nothing else happens.
    pub(crate) async fn connect(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.pool.acquire().await
    }

    /// The key that signs addresses, the same after a restart.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// The lowest id of a moment.
pub(crate) fn first_id_at(ms: i64) -> Id {
    (ms - EPOCH_MS).max(0) << 22
}

/// A new id: the time in its upper bits, as Discord's, and above every id ever given out.
pub(crate) async fn next_id(db: &mut SqliteConnection, now_ms: i64) -> Result<Id, sqlx::Error> {
    sqlx::query("UPDATE identity SET last_id = MAX(last_id + 1, ?) RETURNING last_id")
        .bind(first_id_at(now_ms))
        .fetch_one(db)
        .await?
        .try_get(0)
}

/// Random hexadecimal digits, for tokens and session ids.
pub(crate) async fn random_hex(db: &mut SqliteConnection, n_bytes: i64) -> Result<String, sqlx::Error> {
    sqlx::query("SELECT lower(hex(randomblob(?)))").bind(n_bytes).fetch_one(db).await?.try_get(0)
}

/// Reads a JSON column that the store itself wrote.
fn json_column(row: &sqlx::sqlite::SqliteRow, column: &str) -> Result<serde_json::Value, sqlx::Error> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|source| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(source) })
}
