//! ❌ on a job that is not finished: stops it, at one press. For its owner and moderators.

use std::sync::Arc;

use storage::{Cancelled, JobId};

use super::{job_of, presser::Presser};
use crate::{app::App, error::BotError, jobs::live::Phase, messages::UserError};

/// Stops a job that is not finished.
pub async fn cancel(presser: &Presser<'_>, app: &Arc<App>, id: JobId) -> Result<(), BotError> {
    let job = job_of(presser, app, id).await?;
    if !presser.may_end(&job) {
        return Err(UserError::NotYours { owner: job.user.0 }.into());
    }
    match request(app, id).await? {
        // A press on a job's progress never deletes its pictures.
        Cancelled::Already(status) => Err(UserError::AlreadyEnded(status).into()),
        Cancelled::Now | Cancelled::Requested => Ok(()),
    }
}

/// Asks a job to stop, and whoever works on it.
pub async fn request(app: &App, id: JobId) -> Result<Cancelled, BotError> {
    let cancelled = app.jobs.request_cancel(id, app.clock.now()).await?;
    match cancelled {
        Cancelled::Now => app.board.outbox.notify_one(),
        Cancelled::Requested => {
            if let Some(mut live) = app.board.live.get_mut(&id) {
                live.enter(Phase::Cancelling);
                live.cancel.cancel();
            }
            app.board.progress.notify_one();
        }
        Cancelled::Already(_) => {}
    }
    app.board.queue.notify_one();
    Ok(cancelled)
}
