use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A database with a table, and how often something was committed to it.
fn counted(folder: &tempfile::TempDir) -> (WriteThread, Arc<Mutex<()>>, Arc<AtomicUsize>) {
    const TABLES: &str = "CREATE TABLE a (b INTEGER UNIQUE); CREATE TABLE c (d INTEGER REFERENCES a (b) DEFERRABLE INITIALLY DEFERRED)";
    let db = Connection::open(folder.path().join("a.db")).expect("it opens");
    db.execute_batch("PRAGMA foreign_keys = ON").expect("set");
    db.execute_batch(TABLES).expect("made");
    let n_commits = Arc::new(AtomicUsize::new(0));
    let counter = n_commits.clone();
    db.commit_hook(Some(move || counter.fetch_add(1, Ordering::SeqCst) == usize::MAX)).expect("hooked");
    let gate = Arc::new(Mutex::new(()));
    (WriteThread::start(db, gate.clone()).expect("started"), gate, n_commits)
}

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Commit,
    /// After its statement failed.
    Fail,
    Panic,
    /// With what its group's commit fails by.
    Break,
    /// Whoever asked goes away before its turn.
    GoAway,
}

fn write(db: &Connection, n: i64, end: End) -> Result<(), StorageError> {
    sql("INSERT INTO a VALUES (?)").bind(n).execute(db)?;
    match end {
        End::Fail => sql("INSERT INTO a VALUES (?)").bind(n).execute(db).map(drop),
        End::Panic => panic!("a write that panics"),
        End::Break => sql("INSERT INTO c VALUES (-1)").execute(db).map(drop),
        End::Commit | End::GoAway => Ok(()),
    }
}

async fn left(thread: &WriteThread) -> Vec<i64> {
    thread.write(Bond::Promise, |db| sql("SELECT b FROM a ORDER BY b").all(db)).await.expect("read")
}

/// All of them wait before the first one is written; the answers of those that stayed, the numbers that are there, and the commits.
async fn at_once(ends: &[End]) -> (Vec<bool>, Vec<i64>, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let (thread, gate, n_commits) = counted(&folder);
    let thread = Arc::new(thread);
    let hold = gate.lock().await;
    let mut tasks = Vec::new();
    for (n, end) in ends.iter().copied().enumerate() {
        let asking = thread.clone();
        let (asked, is_asked) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut write = Box::pin(asking.write(Bond::Promise, move |db| write(db, n as i64, end)));
            // The thread has it after the first poll: there is room for more than these, and the gate is shut.
            assert!(polled_once(&mut write).await.is_none());
            asked.send(()).ok();
            if end == End::GoAway { Ok(()) } else { write.await }
        });
        is_asked.await.expect("asked");
        if end == End::GoAway {
            task.await.expect("no panic").expect("gone");
        } else {
            tasks.push(task);
        }
    }
    drop(hold);
    let mut are_done = Vec::new();
    for task in tasks {
        are_done.push(task.await.expect("no panic").is_ok());
    }
    let n_commits = n_commits.load(Ordering::SeqCst);
    (are_done, left(&thread).await, n_commits)
}

