//! What must outlive the process: one SQLite database. Its only connection is also the order in which things happen:
//! an operation announces its events before it gives the connection back.

pub(crate) mod command_permissions;
pub(crate) mod commands;
pub(crate) mod entitlements;
pub(crate) mod files;
mod ids;
pub(crate) mod interactions;
pub(crate) mod messages;
mod migrations;
pub(crate) mod threads;
pub(crate) mod world;

pub(crate) use ids::first_id_at;

use crate::{clock::Clock, files::keyed_hash, world::Id};
use ids::Ids;
use sqlx::{
    Row, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(crate) struct Store {
    pool: SqlitePool,
    pub(super) clock: Clock,
    ids: Ids,
    secret: Vec<u8>,
    directory: PathBuf,
    /// Removed with the store.
    _scratch: Option<TempDir>,
}

impl Store {
    /// Opens `sandbox.sqlite` in `data_dir`, or in a temporary folder.
    pub(crate) async fn open(data_dir: Option<&Path>, clock: Clock) -> Result<Self, sqlx::Error> {
        // Not a database in memory: that one dies with its connection, and a request that is given up closes its connection.
        let scratch = if data_dir.is_none() { Some(tempfile::tempdir().map_err(sqlx::Error::Io)?) } else { None };
        let dir = data_dir.or(scratch.as_ref().map(TempDir::path)).unwrap_or(Path::new("."));
        let options = SqliteConnectOptions::new().filename(dir.join("sandbox.sqlite")).create_if_missing(true);
        let options = match data_dir {
            // Enough against a killed process; only a power cut can lose the last writes.
            Some(_) => options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal),
            // It ends with the process in any case.
            None => options
                .journal_mode(SqliteJournalMode::Memory)
                .synchronous(SqliteSynchronous::Off)
                .locking_mode(SqliteLockingMode::Exclusive),
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            // A file on this machine does not go away between two operations.
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        migrations::migrator().run(&pool).await?;
        sqlx::query("INSERT OR IGNORE INTO identity (one, last_id, secret) VALUES (1, 0, randomblob(32))").execute(&pool).await?;
        let secret = sqlx::query("SELECT secret FROM identity").fetch_one(&pool).await?.try_get(0)?;
        let directory = dir.to_owned();
        let ids = Ids::load(&mut *pool.acquire().await?).await?;
        Ok(Self { pool, clock, ids, secret, directory, _scratch: scratch })
    }

    /// Where the database is: what else must live as long as it goes there too.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The connection. While it is held, nothing else happens.
    pub(crate) async fn connect(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        let mut db = self.pool.acquire().await?;
        self.ids.reserve(&mut db, self.clock.now_ms()).await?;
        Ok(db)
    }

    /// A new id, above every id ever given out.
    pub(crate) async fn next_id(&self, db: &mut SqliteConnection, now_ms: i64) -> Result<Id, sqlx::Error> {
        self.ids.next(db, now_ms).await
    }

    /// The secret by which an interaction is answered: nobody guesses it, and it needs no place to be kept.
    pub(crate) fn token(&self, interaction: Id) -> String {
        keyed_hash(&self.secret, &format!("token {interaction}"))
    }

    /// The key that signs addresses, the same after a restart.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
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
