//! A job's way: through the one door, to the engine, and back to who asked.

pub(crate) mod delivery;
pub mod dispatcher;
pub mod drafts;
pub mod enqueue;
pub mod failure;
pub(crate) mod gauges;
pub mod limits;
mod link;
pub mod live;
pub mod parents;
pub mod progress;
pub mod queue_time;
pub mod span;

use std::sync::Arc;

pub use link::link;

use crate::app::App;

/// Runs the bot's own loops until shutdown; each ends before this returns.
pub async fn run_loops(app: Arc<App>) {
    tokio::join!(
        dispatcher::run(app.clone()),
        delivery::run(app.clone()),
        progress::run(app.clone()),
        drafts::run(app.clone()),
        gauges::run(app.clone())
    );
    app.tasks.close();
    app.tasks.wait().await;
}
