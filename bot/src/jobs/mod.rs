//! A job's way: through the one door, to the engine, and back to who asked.

pub mod after;
pub mod blocklists;
pub mod board;
pub(crate) mod delivery;
pub(crate) mod dispatcher;
pub mod drafts;
pub mod enqueue;
pub mod explain;
pub mod failure;
pub(crate) mod gauges;
pub(crate) mod going_on;
mod lease;
pub mod limits;
mod link;
pub mod live;
pub mod parents;
pub mod progress;
pub mod queue_time;
pub mod received;
pub mod resident;
pub(crate) mod sending;
pub mod several;
pub mod shorten;
pub mod span;
pub mod speed;
pub(crate) mod states;
pub(crate) mod sweep;
pub mod told;
pub(crate) mod unanswered;
pub mod verify;
mod watchdog;
pub(crate) mod worker;

use std::sync::Arc;

use storage::JobStore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use link::link;

use crate::system::clock::Clock;

/// The bot's own loops, each with what it needs.
pub struct Loops {
    /// Gives jobs to the engine.
    pub dispatcher: dispatcher::Dispatcher,
    /// Brings endings to those who asked.
    pub delivering: Arc<delivery::Delivering>,
    /// Keeps messages up to date.
    pub progress: Arc<progress::Progress>,
    /// Answers what was left without an answer.
    pub unanswered: unanswered::Unanswered,
    /// Forgets what was typed long ago.
    pub drafts: Arc<drafts::Drafts>,
    /// Forgets and removes what is not kept.
    pub sweep: sweep::Sweep,
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Whether somebody can watch the metrics.
    pub is_watched: bool,
    /// Tells the time.
    pub clock: Clock,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
    /// Short tasks that handlers leave behind.
    pub tasks: TaskTracker,
}

impl Loops {
    /// Runs until shutdown; each loop ends before this returns.
    pub async fn run(self) {
        let gauges = async {
            if self.is_watched {
                gauges::run(self.jobs, self.clock, self.shutdown.clone()).await;
            }
        };
        let no_more = CancellationToken::new();
        let drawing = async {
            self.dispatcher.run().await;
            no_more.cancel();
        };
        tokio::join!(
            drawing,
            self.delivering.run(no_more.clone()),
            self.progress.run(),
            self.unanswered.run(),
            self.drafts.run(&self.shutdown),
            self.sweep.run(),
            gauges
        );
        self.tasks.close();
        self.tasks.wait().await;
    }
}