/// How writes that wait together end, which are told that they are done, what is there then, and the number of commits.
type Case = (&'static [End], &'static [bool], &'static [i64], usize);

#[tokio::test]
async fn those_who_wait_share_a_commit_and_none_takes_another_along() {
    use End::*;
    let cases: [Case; 9] = [
        (&[Commit], &[true], &[0], 1),
        (&[Commit, Commit, Commit, Commit], &[true; 4], &[0, 1, 2, 3], 1),
        (&[Commit, Fail, Commit], &[true, false, true], &[0, 2], 1),
        (&[Commit, Panic, Commit], &[true, false, true], &[0, 2], 1),
        (&[Fail, Commit, Fail, Fail, Commit], &[false, true, false, false, true], &[1, 4], 1),
        (&[Panic, Commit], &[false, true], &[1], 1),
        (&[Commit, GoAway, Commit, GoAway], &[true; 2], &[0, 2], 1),
        (&[GoAway, GoAway, Commit], &[true], &[2], 1),
        (&[GoAway, Fail], &[false], &[], 0),
    ];
    for (ends, are_done, there, n_commits) in cases {
        assert_eq!(at_once(ends).await, (are_done.to_vec(), there.to_vec(), n_commits), "{ends:?}");
    }
}

#[tokio::test]
async fn where_a_shared_commit_fails_nobody_is_told_that_it_was_done() {
    use End::*;
    for ends in [vec![Break], vec![Commit, Break, Commit], vec![Break, Commit], vec![Commit, Fail, Break]] {
        let (are_done, there, _) = at_once(&ends).await;
        assert!(are_done.iter().all(|is_done| !is_done) && there.is_empty(), "{ends:?}: {are_done:?}, {there:?}");
    }
}

#[tokio::test]
async fn groups_are_bounded_and_whoever_waits_is_written_in_the_next_one() {
    let n = 3 * MOST_TOGETHER;
    let (are_done, there, n_commits) = at_once(&vec![End::Commit; n]).await;
    assert_eq!((are_done, there, n_commits), (vec![true; n], (0..n as i64).collect(), 3));
}

#[tokio::test]
async fn what_was_written_is_there_after_the_thread_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let (thread, gate, _) = counted(&folder);
    let hold = gate.lock_owned().await;
    let mut writing = Box::pin(thread.write(Bond::Promise, |db| write(db, 7, End::Commit)));
    assert!(polled_once(&mut writing).await.is_none(), "the gate is shut");
    drop(hold);
    writing.await.expect("written");
    assert_eq!(left(&thread).await, [7]);
    thread.close().await;
    let db = Connection::open(folder.path().join("a.db")).expect("it opens");
    assert_eq!(sql("SELECT b FROM a").all::<i64>(&db).expect("read"), [7]);
}

/// Writes that wait together: what each of them is good for, the level at which SQLite commits it, and the number of commits.
#[tokio::test]
async fn a_promise_is_never_committed_as_a_remark() {
    use Bond::*;
    const TO_THE_DISK: i64 = 2;
    const SOON: i64 = 1;
    let cases: [(&[Bond], &[i64], usize); 7] = [
        (&[Promise], &[TO_THE_DISK], 1),
        (&[Remark], &[SOON], 1),
        (&[Remark, Remark], &[SOON, SOON], 1),
        (&[Promise, Remark], &[TO_THE_DISK, TO_THE_DISK], 1),
        (&[Remark, Promise], &[SOON, TO_THE_DISK], 2),
        (&[Remark, Remark, Promise, Remark, Promise], &[SOON, SOON, TO_THE_DISK, TO_THE_DISK, TO_THE_DISK], 2),
        (&[Promise, Promise], &[TO_THE_DISK, TO_THE_DISK], 1),
    ];
    for (bonds, levels, n_commits) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let (thread, gate, counter) = counted(&folder);
        let hold = gate.lock().await;
        let mut writing = Vec::new();
        for (n, bond) in bonds.iter().copied().enumerate() {
            let level = move |db: &Connection| {
                write(db, n as i64, End::Commit)?;
                Ok(db.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
            };
            let mut asked = Box::pin(thread.write(bond, level));
            assert!(polled_once(&mut asked).await.is_none(), "the gate is shut");
            writing.push(asked);
        }
        drop(hold);
        let mut found = Vec::new();
        for asked in writing {
            found.push(asked.await.expect("written"));
        }
        assert_eq!((found.as_slice(), counter.load(Ordering::SeqCst)), (levels, n_commits), "{bonds:?}");
    }
}

#[tokio::test]
async fn a_remark_comes_to_the_disk_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let (thread, _, n_commits) = counted(&folder);
    thread.write(Bond::Remark, |db| write(db, 1, End::Commit)).await.expect("written");
    while n_commits.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let level = |db: &Connection| Ok(db.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?);
    assert_eq!(thread.write(Bond::Promise, level).await.expect("read"), 2);
    assert_eq!(left(&thread).await, [1]);
}

/// Polls a future once.
async fn polled_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = std::future::ready(()) => None,
    }
}
