//! The power goes: of the log there is a part, or other bytes stand in it. What was committed before the damage is there, all of it and nothing
//! else.

use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    LEASE, LIMITS, NOW, RUNNING,
    dump::{check, dump},
    job,
};
use crate::{
    BlobKey, Checkpoint, CheckpointLimits, Checkpoints, Enqueued, Failure, GuildId, History, JobId, NewImage, NewJob, Outbox, Queue,
    Received, Reception, SqliteStore, UserId,
};

/// What is written, and what was there after each commit.
struct Recorder {
    store: SqliteStore,
    path: PathBuf,
    watcher: SqliteConnection,
    /// Bytes of the log, and all that is stored.
    commits: Vec<(usize, String)>,
}

fn log_of(path: &Path) -> PathBuf {
    path.with_file_name("atelier.db-wal")
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Recorder {
    async fn new(path: PathBuf) -> Self {
        // Its schema is in the database itself: the log is emptied when a store is closed.
        SqliteStore::open(&path).await.unwrap().close().await;
        let store = SqliteStore::open(&path).await.unwrap();
        let mut watcher = raw(&path).await;
        let commits = vec![(0, dump(&mut watcher).await)];
        Self { store, path, watcher, commits }
    }

    /// One thing happened: where it wrote something, the log is longer.
    async fn note(&mut self) {
        let n_bytes = std::fs::metadata(log_of(&self.path)).unwrap().len() as usize;
        if n_bytes > self.commits[self.commits.len() - 1].0 {
            self.commits.push((n_bytes, dump(&mut self.watcher).await));
        }
    }

    async fn create(&mut self, key: String, n: u64) -> JobId {
        let new = NewJob { guild: GuildId(n % 3), user: UserId(n % 2), ..job(&key, 700 * n as usize) };
        let Enqueued::Created(id) = self.store.enqueue(new, &LIMITS, NOW).await.unwrap() else { panic!("not created") };
        self.note().await;
        id
    }

    /// One of everything that happens to jobs.
    async fn turn(&mut self, n: u64) {
        let bounds = CheckpointLimits { max_bytes: 1 << 20, max_bytes_in_all: 1 << 20 };
        let heard = |key| Received {
            key: format!("{key} {n}"),
            guild: GuildId(n % 3),
            user: UserId(n),
            delivery: job("", 1).delivery,
            wish: serde_json::json!({}),
            created: NOW,
        };
        self.store.receive(&[heard("first"), heard("answered")]).await.unwrap();
        self.note().await;
        self.create(format!("first {n}"), n).await;
        let hasty = self.create(format!("second {n}"), n).await;
        self.store.forget_received(&[format!("answered {n}")]).await.unwrap();
        self.note().await;
        let lease = self.store.claim(LEASE, &RUNNING, &[], NOW).await.unwrap().unwrap();
        self.note().await;
        let state = Checkpoint { index: 0, n_steps: 3, state: vec![n as u8; 5000].into() };
        self.store.keep(&lease, &[state], &bounds).await.unwrap();
        self.note().await;
        let picture =
            NewImage { index: 0, seed: 1, width: 8, height: 8, blob: BlobKey::of_digest([7; 32]), provenance: None, digests: Vec::new() };
        self.store.record_image(&lease, &picture).await.unwrap();
        self.note().await;
        match n % 3 {
            0 => self.store.complete(&lease, 2.0, NOW).await.unwrap(),
            1 => self.store.fail(&lease, &Failure::OutOfMemory, NOW).await.unwrap(),
            _ => self.store.release(&lease, NOW).await.unwrap(),
        };
        self.note().await;
        self.store.request_cancel(hasty, NOW).await.unwrap();
        self.note().await;
        self.store.set_message(hasty, n).await.unwrap();
        self.note().await;
    }
}

/// Ways in which a log may be damaged from one of its bytes on.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut,
    OneBit,
    Noise,
    Zeros,
}

impl Damage {
    fn of(self, log: &[u8], at: usize) -> Vec<u8> {
        let mut log = log.to_vec();
        match self {
            Self::Cut => log.truncate(at),
            Self::OneBit => log[at] ^= 1 << (at % 8),
            Self::Noise => log[at..].iter_mut().zip(1_u32..).for_each(|(byte, n)| *byte ^= (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 1),
            Self::Zeros => log[at..].fill(0),
        }
        log
    }
}

#[tokio::test]
async fn a_damaged_log_loses_what_was_committed_after_the_damage_and_nothing_else() {
    let from = folder();
    let mut recorder = Recorder::new(from.path().join("atelier.db")).await;
    for n in 0..5 {
        recorder.turn(n).await;
    }
    let Recorder { path, commits, store: _store, .. } = recorder;
    let (database, log) = (std::fs::read(&path).unwrap(), std::fs::read(log_of(&path)).unwrap());
    assert_eq!(log.len(), commits[commits.len() - 1].0);
    assert!(commits.len() > 40, "{} commits", commits.len());
    let ends = commits[1..].iter().flat_map(|(n_bytes, _)| [n_bytes - 1, *n_bytes]).map(|at| (at, Damage::Cut));
    let all = [Damage::Cut, Damage::OneBit, Damage::Noise, Damage::Zeros];
    let spread = (0..240).map(|n| (n * (log.len() - 1) / 239, all[n % all.len()]));
    let mut n_left = vec![0; commits.len()];
    for (n, (at, damage)) in ends.chain(spread).enumerate() {
        let damaged = damage.of(&log, at);
        let same = log.iter().zip(&damaged).take_while(|(before, after)| before == after).count();
        let left = commits.iter().rposition(|(n_bytes, _)| *n_bytes <= same).unwrap();
        n_left[left] += 1;
        let when = format!("{damage:?} at {at} of {}", log.len());

        let place = folder();
        let path = place.path().join("atelier.db");
        std::fs::write(&path, &database).unwrap();
        std::fs::write(log_of(&path), damaged).unwrap();
        // The store opens it, and every fourth time somebody works with it.
        let store = if n % 4 == 0 { Some(SqliteStore::open(&path).await.unwrap()) } else { None };
        let mut db = raw(&path).await;
        assert!(dump(&mut db).await == commits[left].1, "{when}: not what there was after commit {left}");
        check(&mut db, &when).await;
        if let Some(store) = store {
            store.reap(true, NOW).await.unwrap();
            store.enqueue(job("after it", 10), &LIMITS, NOW).await.unwrap();
            let lease = store.claim(LEASE, &RUNNING, &[], NOW).await.unwrap().unwrap();
            store.complete(&lease, 1.0, NOW).await.unwrap();
            check(&mut db, &when).await;
            assert!(store.job(lease.job.id).await.unwrap().unwrap().status.is_final());
        }
        db.close().await.unwrap();
    }
    assert!(n_left.iter().all(|n| *n > 0), "each commit was the last one once: {n_left:?}");
}
