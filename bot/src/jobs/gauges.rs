//! Tells those who watch the metrics how much waits.

use std::{sync::Arc, time::Duration};

use crate::{
    app::App,
    system::{log::chain, metrics},
};

/// The store is asked this often.
const EVERY: Duration = Duration::from_secs(5);

/// Runs until shutdown, if somebody can watch.
pub async fn run(app: Arc<App>) {
    if app.config.metrics.listen.is_none() {
        return;
    }
    let mut ticks = app.clock.ticks(EVERY);
    loop {
        tell(&app).await;
        tokio::select! {
            () = ticks.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

async fn tell(app: &App) {
    let asked = async { Ok::<_, storage::StorageError>((app.jobs.queue_status().await?, app.jobs.backlog().await?)) };
    match asked.await {
        Ok((queue, backlog)) => metrics::waiting(queue, backlog, app.clock.now()),
        Err(error) => tracing::warn!(error = %chain(&error), "what waits cannot be counted"),
    }
}
