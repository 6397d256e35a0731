//! What is written seldom: settings, drafts, what is deleted and forgotten, by a connection of its own. What happens to jobs all the time has a
//! thread (`writing`), and one gate lets one of the two write at a time: waiting there is fair where SQLite's busy handler is not.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::{
    Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteQueryResult},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::pool::pool;
use crate::error::StorageError;

#[derive(Clone, Debug)]
pub(super) struct Writer {
    connections: SqlitePool,
    gate: Arc<Mutex<()>>,
}

/// The connection, and nobody else writes; what is in no transaction is done with it.
#[derive(Debug)]
pub(super) struct Taken {
    // Given back before the gate is opened.
    connection: PoolConnection<Sqlite>,
    _turn: OwnedMutexGuard<()>,
}

/// A transaction, and nobody else writes.
#[derive(Debug)]
pub(super) struct Write {
    // Rolled back before the gate is opened.
    tx: Transaction<'static, Sqlite>,
    _turn: OwnedMutexGuard<()>,
}

impl Writer {
    pub(super) async fn open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        Ok(Self { connections: pool(1).connect_with(options).await?, gate: Arc::default() })
    }

    /// Whoever is in it writes.
    pub(super) fn gate(&self) -> Arc<Mutex<()>> {
        self.gate.clone()
    }

    async fn turn(&self) -> OwnedMutexGuard<()> {
        self.gate.clone().lock_owned().await
    }

    pub(super) async fn take(&self) -> Result<Taken, StorageError> {
        let turn = self.turn().await;
        Ok(Taken { connection: self.connections.acquire().await?, _turn: turn })
    }

    /// Takes the write lock at once: a transaction that first reads could find it taken, and would have to start again.
    pub(super) async fn begin(&self) -> Result<Write, StorageError> {
        let turn = self.turn().await;
        Ok(Write { tx: self.connections.begin_with("BEGIN IMMEDIATE").await?, _turn: turn })
    }

    /// A write of one statement.
    pub(super) async fn one(&self, write: Query<'_, Sqlite, SqliteArguments>) -> Result<SqliteQueryResult, StorageError> {
        let _turn = self.turn().await;
        Ok(write.execute(&self.connections).await?)
    }

    pub(super) async fn close(self) {
        // Where it fails the log is emptied at the next start.
        let _turn = self.turn().await;
        self.connections.close().await;
    }
}

impl Write {
    pub(super) async fn commit(self) -> Result<(), StorageError> {
        Ok(self.tx.commit().await?)
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

impl Deref for Taken {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Taken {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Guilds, SqliteStore,
        sqlite::sql::{Sql, sql},
    };

    fn note(key: &'static str) -> Sql {
        sql("INSERT INTO notes (key, value) VALUES (?, '')").bind(key)
    }

    #[tokio::test]
    async fn one_of_the_two_writes_at_a_time_and_what_is_not_committed_is_undone() {
        for is_committed in [true, false] {
            let folder = tempfile::tempdir().expect("a folder");
            let store = SqliteStore::open(&folder.path().join("a.db")).await.expect("it opens");
            let mut tx = store.begin().await.expect("begun");
            sqlx::query("INSERT INTO notes (key, value) VALUES ('seldom', '')").execute(&mut *tx).await.expect("written");
            let mut writing = Box::pin(store.write(|db| note("often").execute(db)));
            let is_there_before = tokio::select! {
                biased;
                _ = &mut writing => true,
                () = tokio::task::yield_now() => false,
            };
            assert!(!is_there_before, "the gate is shut");
            if is_committed {
                tx.commit().await.expect("committed");
            } else {
                drop(tx);
            }
            assert_eq!(writing.await.expect("written"), 1);
            assert_eq!(store.note("seldom").await.expect("read").is_some(), is_committed);
            assert!(store.note("often").await.expect("read").is_some());
            store.set_note("seldom", "again").await.expect("and the next one writes");
        }
    }
}
