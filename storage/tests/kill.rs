//! A process that works on a database is killed again and again: what it had acknowledged is there, and nothing is there twice.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use storage::{
    BlobKey, Delivery, Enqueued, Failure, GuildId, History, JobId, JobStatus, Limits, NewImage, NewJob, Queue, RunningLimits, SqliteStore,
    Timestamp, UserId, Written,
};

const CHILD: &str = "ATELIER_KILL_TEST_DATABASE";
const N_KILLS: u32 = 40;
const NOW: Timestamp = Timestamp(1_000_000);
const RUNNING: RunningLimits = RunningLimits { max_running: 4, max_running_per_user: 4, max_running_per_guild: 4 };

/// This test starts itself as the process to kill; the variable says which of the two it is.
#[test]
fn acknowledged_work_survives_every_kill() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var_os(CHILD) {
        Some(path) => runtime.block_on(work_for_ever(&PathBuf::from(path))),
        None => kill_and_check(&runtime),
    }
}

/// Enqueues, claims and ends jobs in every way, and says so after each commit.
async fn work_for_ever(path: &Path) {
    let store = SqliteStore::open(path).await.unwrap();
    store.reap(true, NOW).await.unwrap();
    let say = |what: &str, id: JobId| {
        let mut out = std::io::stdout();
        writeln!(out, "ack {what} {id}").unwrap();
        out.flush().unwrap();
    };
    for round in 0_u64.. {
        for _ in 0..2 {
            let id = enqueue(&store, round).await;
            say("queued", id);
        }
        let lease = store.claim(Duration::from_secs(30), &RUNNING, &[], NOW).await.unwrap().expect("a job waits");
        let id = lease.job.id;
        let written = match round % 4 {
            0 | 1 => {
                // One of an earlier process is there already.
                assert_eq!(store.record_image(&lease, &image()).await.unwrap(), Written::Done);
                say("drawn", id);
                ("done", store.complete(&lease, 2.0, NOW).await.unwrap())
            }
            2 => ("failed", store.fail(&lease, &Failure::OutOfMemory, NOW).await.unwrap()),
            _ => {
                store.request_cancel(id, NOW).await.unwrap();
                ("cancelled", store.finish_cancel(&lease, 0.5, NOW).await.unwrap())
            }
        };
        assert_eq!(written.1, Written::Done);
        say(written.0, id);
    }
}

async fn enqueue(store: &SqliteStore, round: u64) -> JobId {
    let job = NewJob {
        key: JobId::new().to_string(),
        press: None,
        guild: GuildId(round % 3),
        user: UserId(round % 2),
        action: "imagine".into(),
        task: serde_json::json!({ "prompt": "a lighthouse" }),
        tier: storage::Tier::Fast,
        model: None,
        parent: None,
        notes: None,
        inputs: Vec::new(),
        row_megapixels: 1.0,
        delivery: Delivery { channel: 1, token: "secret".into(), token_expires: NOW, message: None },
    };
    let limits = Limits {
        daily_row_megapixels: 1e9,
        daily_row_megapixels_per_member: None,
        daily_row_megapixels_per_user: Some(1e9),
        daily_row_megapixels_host: None,
        max_active_per_user: 1 << 30,
        max_queued_per_guild: 1 << 30,
        max_queued: 1 << 30,
    };
    match store.enqueue(job, &limits, NOW).await.unwrap() {
        Enqueued::Created(id) => id,
        other => panic!("{other:?}"),
    }
}

fn image() -> NewImage {
    NewImage { index: 0, seed: 1, width: 8, height: 8, blob: BlobKey::parse(&"ab".repeat(32)).unwrap(), provenance: None }
}

