//! Gives jobs to the worker: claims them while there is room, and takes back leases that nobody renews.

use std::{collections::HashMap, sync::Arc, time::Duration};

use inference::task::Task;
use storage::{JobId, JobStatus, RunningLimits, StorageError};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::{
    jobs::{
        lease::LEASE,
        live::{Live, Phase},
        resident::Resident,
        span,
        worker::Worker,
    },
    messages::N_PLACES,
    system::{log::chain, metrics},
};

/// How often leases of workers that died are looked for.
const REAP_EVERY: Duration = Duration::from_secs(10);

/// Gives jobs to the worker.
pub struct Dispatcher {
    /// Draws them.
    pub worker: Arc<Worker>,
    /// Who may run how many at once.
    pub limits: RunningLimits,
}

impl Dispatcher {
    /// Runs until shutdown; jobs in work are then handed back to the queue.
    pub async fn run(&self) {
        let mut running = JoinSet::new();
        let mut resident = Resident::default();
        let mut reaping = self.worker.clock.ticks(REAP_EVERY);
        let mut reaped = self.worker.clock.now();
        while !self.worker.shutdown.is_cancelled() {
            // What is handed back at the end is for the next start.
            while !self.worker.shutdown.is_cancelled() {
                match self.worker.jobs.claim(LEASE, &self.limits, &resident.models(), self.worker.clock.now()).await {
                    Ok(Some(lease)) => {
                        let span = span::of(&lease.job);
                        let (worker, model) = (self.worker.clone(), lease.job.model.clone());
                        resident.begins(model.clone());
                        running.spawn(
                            async move {
                                worker.work(lease).await;
                                model
                            }
                            .instrument(span),
                        );
                        self.update_places().await;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::error!(error = %chain(&error), "jobs cannot be claimed");
                        break;
                    }
                }
            }
            tokio::select! {
                () = self.worker.board.queue.notified() => self.update_places().await,
                Some(ended) = running.join_next() => resident.ends(ended.ok().flatten()),
                () = reaping.tick() => {
                    let last = std::mem::replace(&mut reaped, self.worker.clock.now());
                    // After a leap (this machine slept, a test moved the clock) work that goes on must first renew its lease.
                    if reaped <= last.after(REAP_EVERY * 2) {
                        self.reap().await;
                    }
                }
                () = self.worker.shutdown.cancelled() => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn reap(&self) {
        match self.worker.jobs.reap(false, self.worker.clock.now()).await {
            Ok(0) => {}
            Ok(n_jobs) => {
                metrics::expired(n_jobs);
                tracing::warn!(n_jobs, "leases had expired");
                // Some of them may have ended with that.
                self.worker.board.outbox.notify_one();
            }
            Err(error) => tracing::error!(error = %chain(&error), "leases cannot be reaped"),
        }
    }

    async fn update_places(&self) {
        let queue = match self.worker.jobs.queue(N_PLACES).await {
            Ok(queue) => queue,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the queue cannot be read");
                return;
            }
        };
        if let Err(error) = self.hold().await {
            tracing::warn!(error = %chain(&error), "whose queue is paused cannot be read");
        }
        let has_more = queue.len() >= N_PLACES as usize;
        let mut places: HashMap<JobId, u32> = (1..).zip(queue).map(|(place, id)| (id, place)).collect();
        if has_more {
            let is_queued = |live: &Live| matches!(live.phase, Phase::Queued { .. });
            let waiting = self.worker.board.live.iter().filter(|live| is_queued(live)).map(|live| *live.key());
            for id in waiting.collect::<Vec<_>>() {
                places.entry(id).or_insert(N_PLACES + 1);
            }
        }
        for (id, place) in places {
            if let Some(mut live) = self.worker.board.live.get_mut(&id) {
                live.enter(Phase::Queued { place });
            }
        }
        self.worker.board.progress.notify_one();
    }

    /// Says of jobs that wait in paused guilds that they do.
    async fn hold(&self) -> Result<(), StorageError> {
        for (guild, _) in self.worker.jobs.paused().await? {
            for job in self.worker.jobs.unfinished(Some(guild), None, u32::MAX).await? {
                if let Some(mut live) = self.worker.board.live.get_mut(&job.id).filter(|_| job.status == JobStatus::Queued) {
                    live.enter(Phase::Held);
                }
            }
        }
        Ok(())
    }

    /// Puts every unfinished job back on the screen after a start.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn restore(&self) -> anyhow::Result<()> {
        let n_jobs = self.worker.jobs.reap(true, self.worker.clock.now()).await?;
        if n_jobs > 0 {
            tracing::info!(n_jobs, "jobs of an earlier run go on");
        }
        for id in self.worker.jobs.waiting().await? {
            let Some(job) = self.worker.jobs.job(id).await? else { continue };
            let Ok(task) = serde_json::from_value::<Task>(job.task.clone()) else { continue };
            let live = self.worker.renderer.live(&job, &task).await;
            self.worker.board.live.insert(id, live);
        }
        self.hold().await?;
        Ok(())
    }
}
