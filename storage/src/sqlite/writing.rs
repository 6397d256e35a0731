//! The thread that writes what happens to jobs: each transaction is one call that runs there from its beginning to its end. Those that wait while
//! another one is written share its commit, which takes longer than all they write.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::sql::sql;
use crate::error::StorageError;

/// Writes that share a commit at most, so that whoever else writes has a turn.
const MOST_TOGETHER: usize = 64;
/// Writes that wait for the thread; others wait for a place among them.
const N_WAITING: usize = 1024;

/// What somebody wants to write.
trait Wish: Send {
    /// Whether whoever asked went away.
    fn is_given_up(&self) -> bool;
    /// Writes; whether it is to stay.
    fn write(&mut self, db: &Connection) -> bool;
    /// Tells whoever asked: what they were told by the write itself, or by what its commit failed.
    fn answer(self: Box<Self>, outcome: Result<(), StorageError>);
}

struct Pending<T, F> {
    work: Option<F>,
    written: Result<T, StorageError>,
    answer: oneshot::Sender<Result<T, StorageError>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, StorageError> + Send> Wish for Pending<T, F> {
    fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    fn write(&mut self, db: &Connection) -> bool {
        if let Some(work) = self.work.take() {
            // What one of them panics at is no reason for the others to wait for ever.
            self.written = catch_unwind(AssertUnwindSafe(|| work(db))).unwrap_or(Err(StorageError::Undone));
        }
        self.written.is_ok() && !self.is_given_up()
    }

    fn answer(self: Box<Self>, outcome: Result<(), StorageError>) {
        // Whoever went away needs no answer.
        self.answer.send(outcome.and(self.written)).ok();
    }
}

#[derive(Debug)]
pub(super) struct WriteThread {
    wishes: mpsc::Sender<Box<dyn Wish>>,
    thread: JoinHandle<()>,
}

impl WriteThread {
    /// The `gate` is passed by one at a time: the thread while it writes, and whoever writes by another connection.
    pub(super) fn start(db: Connection, gate: Arc<Mutex<()>>) -> Result<Self, std::io::Error> {
        let (wishes, waiting) = mpsc::channel(N_WAITING);
        let thread = std::thread::Builder::new().name("storage-writes".into()).spawn(move || run(&db, waiting, gate))?;
        Ok(Self { wishes, thread })
    }

    /// One transaction. It is committed when `work` succeeds, and rolled back when it fails or when whoever asked goes away before.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (answer, answered) = oneshot::channel();
        let wish = Box::new(Pending { work: Some(work), written: Err(StorageError::Undone), answer });
        self.wishes.send(wish).await.map_err(|_| StorageError::Undone)?;
        answered.await.unwrap_or(Err(StorageError::Undone))
    }

    pub(super) async fn close(self) {
        let Self { wishes, thread } = self;
        drop(wishes);
        // It ends after what it was asked for.
        tokio::task::spawn_blocking(move || thread.join()).await.ok();
    }
}

fn run(db: &Connection, mut wishes: mpsc::Receiver<Box<dyn Wish>>, gate: Arc<Mutex<()>>) {
    while let Some(first) = wishes.blocking_recv() {
        let _turn = gate.clone().blocking_lock_owned();
        let mut group = Group { db, written: Vec::new() };
        group.write(first);
        while group.written.len() < MOST_TOGETHER
            && let Ok(next) = wishes.try_recv()
        {
            group.write(next);
        }
        group.commit();
    }
}

/// Writes that are committed together, or none of them.
struct Group<'a> {
    db: &'a Connection,
    written: Vec<Box<dyn Wish>>,
}

impl Group<'_> {
    fn write(&mut self, mut wish: Box<dyn Wish>) {
        if wish.is_given_up() {
            return;
        }
        let is_first = self.written.is_empty();
        // The write lock is taken at once: a transaction that first reads could find it taken, and would have to start again.
        let begun = sql(if is_first { "BEGIN IMMEDIATE" } else { "SAVEPOINT one_write" }).execute(self.db);
        let answer = match begun {
            Ok(_) if wish.write(self.db) => {
                self.written.push(wish);
                return;
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        // A savepoint that was gone back to stays, and does no harm: the next one of its name is a newer one. A full disk makes SQLite roll back
        // all by itself.
        let is_whole = !is_first && !self.db.is_autocommit() && sql("ROLLBACK TO one_write").execute(self.db).is_ok();
        if !is_whole {
            self.undo(&StorageError::Undone);
        }
        wish.answer(answer);
    }

    fn commit(&mut self) {
        if self.written.is_empty() {
            return;
        }
        match sql("COMMIT").execute(self.db) {
            Ok(_) => self.written.drain(..).for_each(|wish| wish.answer(Ok(()))),
            Err(error) => {
                let alone = if self.written.len() == 1 { self.written.pop() } else { None };
                self.undo(&error);
                if let Some(alone) = alone {
                    alone.answer(Err(error));
                }
            }
        }
    }

    /// Rolls back what all of them wrote, for which there may be nothing left to do, and tells them.
    fn undo(&mut self, cause: &StorageError) {
        sql("ROLLBACK").execute(self.db).ok();
        let told = || if matches!(cause, StorageError::DiskFull) { StorageError::DiskFull } else { StorageError::Undone };
        self.written.drain(..).for_each(|wish| wish.answer(Err(told())));
    }
}

#[cfg(test)]
mod tests;
