//! The one connection that writes, and the transactions on it. Those who wait for their turn while another one writes share its commit, which
//! takes longer than all they write.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::{
    Connection, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteQueryResult},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::StorageError;

/// SQLite has one writer, and waiting for a turn here is fair where its busy handler is not. A pool of one would ask its connection at every
/// taking and giving back whether it is alive, which takes as long as a statement.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    slot: Arc<Mutex<Slot>>,
    n_waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Slot {
    connection: SqliteConnection,
    /// Whose transaction is open.
    group: Option<Arc<Group>>,
    /// Writes of the group that are done, and wait for its commit.
    n_done: usize,
    /// Whether a write was begun that was not ended: whoever began it failed or went away.
    is_begun: bool,
}

/// Writes that are committed together, or none of them.
#[derive(Debug, Default)]
struct Group(OnceLock<Outcome>);

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Committed,
    DiskFull,
    Undone,
}

/// Somebody who waits for a turn.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(n_waiting: &'a AtomicUsize) -> Self {
        n_waiting.fetch_add(1, Ordering::SeqCst);
        Self(n_waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Writer {
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let connection = SqliteConnection::connect_with(options).await?;
        let slot = Slot { connection, group: None, n_done: 0, is_begun: false };
        Ok(Self { slot: Arc::new(Mutex::new(slot)), n_waiting: Arc::default() })
    }

    /// Turns come in the order in which they were asked for.
    async fn turn(&self) -> OwnedMutexGuard<Slot> {
        let waiting = Waiting::new(&self.n_waiting);
        let mut slot = self.slot.clone().lock_owned().await;
        drop(waiting);
        slot.undo().await;
        slot
    }

    /// The connection, for what is in no transaction.
    pub(super) async fn take(&self) -> Write {
        let mut slot = self.turn().await;
        if slot.group.is_some() {
            // Those whose writes are in it are told when their turn comes.
            slot.commit().await.ok();
        }
        Write { writer: self.clone(), slot }
    }

    /// Takes the write lock at once: a transaction that first reads could find it taken, and would have to start again. Where it is not
    /// committed it is rolled back, at the latest by the next writer.
    pub(super) async fn begin(&self) -> Result<Write, StorageError> {
        self.begin_in(self.turn().await).await
    }

    async fn begin_in(&self, mut slot: OwnedMutexGuard<Slot>) -> Result<Write, StorageError> {
        slot.is_begun = true;
        let how = if slot.group.is_some() {
            // Where its last one went away in the midst of the commit there may be no transaction any more: this begins one then.
            "SAVEPOINT one_write"
        } else {
            (slot.group, slot.n_done) = (Some(Arc::default()), 0);
            "BEGIN IMMEDIATE"
        };
        sqlx::query(how).execute(&mut slot.connection).await?;
        Ok(Write { writer: self.clone(), slot })
    }

    /// A write of one statement.
    pub(super) async fn one(&self, write: Query<'_, Sqlite, SqliteArguments>) -> Result<SqliteQueryResult, StorageError> {
        let mut slot = self.turn().await;
        if slot.group.is_none() && self.n_waiting.load(Ordering::SeqCst) == 0 {
            return Ok(write.execute(&mut slot.connection).await?);
        }
        let mut tx = self.begin_in(slot).await?;
        let written = write.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(written)
    }

    pub(super) async fn close(self) {
        // Where it fails its log is emptied at the next start.
        drop(self.take().await);
        if let Some(slot) = Arc::into_inner(self.slot) {
            slot.into_inner().connection.close().await.ok();
        }
    }
}

impl Slot {
    /// Rolls back what was begun and not ended, and nothing of others.
    async fn undo(&mut self) {
        let Some(group) = self.group.clone().filter(|_| self.is_begun) else { return };
        // A savepoint that was gone back to stays, and does no harm: the next one of its name is a newer one.
        let is_whole = self.n_done > 0 && sqlx::query("ROLLBACK TO one_write").execute(&mut self.connection).await.is_ok();
        if !is_whole {
            // A full disk makes SQLite roll back by itself: there is nothing to roll back then, and that is its only answer.
            sqlx::query("ROLLBACK").execute(&mut self.connection).await.ok();
            group.0.set(Outcome::Undone).ok();
            self.group = None;
        }
        self.is_begun = false;
    }

