//! The one connection that writes, and the transactions on it.

use std::ops::{Deref, DerefMut};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{Mutex, MutexGuard};

use crate::error::StorageError;

/// SQLite has one writer, and waiting for a turn here is fair where its busy handler is not. A pool of one would ask its connection at every
/// taking and giving back whether it is alive, which takes as long as a statement.
#[derive(Debug)]
pub(super) struct Writer(Mutex<Slot>);

#[derive(Debug)]
struct Slot {
    connection: SqliteConnection,
    /// Whether a transaction was begun that was not ended: whoever began it failed or went away.
    is_open: bool,
}

impl Writer {
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let connection = SqliteConnection::connect_with(options).await?;
        Ok(Self(Mutex::new(Slot { connection, is_open: false })))
    }

    /// The connection, for a single statement.
    pub(super) async fn take(&self) -> Write<'_> {
        let mut slot = self.0.lock().await;
        if slot.is_open {
            // A full disk makes SQLite roll back by itself: there is nothing to roll back then, and that is its only answer.
            sqlx::query("ROLLBACK").execute(&mut slot.connection).await.ok();
            slot.is_open = false;
        }
        Write(slot)
    }

    /// Takes the write lock at once: a transaction that first reads could find it taken, and would have to start again. Where it is not
    /// committed it is rolled back, at the latest by the next writer.
    pub(super) async fn begin(&self) -> Result<Write<'_>, StorageError> {
        let mut write = self.take().await;
        write.0.is_open = true;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *write).await?;
        Ok(write)
    }

    pub(super) async fn close(self) {
        // Where it fails its log is emptied at the next start.
        self.0.into_inner().connection.close().await.ok();
    }
}

/// The connection while somebody writes.
#[derive(Debug)]
pub(super) struct Write<'a>(MutexGuard<'a, Slot>);

impl Write<'_> {
    pub(super) async fn commit(self) -> Result<(), StorageError> {
        self.end("COMMIT").await
    }

    /// Gives the write lock back where there is nothing to write.
    pub(super) async fn rollback(self) -> Result<(), StorageError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), StorageError> {
        sqlx::query(how).execute(&mut *self).await?;
        self.0.is_open = false;
        Ok(())
    }
}

impl Deref for Write<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0.connection
    }
}

impl DerefMut for Write<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_committed_is_rolled_back_and_the_next_one_writes() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = SqliteConnectOptions::new().filename(folder.path().join("a.db")).create_if_missing(true);
        let writer = Writer::open(&options).await.expect("it opens");
        sqlx::query("CREATE TABLE a (b INTEGER)").execute(&mut *writer.take().await).await.expect("made");
        let count =
            async || -> i64 { sqlx::query_scalar("SELECT count(*) FROM a").fetch_one(&mut *writer.take().await).await.expect("counted") };
        for round in 1..5 {
            for ends in ["commit", "drop", "rollback", "go away while it begins", "go away while it ends"] {
                if ends == "go away while it begins" {
                    polled_once(&mut Box::pin(writer.begin())).await;
                    continue;
                }
                let mut write = writer.begin().await.expect("begun");
                sqlx::query("INSERT INTO a VALUES (1)").execute(&mut *write).await.expect("written");
                match ends {
                    "commit" => write.commit().await.expect("committed"),
                    "drop" => drop(write),
                    "rollback" => write.rollback().await.expect("rolled back"),
                    _ => polled_once(&mut Box::pin(write.rollback())).await,
                }
                assert_eq!(count().await, round, "{ends}");
            }
        }
        writer.close().await;
    }

    /// Polls a future once; whether it is ready then is up to the connection's thread.
    async fn polled_once<T>(future: &mut (impl Future<Output = T> + Unpin)) {
        let once = |context: &mut std::task::Context<'_>| {
            let _ = std::pin::Pin::new(&mut *future).poll(context);
            std::task::Poll::Ready(())
        };
        std::future::poll_fn(once).await;
    }
}