fn kill_and_check(runtime: &tokio::runtime::Runtime) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atelier.db");
    let mut acknowledged: HashMap<JobId, JobStatus> = HashMap::new();
    for round in 0..N_KILLS {
        // An odd number of lines, so that the kill falls into every kind of write.
        let n_lines = 1 + (round * 7) % 23;
        for (id, status) in run_and_kill(&path, n_lines) {
            acknowledged.insert(id, status);
        }
    }
    assert!(acknowledged.len() as u32 > N_KILLS, "only {} jobs", acknowledged.len());
    runtime.block_on(check(&path, &acknowledged));
}

/// Starts a child, kills it after so many acknowledgements, and returns them (and those that were on their way).
fn run_and_kill(path: &Path, n_lines: u32) -> Vec<(JobId, JobStatus)> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::acknowledged_work_survives_every_kill", "--nocapture"]).env(CHILD, path);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = Vec::new();
    let mut line = String::new();
    let mut is_killed = false;
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some(ack) = line.strip_suffix('\n').and_then(|line| line.split_once("ack ")) {
            let (word, id) = ack.1.split_once(' ').unwrap();
            acknowledged.push((id.parse().unwrap(), status(word)));
        }
        if acknowledged.len() as u32 >= n_lines && !is_killed {
            child.kill().unwrap();
            is_killed = true;
        }
        line.clear();
    }
    let ended = child.wait().unwrap();
    assert!(is_killed, "the child ended by itself: {ended}");
    acknowledged
}

fn status(word: &str) -> JobStatus {
    match word {
        "queued" => JobStatus::Queued,
        "drawn" => JobStatus::Leased,
        "done" => JobStatus::Done,
        "failed" => JobStatus::Failed,
        "cancelled" => JobStatus::Cancelled,
        other => panic!("{other}"),
    }
}

async fn check(path: &Path, acknowledged: &HashMap<JobId, JobStatus>) {
    let store = SqliteStore::open(path).await.unwrap();
    store.reap(true, NOW).await.unwrap();
    for (id, status) in acknowledged {
        let job = store.job(*id).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
        // One that was only acknowledged as queued or drawn may have come further before the kill.
        assert!(job.status == *status || !status.is_final(), "{id} was {status:?} and is {:?}", job.status);
        let n_images = store.images(*id).await.unwrap().len();
        assert_eq!(n_images, usize::from(job.status == JobStatus::Done));
    }
    store.close().await;
    let mut db = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let integrity: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut db).await.unwrap();
    assert_eq!(integrity, "ok");
    for (id, _) in acknowledged.iter().filter(|(_, status)| **status == JobStatus::Leased) {
        let images = sqlx::query_scalar("SELECT count(*) FROM images WHERE job = (SELECT seq FROM jobs WHERE id = ?)");
        let n_images: i64 = images.bind(id.0.as_bytes().to_vec()).fetch_one(&mut db).await.unwrap();
        assert_eq!(n_images, 1, "{id} was drawn");
    }
    for wrong in WRONG {
        assert_eq!(count(&mut db, wrong).await, 0, "{wrong}");
    }
}

async fn count(db: &mut SqliteConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(db).await.unwrap()
}

/// Each counts what must not be there.
const WRONG: [&str; 5] = [
    "SELECT count(*) FROM jobs LEFT JOIN outbox ON outbox.job = jobs.seq \
     WHERE (finished IS NOT NULL) <> (outbox.job IS NOT NULL) OR outbox.kind <> jobs.status",
    "SELECT count(*) FROM jobs WHERE (SELECT count(*) FROM ledger WHERE job = seq) <> 1 + (finished IS NOT NULL)",
    "SELECT count(*) FROM (SELECT status, (SELECT sum(row_pixels) FROM ledger WHERE job = seq) AS price FROM jobs) \
     WHERE NOT CASE status WHEN 'done' THEN price = 2000000 WHEN 'cancelled' THEN price IN (0, 500000) \
     WHEN 'failed' THEN price = 0 ELSE price = 1000000 END",
    "SELECT count(*) FROM jobs WHERE status = 'done' AND (SELECT count(*) FROM images WHERE job = seq) <> 1",
    "SELECT count(*) FROM pragma_foreign_key_check",
];
