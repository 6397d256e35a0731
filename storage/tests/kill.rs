//! A process that works on a database and its pictures is killed again and again, on both sides of every write and in the midst of them: what
//! it had acknowledged is there, nothing is there twice, and nobody writes by a lease that is not theirs any more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod child;

use std::{
    collections::{HashMap, HashSet},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use storage::{BlobStore, History, JobId, JobStatus, LocalBlobs, Queue, SqliteStore, Timestamp};

use child::Orders;

const CHILD: &str = "ATELIER_KILL_TEST";
const N_LANES: u64 = 4;
/// Kills of each lane, which has a place of its own; the variable says another number.
const N_KILLS: u64 = 128;
const KILLS: &str = "ATELIER_KILLS_OF_A_LANE";

/// This test starts itself as the process to kill; the variable says which of the two it is.
#[test]
fn acknowledged_work_survives_every_kill() {
    match std::env::var(CHILD) {
        Ok(orders) => {
            let (numbers, place) = orders.split_once(' ').unwrap();
            let (round, stop_at) = numbers.split_once(',').unwrap();
            let orders = Orders { round: round.parse().unwrap(), stop_at: stop_at.parse().unwrap() };
            tokio::runtime::Runtime::new().unwrap().block_on(child::work(&PathBuf::from(place), orders));
        }
        Err(_) => {
            let n_kills = std::env::var(KILLS).map_or(N_KILLS, |number| number.parse().unwrap());
            std::thread::scope(|scope| {
                for lane in 0..N_LANES {
                    scope.spawn(move || kill_and_check(lane, n_kills));
                }
            });
        }
    }
}

/// What was said of the jobs of one place.
#[derive(Default)]
struct Said {
    /// The newest state that was acknowledged, and under which lease it ended.
    jobs: HashMap<JobId, (JobStatus, Option<i64>)>,
    keys: HashMap<String, JobId>,
    told: HashSet<JobId>,
    /// Keys of the newest process, acknowledged or not.
    asked: Vec<String>,
}

impl Said {
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let id = || words[1].parse::<JobId>().unwrap();
        let mut ends = |status| {
            self.jobs.insert(id(), (status, words.get(2).map(|epoch| epoch.parse().unwrap())));
        };
        match words[0] {
            "asks" => self.asked.push(words[1].to_owned()),
            "queued" => {
                let known = *self.keys.entry(words[2].to_owned()).or_insert(id());
                assert_eq!(known, id(), "{} is two jobs", words[2]);
                self.jobs.entry(id()).or_insert((JobStatus::Queued, None));
            }
            "holds" => {
                let job = self.jobs.entry(id()).or_insert((JobStatus::Leased, None));
                assert!(!job.0.is_final(), "{line}: it had ended");
            }
            "done" => ends(JobStatus::Done),
            "failed" => ends(JobStatus::Failed),
            "cancelled" => ends(JobStatus::Cancelled),
            "ends" | "stopped" => {}
            "told" => {
                self.told.insert(id());
            }
            _ => panic!("a worker wrote by a lease that was given to another: {line}"),
        }
    }
}

fn kill_and_check(lane: u64, n_kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    for round in 0..n_kills {
        // Two of four at a write, one after another.
        let kill = match round % 4 {
            0 => Kill::AfterLines(1 + (round * 7 + lane) as usize % 23),
            1 => Kill::InAnEnd { n_yields: (round * 97 + lane * 31) as u32 % 3000 },
            _ => Kill::WhereItStops(1 + (round * N_LANES + lane) as u32 % 61),
        };
        run_and_kill(folder.path(), round, kill, &mut said);
    }
    assert!(said.jobs.len() as u64 > n_kills, "only {} jobs", said.jobs.len());
    let n_pictures = tokio::runtime::Runtime::new().unwrap().block_on(check(folder.path(), &said));
    assert!(n_pictures > n_kills / 4, "only {n_pictures} pictures");
    eprintln!("{n_kills} kills: {} jobs, {n_pictures} pictures, {} deliveries", said.jobs.len(), said.told.len());
}

/// When a process is killed.
#[derive(Clone, Copy)]
enum Kill {
    /// On one side of its so-manieth write.
    WhereItStops(u32),
    /// Wherever it is after so many lines.
    AfterLines(usize),
    /// While it ends a job: this soon after it said that it will.
    InAnEnd { n_yields: u32 },
}