    /// Commits what all of the group wrote.
    async fn commit(&mut self) -> Result<(), StorageError> {
        let committed = sqlx::query("COMMIT").execute(&mut self.connection).await.map_err(StorageError::from);
        let outcome = match &committed {
            Ok(_) => Outcome::Committed,
            Err(StorageError::DiskFull) => Outcome::DiskFull,
            Err(_) => Outcome::Undone,
        };
        if committed.is_err() {
            sqlx::query("ROLLBACK").execute(&mut self.connection).await.ok();
        }
        if let Some(group) = self.group.take() {
            group.0.set(outcome).ok();
        }
        self.is_begun = false;
        committed.map(drop)
    }
}

/// The connection while somebody writes.
#[derive(Debug)]
pub(super) struct Write {
    writer: Writer,
    slot: OwnedMutexGuard<Slot>,
}

impl Write {
    pub(super) async fn commit(mut self) -> Result<(), StorageError> {
        self.slot.is_begun = false;
        self.slot.n_done += 1;
        self.end().await
    }

    /// Gives the write lock back where there is nothing to write.
    pub(super) async fn rollback(mut self) -> Result<(), StorageError> {
        self.slot.undo().await;
        // What it was answered by may be what others of its group wrote.
        if self.slot.group.is_some() { self.end().await } else { Ok(()) }
    }

    async fn end(self) -> Result<(), StorageError> {
        let Self { writer, mut slot } = self;
        let Some(group) = slot.group.clone() else { return Ok(()) };
        match writer.n_waiting.load(Ordering::SeqCst) {
            0 if slot.n_done == 1 => return slot.commit().await,
            0 => {}
            _ => {
                // Whoever waits already comes first, writes, and shares the commit.
                drop(slot);
                slot = writer.turn().await;
            }
        }
        // A commit that others wait for is not given up with the one who makes it.
        let ended = tokio::spawn(async move {
            match group.0.get() {
                None => slot.commit().await,
                Some(Outcome::Committed) => Ok(()),
                Some(Outcome::DiskFull) => Err(StorageError::DiskFull),
                Some(Outcome::Undone) => Err(StorageError::Undone),
            }
        });
        ended.await.unwrap_or(Err(StorageError::Undone))
    }
}

impl Deref for Write {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.slot.connection
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.slot.connection
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

    /// A database with a table, and how often something was committed to it.
    async fn counted(folder: &tempfile::TempDir) -> (Writer, Arc<AtomicUsize>) {
        let options = SqliteConnectOptions::new().filename(folder.path().join("a.db")).create_if_missing(true).foreign_keys(true);
        let writer = Writer::open(&options).await.expect("it opens");
        const TABLES: &str = "CREATE TABLE a (b INTEGER UNIQUE); CREATE TABLE c (d INTEGER REFERENCES a (b) DEFERRABLE INITIALLY DEFERRED)";
        let mut connection = writer.take().await;
        sqlx::raw_sql(TABLES).execute(&mut *connection).await.expect("made");
        let n_commits = Arc::new(AtomicUsize::new(0));
        let counter = n_commits.clone();
        let count = move || counter.fetch_add(1, Ordering::SeqCst) < usize::MAX;
        connection.lock_handle().await.expect("locked").set_commit_hook(count);
        drop(connection);
        (writer, n_commits)
    }

