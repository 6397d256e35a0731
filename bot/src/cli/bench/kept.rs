//! What it costs that pictures on their way are kept.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use inference::{
    engine::{Engine, Event, Submission},
    task::Task,
};
use storage::{Admission, Delivery, GuildId, JobId, Lease, Limits, NewJob, Queue, RunningLimits, SqliteStore, Tier, Timestamp, UserId};

use crate::{
    jobs::states::{States, Turn},
    system::clock::Clock,
};

const NOW: Timestamp = Timestamp(0);
const LIMITS: Limits = Limits {
    daily_row_megapixels: 1e12,
    daily_row_megapixels_per_user: None,
    daily_row_megapixels_host: None,
    monthly_row_megapixels: None,
    monthly_row_megapixels_per_user: None,
    monthly_row_megapixels_host: None,
    is_relax_free: false,
    max_active_per_user: 1,
    max_queued_per_guild: 1,
    max_queued: 1,
};
const RUNNING: RunningLimits = RunningLimits { max_running: 1, max_running_per_user: 1, max_running_per_guild: 1 };

/// A job whose pictures are kept in a database of their own.
pub(super) struct Keeping {
    store: Arc<SqliteStore>,
    lease: Arc<Lease>,
    every: Duration,
}

impl Keeping {
    /// Pictures are kept as often as `every` says.
    pub(super) async fn new(folder: &Path, every: Duration) -> anyhow::Result<Self> {
        let store = Arc::new(SqliteStore::open(&folder.join("kept.sqlite")).await?);
        let job = NewJob {
            key: JobId::new().to_string(),
            press: None,
            guild: GuildId(1),
            user: UserId(1),
            roles: Vec::new(),
            action: "imagine".into(),
            tier: Tier::Fast,
            task: serde_json::Value::Null,
            model: None,
            parent: None,
            notes: None,
            inputs: Vec::new(),
            row_megapixels: 1.0,
            delivery: Delivery { channel: 1, token: String::new(), token_expires: NOW, message: None, is_private: false },
            admission: Admission::default(),
        };
        store.enqueue(job, &LIMITS, NOW).await?;
        let lease = store.claim(Duration::from_secs(30), &RUNNING, &[], NOW).await?.context("the job waits")?;
        Ok(Self { store, lease: Arc::new(lease), every })
    }

    /// Seconds until a task is done, with its pictures kept as those of a job are.
    pub(super) async fn time(&self, engine: &Engine, task: &Task) -> anyhow::Result<f64> {
        let (start, mut handle) = (Instant::now(), engine.submit(Submission::new(task.clone()))?);
        let mut states = States::new(self.store.clone(), self.lease.clone(), task, Clock::default(), self.every);
        loop {
            tokio::select! {
                event = handle.next() => match event {
                    Some(Event::Checkpoint { index, state }) => states.told(index, state),
                    Some(Event::Image(image)) => states.finished(image.index),
                    Some(Event::Failed(error)) => anyhow::bail!("{error}"),
                    Some(_) => {}
                    None => break,
                },
                turn = states.turn() => if let Turn::Ask = turn {
                    handle.checkpoint();
                },
            }
        }
        states.flush().await;
        Ok(start.elapsed().as_secs_f64())
    }
}
