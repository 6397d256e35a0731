//! The job store in one SQLite file: for a single process that holds the lock beside the file.

#[macro_use]
mod from_row;

mod borders;
mod cancel;
mod checkpoints;
mod choices;
mod claim;
mod copies;
mod drafts;
mod ending;
mod enqueue;
#[cfg(test)]
mod faults;
mod favourites;
mod guilds;
mod held;
mod history;
mod images;
mod keeping;
mod migrations;
mod moderation;
mod open;
mod outbox;
mod pauses;
mod policy;
mod pool;
mod privacy;
mod queue;
mod quota;
mod readers;
mod reap;
mod received;
mod rows;
mod rules;
mod sql;
mod states;
mod thumbnails;
mod turns;
mod worker;
mod writer;
mod writing;

use std::fs::File;

use rusqlite::Connection;
use sqlx::SqlitePool;

use crate::{error::StorageError, zone::Zone};
use readers::Readers;
use writer::{Write, Writer};
use writing::{Bond, WriteThread};

/// Jobs in an SQLite database. The process lock is held as long as this lives.
#[derive(Debug)]
pub struct SqliteStore {
    /// For what happens to jobs.
    thread: WriteThread,
    /// For what is written seldom.
    writer: Writer,
    readers: SqlitePool,
    /// For those who have several questions.
    inquirers: Readers,
    /// For those who look through histories.
    lookers: SqlitePool,
    zone: Zone,
    _lock: File,
}

impl SqliteStore {
    /// Days and months begin and end there from now on; without this, in UTC. What was spent stays in the day in which it was.
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// Closes the connections, which also empties the write-ahead log into the database.
    pub async fn close(self) {
        self.lookers.close().await;
        self.readers.close().await;
        self.inquirers.close();
        self.thread.close().await;
        self.writer.close().await;
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.thread.write(Bond::Promise, work).await
    }

    /// The same for what may be lost with the power for a moment, since it is found out again.
    async fn remark<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.thread.write(Bond::Remark, work).await
    }

    async fn begin(&self) -> Result<Write, StorageError> {
        self.writer.begin().await
    }
}
