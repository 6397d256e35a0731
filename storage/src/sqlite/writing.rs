//! The thread that writes what happens to jobs: each transaction is one call that runs there from its beginning to its end. Those that wait while
//! another one is written share its commit, which takes longer than all they write.
//!
//! A commit outlives the process in any case. Whether it waits until it would outlive the loss of power as well is said by each write ([`Bond`]).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, oneshot};

use super::sql::sql;
use crate::error::StorageError;

/// Writes that share a commit at most, so that whoever else writes has a turn.
const MOST_TOGETHER: usize = 64;
/// Writes that wait for the thread; others wait for a place among them.
const N_WAITING: usize = 1024;
/// What needed not be on the disk at once is there after so long.
const SOON: Duration = Duration::from_millis(50);

/// What a commit is good for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bond {
    /// Somebody is told something on the strength of it: it is on the disk before the answer (`synchronous = FULL`).
    Promise,
    /// What follows from the rest, or is found out again: it may be lost with the power for [`SOON`], and what was written before it is not. It costs
    /// no wait for the disk.
    Remark,
}

impl Bond {
    fn level(self) -> &'static str {
        match self {
            Self::Promise => "PRAGMA synchronous = FULL",
            Self::Remark => "PRAGMA synchronous = NORMAL",
        }
    }
}

/// What somebody wants to write.
trait Wish: Send {
    fn bond(&self) -> Bond;
    /// Whether whoever asked went away.
    fn is_given_up(&self) -> bool;
    /// Writes; whether it is to stay.
    fn write(&mut self, db: &Connection) -> bool;
    /// Tells whoever asked: what they were told by the write itself, or by what its commit failed.
    fn answer(self: Box<Self>, outcome: Result<(), StorageError>);
}

struct Pending<T, F> {
    bond: Bond,
    work: Option<F>,
    written: Result<T, StorageError>,
    answer: oneshot::Sender<Result<T, StorageError>>,
    _place: OwnedSemaphorePermit,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, StorageError> + Send> Wish for Pending<T, F> {
    fn bond(&self) -> Bond {
        self.bond
    }

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
    places: Arc<Semaphore>,
    thread: JoinHandle<()>,
}

impl WriteThread {
    /// The `gate` is passed by one at a time: the thread while it writes, and whoever writes by another connection.
    pub(super) fn start(db: Connection, gate: Arc<Mutex<()>>) -> Result<Self, std::io::Error> {
        let (wishes, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new().name("storage-writes".into()).spawn(move || {
            Writing { db, waiting, gate, level: None, next: None, unsafe_since: None }.run();
        })?;
        Ok(Self { wishes, places: Arc::new(Semaphore::new(N_WAITING)), thread })
    }

    /// One transaction. It is committed when `work` succeeds, and rolled back when it fails or when whoever asked goes away before.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        bond: Bond,
        work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| StorageError::Undone)?;
        let (answer, answered) = oneshot::channel();
        let wish = Box::new(Pending { bond, work: Some(work), written: Err(StorageError::Undone), answer, _place: place });
        self.wishes.send(wish).map_err(|_| StorageError::Undone)?;
        answered.await.unwrap_or(Err(StorageError::Undone))
    }

    pub(super) async fn close(self) {
        let Self { wishes, thread, .. } = self;
        drop(wishes);
        // It ends after what it was asked for.
        tokio::task::spawn_blocking(move || thread.join()).await.ok();
    }
}

struct Writing {
    db: Connection,
    waiting: mpsc::Receiver<Box<dyn Wish>>,
    gate: Arc<Mutex<()>>,
    /// What the connection's commits are good for; unknown at first.
    level: Option<Bond>,
    /// A promise that could not join the group before it.
    next: Option<Box<dyn Wish>>,
    /// When the first remark was committed that may not be on the disk.
    unsafe_since: Option<Instant>,
}

impl Writing {
    fn run(mut self) {
        while let Some(first) = self.wait() {
            let _turn = self.gate.clone().blocking_lock_owned();
            match first {
                Some(first) => self.write(first),
                None => self.sync(),
            }
        }
    }

    /// What is to be written next, nothing where it is time to bring to the disk what was; `None` at the end, when closing the database does that.
    fn wait(&mut self) -> Option<Option<Box<dyn Wish>>> {
        if let Some(next) = self.next.take() {
            return Some(Some(next));
        }
        let Some(since) = self.unsafe_since else { return self.waiting.recv().ok().map(Some) };
        match self.waiting.recv_timeout(SOON.saturating_sub(since.elapsed())) {
            Ok(wish) if since.elapsed() < SOON => Some(Some(wish)),
            Ok(wish) => {
                self.next = Some(wish);
                Some(None)
            }
            Err(mpsc::RecvTimeoutError::Timeout) => Some(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
        }
    }

    fn write(&mut self, first: Box<dyn Wish>) {
        let bond = first.bond();
        self.settle(bond);
        let mut group = Group { db: &self.db, written: Vec::new() };
        group.write(first);
        while group.written.len() < MOST_TOGETHER
            && let Ok(next) = self.waiting.try_recv()
        {
            if bond == Bond::Remark && next.bond() == Bond::Promise {
                self.next = Some(next);
                break;
            }
            group.write(next);
        }
        let is_written = group.commit();
        match bond {
            _ if !is_written => {}
            Bond::Promise => self.unsafe_since = None,
            Bond::Remark => self.unsafe_since = self.unsafe_since.or_else(|| Some(Instant::now())),
        }
    }

    /// Between two transactions: within one SQLite does not let it be changed.
    fn settle(&mut self, bond: Bond) {
        if self.level != Some(bond) {
            // Such a statement acts when it is prepared: a kept one would do nothing.
            self.level = self.db.execute_batch(bond.level()).is_ok().then_some(bond);
        }
    }

    /// A commit brings everything before it to the disk, if only it writes something.
    fn sync(&mut self) {
        self.settle(Bond::Promise);
        // Where the disk is full, the next promise fails by it, and tells somebody.
        self.db.execute_batch("PRAGMA user_version = 0").ok();
        self.unsafe_since = None;
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

    /// Whether anything was.
    fn commit(mut self) -> bool {
        if self.written.is_empty() {
            return false;
        }
        match sql("COMMIT").execute(self.db) {
            Ok(_) => {
                self.written.drain(..).for_each(|wish| wish.answer(Ok(())));
                true
            }
            Err(error) => {
                let alone = if self.written.len() == 1 { self.written.pop() } else { None };
                self.undo(&error);
                if let Some(alone) = alone {
                    alone.answer(Err(error));
                }
                false
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
