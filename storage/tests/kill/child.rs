//! The process that is killed: it takes jobs in, works on them with an engine that draws nothing, and says after each commit what it did.

use std::{
    io::{BufRead, Write},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use storage::{
    BlobStore, Delivery, Enqueued, Failure, GuildId, History, JobId, Lease, Limits, LocalBlobs, NewImage, NewJob, Outbox, Queue,
    RunningLimits, SqliteStore, Timestamp, UserId, Written,
};

pub const LEASE: Duration = Duration::from_secs(30);
const RUNNING: RunningLimits = RunningLimits { max_running: 4, max_running_per_user: 4, max_running_per_guild: 4 };
const LIMITS: Limits = Limits {
    daily_row_megapixels: 1e9,
    daily_row_megapixels_per_user: Some(1e9),
    daily_row_megapixels_host: None,
    monthly_row_megapixels: None,
    monthly_row_megapixels_per_user: None,
    monthly_row_megapixels_host: None,
    is_relax_free: false,
    max_active_per_user: 1 << 30,
    max_queued_per_guild: 1 << 30,
    max_queued: 1 << 30,
};

/// How a process runs.
#[derive(Clone, Copy)]
pub struct Orders {
    /// Its number; times and keys of later ones are later.
    pub round: u64,
    /// It stops before or after this write and waits for its end there; 0: it goes on until it is killed.
    pub stop_at: u32,
}

struct Child {
    store: SqliteStore,
    blobs: LocalBlobs,
    now: Timestamp,
    orders: Orders,
    n_points: u32,
    /// Leases whose workers stalled and were given up.
    stalled: Vec<Lease>,
}

/// Works for ever. What it reads from standard input are keys of processes before it, which are asked for once more.
pub async fn work(place: &Path, orders: Orders) {
    let blobs = LocalBlobs::open(&place.join("pictures")).unwrap();
    let store = SqliteStore::open(&place.join("atelier.db")).await.unwrap();
    blobs.recover().await.unwrap();
    let now = Timestamp(1_000_000 + orders.round as i64 * 10_000_000);
    let mut child = Child { store, blobs, now, orders, n_points: 0, stalled: Vec::new() };
    child.store.reap(true, now).await.unwrap();
    for key in std::io::stdin().lock().lines() {
        child.take_in(&key.unwrap()).await;
    }
    // Few processes come far: each begins elsewhere in what there is to do.
    for turn in orders.round * 3.. {
        for n in 0..2 {
            let key = format!("{}-{turn}-{n}", orders.round);
            child.take_in(&key).await;
            if turn % 3 == n {
                // The same interaction once more.
                child.take_in(&key).await;
            }
        }
        child.work_on_one(turn).await;
        if turn % 4 == 3 {
            child.sweep().await;
        }
    }
}

fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "say {what}").unwrap();
    out.flush().unwrap();
}

impl Child {
    /// One side of a write. At the one that was ordered the process waits for its end.
    fn point(&mut self) {
        self.n_points += 1;
        if self.n_points == self.orders.stop_at {
            say("stopped");
            loop {
                std::thread::park();
            }
        }
    }

    async fn take_in(&mut self, key: &str) {
        let number: u64 = key.bytes().map(u64::from).sum();
        let job = NewJob {
            key: key.into(),
            press: None,
            guild: GuildId(number % 3),
            user: UserId(number % 2),
            roles: Vec::new(),
            action: "imagine".into(),
            task: serde_json::json!({ "prompt": "a lighthouse" }),
            tier: storage::Tier::Fast,
            model: None,
            parent: None,
            notes: None,
            inputs: Vec::new(),
            row_megapixels: 1.0,
            delivery: Delivery { channel: 1, token: "secret".into(), token_expires: self.now, message: None, is_private: false },
            admission: storage::Admission::default(),
        };
        say(&format!("asks {key}"));
        self.point();
        let (Enqueued::Created(id) | Enqueued::SameKey(id)) = self.store.enqueue(job, &LIMITS, self.now).await.unwrap() else {
            panic!("{key} is refused")
        };
        self.point();
        say(&format!("queued {id} {key}"));
    }

