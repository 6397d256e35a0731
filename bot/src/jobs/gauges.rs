//! Tells those who watch the metrics how much waits.

use std::{sync::Arc, time::Duration};

use storage::JobStore;
use tokio_util::sync::CancellationToken;

use crate::system::{clock::Clock, log::chain, metrics};

/// The store is asked this often.
const EVERY: Duration = Duration::from_secs(5);

/// Runs until shutdown.
pub async fn run(jobs: Arc<dyn JobStore>, clock: Clock, shutdown: CancellationToken) {
    let mut ticks = clock.ticks(EVERY);
    loop {
        tell(&*jobs, &clock).await;
        tokio::select! {
            () = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn tell(jobs: &dyn JobStore, clock: &Clock) {
    let asked = async { Ok::<_, storage::StorageError>((jobs.queue_status().await?, jobs.backlog().await?)) };
    match asked.await {
        Ok((queue, backlog)) => metrics::waiting(queue, backlog, clock.now()),
        Err(error) => tracing::warn!(error = %chain(&error), "what waits cannot be counted"),
    }
}