    /// How a write in a group ends.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum End {
        Commit,
        Rollback,
        Drop,
        /// After its statement failed.
        Fail,
        /// By a single statement.
        One,
        /// With what its group's commit fails by.
        Break,
    }

    async fn write(writer: Writer, n: i64, end: End) -> Result<(), StorageError> {
        let insert = sqlx::query("INSERT INTO a VALUES (?)").bind(n);
        if end == End::One {
            return writer.one(insert).await.map(drop);
        }
        let mut tx = writer.begin().await?;
        insert.execute(&mut *tx).await?;
        match end {
            End::Rollback => tx.rollback().await,
            End::Drop => Ok(()),
            End::Fail => Ok(sqlx::query("INSERT INTO a VALUES (?)").bind(n).execute(&mut *tx).await.map(drop)?),
            End::Break => {
                sqlx::query("INSERT INTO c VALUES (-1)").execute(&mut *tx).await?;
                tx.commit().await
            }
            End::Commit | End::One => tx.commit().await,
        }
    }

    /// All but the first wait for their turn before the first one ends; the answers, the numbers that are there, and the commits.
    async fn at_once(ends: &[End]) -> (Vec<bool>, Vec<i64>, usize) {
        let folder = tempfile::tempdir().expect("a folder");
        let (writer, n_commits) = counted(&folder).await;
        let hold = writer.begin().await.expect("begun");
        let mut tasks = Vec::new();
        for (n, end) in ends.iter().enumerate() {
            tasks.push(tokio::spawn(write(writer.clone(), n as i64, *end)));
            while writer.n_waiting.load(Ordering::SeqCst) < n + 1 {
                tokio::task::yield_now().await;
            }
        }
        drop(hold);
        let mut are_done = Vec::new();
        for task in tasks {
            are_done.push(task.await.expect("no panic").is_ok());
        }
        let mut connection = writer.take().await;
        let left = sqlx::query_scalar("SELECT b FROM a ORDER BY b").fetch_all(&mut *connection).await.expect("read");
        (are_done, left, n_commits.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn those_who_wait_share_a_commit_and_none_takes_another_along() {
        use End::*;
        let cases: [(&[End], &[bool], &[i64]); 8] = [
            (&[Commit], &[true], &[0]),
            (&[Commit, Commit, Commit, Commit], &[true; 4], &[0, 1, 2, 3]),
            (&[Commit, One, Commit], &[true; 3], &[0, 1, 2]),
            (&[Commit, Rollback, Commit], &[true; 3], &[0, 2]),
            (&[Commit, Fail, Commit], &[true, false, true], &[0, 2]),
            (&[Fail, Commit, Fail, Fail, Commit], &[false, true, false, false, true], &[1, 4]),
            (&[Commit, Drop, Commit, Drop], &[true; 4], &[0, 2]),
            (&[Rollback, Drop, Commit, Rollback], &[true; 4], &[2]),
        ];
        for (ends, are_done, left) in cases {
            assert_eq!(at_once(ends).await, (are_done.to_vec(), left.to_vec(), 1), "{ends:?}");
        }
    }

    #[tokio::test]
    async fn where_a_shared_commit_fails_nobody_is_told_that_it_was_done() {
        use End::*;
        for ends in [vec![Commit, Break, Commit], vec![Break, Commit], vec![Commit, One, Break, Rollback]] {
            let (are_done, left, _) = at_once(&ends).await;
            assert!(are_done.iter().all(|is_done| !is_done) && left.is_empty(), "{ends:?}: {are_done:?}, {left:?}");
        }
    }

    #[tokio::test]
    async fn who_goes_away_before_the_commit_holds_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let (writer, n_commits) = counted(&folder).await;
        let hold = writer.begin().await.expect("begun");
        let tasks: Vec<_> = (0..3).map(|n| tokio::spawn(write(writer.clone(), n, End::Commit))).collect();
        while writer.n_waiting.load(Ordering::SeqCst) < tasks.len() {
            tokio::task::yield_now().await;
        }
        drop(hold);
        // The first of them has written and waits for the others, or has come further.
        while writer.n_waiting.load(Ordering::SeqCst) == 3 {
            tokio::task::yield_now().await;
        }
        tasks[0].abort();
        for task in tasks.into_iter().skip(1) {
            task.await.expect("not aborted").expect("committed");
        }
        assert!(n_commits.load(Ordering::SeqCst) >= 1);
        write(writer.clone(), 7, End::Commit).await.expect("and the next one writes");
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