    async fn work_on_one(&mut self, turn: u64) {
        self.point();
        let Some(lease) = self.store.claim(LEASE, &RUNNING, &[], self.now).await.unwrap() else { return };
        self.point();
        say(&format!("holds {} {}", lease.job.id, lease.epoch));
        if lease.job.attempts == 1 && lease.job.id.0.as_bytes()[15] % 5 < 2 {
            // It stalls, and is given up while it still thinks that the job is its own.
            let n_leases = 1 + u32::from(lease.job.id.0.as_bytes()[14] % 3);
            self.now = self.now.after(LEASE * n_leases);
            self.stalled.push(lease);
            self.store.reap(false, self.now).await.unwrap();
            return;
        }
        for index in 0..2 {
            let id = lease.job.id.0.as_bytes();
            // Every other job draws what some others draw too.
            let picture = if id[12] % 2 == 0 { lease.job.id.to_string() } else { (id[13] % 8).to_string() };
            let bytes = Bytes::from(format!("picture {index} of {picture}"));
            self.point();
            let blob = self.blobs.put(bytes).await.unwrap();
            self.point();
            let image = NewImage { index, seed: 1, width: 8, height: 8, blob, provenance: None, digests: Vec::new() };
            assert_eq!(self.store.record_image(&lease, &image).await.unwrap(), Written::Done);
        }
        self.wake_the_stalled().await;
        self.end(&lease, turn).await;
    }

    /// Those that stalled go on where they were, also with jobs that others have now.
    async fn wake_the_stalled(&mut self) {
        for lease in std::mem::take(&mut self.stalled) {
            let image = NewImage {
                index: 7,
                seed: 1,
                width: 8,
                height: 8,
                blob: self.blobs.put("late".into()).await.unwrap(),
                provenance: None,
                digests: Vec::new(),
            };
            let written = [
                self.store.record_image(&lease, &image).await.unwrap(),
                self.store.complete(&lease, 9.0, self.now).await.unwrap(),
                self.store.fail(&lease, &Failure::OutOfMemory, self.now).await.unwrap(),
            ];
            if written != [Written::Fenced; 3] {
                say(&format!("stale {} {}", lease.job.id, lease.epoch));
            }
        }
    }

    async fn end(&mut self, lease: &Lease, turn: u64) {
        let id = lease.job.id;
        self.point();
        say(&format!("ends {id}"));
        let word = match turn % 8 {
            6 => {
                assert_eq!(self.store.fail(lease, &Failure::OutOfMemory, self.now).await.unwrap(), Written::Done);
                "failed"
            }
            7 => {
                self.store.request_cancel(id, self.now).await.unwrap();
                self.point();
                assert_eq!(self.store.finish_cancel(lease, 0.5, self.now).await.unwrap(), Written::Done);
                "cancelled"
            }
            _ => {
                assert_eq!(self.store.complete(lease, 2.0, self.now).await.unwrap(), Written::Done);
                "done"
            }
        };
        self.point();
        say(&format!("{word} {id} {}", lease.epoch));
        if turn.is_multiple_of(2) {
            self.store.delivered(id, Some(7)).await.unwrap();
            self.point();
            say(&format!("told {id}"));
        }
        if turn % 5 == 4 {
            self.delete(id).await;
        }
    }

    async fn delete(&mut self, id: JobId) {
        self.point();
        for blob in self.store.delete(id, self.now).await.unwrap() {
            self.point();
            self.blobs.mark(&blob, self.now).await.unwrap();
        }
    }

    /// What a bot does in the course of days.
    async fn sweep(&mut self) {
        for (key, _) in self.blobs.marks().await.unwrap() {
            if self.store.unnamed(std::slice::from_ref(&key)).await.unwrap().is_empty() {
                self.blobs.unmark(&key).await.unwrap();
            } else {
                self.point();
                self.blobs.collect(&key, self.now).await.unwrap();
            }
        }
        for first in (self.n_points as u8 % 16..=u8::MAX).step_by(16) {
            for key in self.store.unnamed(&self.blobs.list(first).await.unwrap()).await.unwrap() {
                self.blobs.mark(&key, self.now).await.unwrap();
            }
        }
    }
}
