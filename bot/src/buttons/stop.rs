//! ■ on a job that is being drawn: its pictures as they are at the next step. For its owner and moderators.

use std::sync::Arc;

use storage::{Job, JobId, Less};

use super::{job_of, presser::Presser};
use crate::{app::App, error::BotError, messages::UserError};

/// Stops a job.
pub async fn stop(presser: &Presser<'_>, app: &Arc<App>, id: JobId) -> Result<(), BotError> {
    let job = job_of(presser, app, id).await?;
    less(presser, app, &job, Less::Stop).await
}

/// Notes that less of a job is wanted, and tells its worker.
pub(super) async fn less(presser: &Presser<'_>, app: &App, job: &Job, less: Less) -> Result<(), BotError> {
    if !presser.may_end(job) {
        return Err(UserError::NotYours { owner: job.user.0 }.into());
    }
    let status = app.jobs.want_less(job.id, less).await?;
    if status.is_final() {
        return Err(UserError::AlreadyEnded(status).into());
    }
    if let Some(mut live) = app.board.live.get_mut(&job.id) {
        live.want_less(less);
    }
    app.board.progress.notify_one();
    Ok(())
}