/// Starts a process, kills it, and notes what it said.
fn run_and_kill(place: &Path, round: u64, kill: Kill, said: &mut Said) {
    let stop_at = if let Kill::WhereItStops(point) = kill { point } else { 0 };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::acknowledged_work_survives_every_kill", "--nocapture"]);
    command.env(CHILD, format!("{round},{stop_at} {}", place.display()));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    for key in std::mem::take(&mut said.asked).iter().rev().take(2) {
        writeln!(keys, "{key}").unwrap();
    }
    drop(keys);
    let (mut n_said, mut is_killed) = (0, false);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // What it said before its end counts, also where the kill came meanwhile. The harness begins lines of its own.
        let line = line.unwrap();
        let Some((_, told)) = line.split_once("say ") else { continue };
        n_said += 1;
        said.note(told);
        let is_due = match kill {
            Kill::WhereItStops(_) => told == "stopped",
            Kill::AfterLines(n) => n_said >= n,
            Kill::InAnEnd { .. } => told.starts_with("ends "),
        };
        if is_due && !is_killed {
            if let Kill::InAnEnd { n_yields } = kill {
                (0..n_yields).for_each(|_| std::thread::yield_now());
            }
            child.kill().unwrap();
            is_killed = true;
        }
    }
    let ended = child.wait().unwrap();
    assert!(is_killed, "the process ended by itself: {ended}");
}

/// How many pictures are there.
async fn check(place: &Path, said: &Said) -> u64 {
    let path = place.join("atelier.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let blobs = LocalBlobs::open(&place.join("pictures")).unwrap();
    blobs.recover().await.unwrap();
    store.reap(true, Timestamp(10_000_000_000)).await.unwrap();
    let mut n_pictures = 0;
    for (id, (status, _)) in &said.jobs {
        let job = store.job(*id).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
        // One that was only acknowledged as queued may have come further before the kill.
        assert!(job.status == *status || !status.is_final(), "{id} was {status:?} and is {:?}", job.status);
        let images = store.images(*id).await.unwrap();
        assert_eq!(images.len(), if job.status == JobStatus::Done && !job.is_deleted { 2 } else { 0 }, "{id}");
        for image in images {
            let bytes = blobs.get(&image.blob).await.unwrap_or_else(|error| panic!("{id} is done without a picture: {error}"));
            let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, image.blob.as_str());
            n_pictures += 1;
        }
    }
    store.close().await;
    let mut db = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let integrity: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut db).await.unwrap();
    assert_eq!(integrity, "ok");
    for (id, (_, epoch)) in said.jobs.iter().filter(|(_, (_, epoch))| epoch.is_some()) {
        let ended_by = sqlx::query_scalar("SELECT epoch FROM jobs WHERE id = ?").bind(id.0.as_bytes().to_vec());
        assert_eq!(ended_by.fetch_one(&mut db).await.ok(), *epoch, "{id} has the lease that ended it");
    }
    for id in &said.told {
        let state = sqlx::query_scalar("SELECT state FROM outbox JOIN jobs ON jobs.seq = outbox.job WHERE id = ?");
        let state: String = state.bind(id.0.as_bytes().to_vec()).fetch_one(&mut db).await.unwrap();
        assert_eq!(state, "delivered", "{id}");
    }
    for wrong in WRONG {
        assert_eq!(count(&mut db, wrong).await, 0, "{wrong}");
    }
    n_pictures
}

async fn count(db: &mut SqliteConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(db).await.unwrap()
}

/// Each counts what must not be there.
const WRONG: [&str; 7] = [
    "SELECT count(*) FROM jobs LEFT JOIN outbox ON outbox.job = jobs.seq \
     WHERE (finished IS NOT NULL) <> (outbox.job IS NOT NULL) OR outbox.kind <> jobs.status",
    "SELECT count(*) FROM jobs WHERE (SELECT count(*) FROM ledger WHERE job = seq) <> 1 + (finished IS NOT NULL)",
    "SELECT count(*) FROM (SELECT status, (SELECT sum(row_pixels) FROM ledger WHERE job = seq) AS price FROM jobs) \
     WHERE NOT CASE status WHEN 'done' THEN price = 2000000 WHEN 'cancelled' THEN price IN (0, 500000) \
     WHEN 'failed' THEN price = 0 ELSE price = 1000000 END",
    "SELECT count(*) FROM jobs WHERE status = 'done' AND (SELECT count(*) FROM images WHERE job = seq) <> 2",
    "SELECT count(*) FROM (SELECT day, guild, user, row_pixels FROM spent \
     EXCEPT SELECT day, guild, user, sum(row_pixels) FROM ledger GROUP BY day, guild, user)",
    "SELECT count(*) - count(DISTINCT key) FROM jobs",
    "SELECT count(*) FROM pragma_foreign_key_check",
];
