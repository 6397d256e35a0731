//! What every part of the running bot shares.

use std::{sync::Arc, time::Duration};

use inference::engine::Engine;
use storage::{BlobStore, JobStore};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    discord::Messenger,
    live::LiveJobs,
    prompt::{self, ParseContext},
    random,
};

/// What every part of the running bot shares.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Draws.
    pub engine: Engine,
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Keeps pictures.
    pub blobs: Arc<dyn BlobStore>,
    /// Sends.
    pub messenger: Messenger,
    /// Where a stand-in's page is; `None` on Discord itself.
    pub page_url: Option<String>,
    /// Progress of unfinished jobs.
    pub live: LiveJobs,
    /// Rung after a job was enqueued or released.
    pub queue_bell: Notify,
    /// Rung after a job ended.
    pub outbox_bell: Notify,
    /// Rung when a job's message should change soon.
    pub progress_bell: Notify,
    /// Time between two edits of one job's message.
    pub progress_interval: Duration,
    /// Becomes true when the commands are registered.
    pub is_registered: watch::Sender<bool>,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
    /// Short tasks that handlers leave behind; awaited at the end.
    pub tasks: TaskTracker,
}

impl App {
    /// What the parser needs to know about model and configuration.
    pub fn parse_context(&self) -> ParseContext {
        ParseContext::new(&self.config, self.engine.info(), random::random_seed(), u64::from(u32::MAX))
    }

    /// Estimated row-megapixels of an `/imagine` with the usual settings.
    pub fn cost_of_default(&self) -> f64 {
        prompt::parse("a frog", &Default::default(), &self.parse_context())
            .map(|parsed| self.engine.cost(&inference::task::Task::TextToImage(parsed.task)))
            .unwrap_or_default()
    }
}

/// Runs the bot's own loops until shutdown; each ends before this returns.
pub async fn run_loops(app: Arc<App>) {
    tokio::join!(crate::dispatcher::run(app.clone()), crate::delivery::run(app.clone()), crate::progress::run(app.clone()));
    app.tasks.close();
    app.tasks.wait().await;
}
