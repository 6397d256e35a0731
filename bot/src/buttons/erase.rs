//! *Delete everything*: of the presser, once it was asked.

use std::time::Duration;

use storage::{Cancelled, Erased, UserId};

use super::{presser::Presser, reply};
use crate::{
    app::App,
    error::BotError,
    jobs::live::Phase,
    messages::{self, UserError},
    system::log::chain,
};

/// Jobs that end, and endings that are told, are waited for so long.
const PATIENCE: Duration = Duration::from_secs(120);
/// And looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Ends the presser's jobs, and then deletes everything that is kept of them.
///
/// # Errors
/// Their jobs do not end.
pub async fn erase(presser: &Presser<'_>, app: &App) -> Result<(), BotError> {
    let ended = tokio::time::timeout(PATIENCE, all(app, presser.user)).await;
    let Ok(erased) = ended else { return Err(UserError::StillDrawing.into()) };
    erased?;
    reply::fill(presser, app, &messages::erased()).await
}

/// Deletes nothing.
///
/// # Errors
/// The message cannot be edited.
pub async fn keep(presser: &Presser<'_>, app: &App) -> Result<(), BotError> {
    reply::fill(presser, app, &messages::kept_all()).await
}

async fn all(app: &App, user: UserId) -> Result<(), BotError> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let blobs = loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = app.shutdown.cancelled() => return Err(UserError::StillDrawing.into()),
        }
        for job in app.jobs.open_jobs(user).await? {
            match app.jobs.request_cancel(job, app.clock.now()).await? {
                Cancelled::Requested => {
                    if let Some(mut live) = app.board.live.get_mut(&job) {
                        live.enter(Phase::Cancelling);
                        live.cancel.cancel();
                    }
                }
                Cancelled::Now | Cancelled::Already(_) => {}
            }
        }
        app.board.queue.notify_one();
        app.board.outbox.notify_one();
        if let Erased::Gone(blobs) = app.jobs.erase(user, app.clock.now()).await? {
            break blobs;
        }
    };
    let now = app.clock.now();
    for blob in blobs {
        app.blobs.mark(&blob, now).await?;
        app.blobs.collect(&blob, now).await?;
    }
    match app.jobs.scrub().await {
        Ok(true) => {}
        Ok(false) => tracing::warn!("somebody reads the database, so what was deleted stays in its log until that is written over"),
        Err(error) => tracing::warn!(error = %chain(&error), "what was deleted could not be written over yet"),
    }
    tracing::info!("everything that was kept of a person is deleted");
    Ok(())
}
