//! ❌: cancels a running job, deletes a finished one. For its owner and moderators.

use std::sync::Arc;

use poise::serenity_prelude as serenity;
use storage::{Cancelled, Job, JobId};

use crate::{app::App, error::BotError, live::Phase, log::chain, messages::UserError};

/// Stops a job that is not finished.
pub async fn cancel(press: &serenity::ComponentInteraction, app: &Arc<App>, id: JobId) -> Result<(), BotError> {
    let job = super::job_of(press, app, id).await?;
    if !may(press, &job) {
        return Err(UserError::NotYours { owner: job.user.0 }.into());
    }
    match app.jobs.request_cancel(id, app.clock.now()).await? {
        Cancelled::Now => app.outbox_bell.notify_one(),
        Cancelled::Requested => {
            if let Some(mut live) = app.live.get_mut(&id) {
                live.enter(Phase::Cancelling);
                live.cancel.cancel();
            }
            app.progress_bell.notify_one();
        }
        // A press on a job's progress never deletes its pictures.
        Cancelled::Already(status) => return Err(UserError::AlreadyEnded(status).into()),
    }
    app.queue_bell.notify_one();
    Ok(())
}

fn may(press: &serenity::ComponentInteraction, job: &Job) -> bool {
    let permissions = press.member.as_ref().and_then(|member| member.permissions).unwrap_or_default();
    press.user.id.get() == job.user.0
        || permissions.intersects(serenity::Permissions::MANAGE_MESSAGES | serenity::Permissions::ADMINISTRATOR)
}

/// Deletes a finished job: its message and its pictures.
pub async fn delete(ctx: &serenity::Context, press: &serenity::ComponentInteraction, app: &App, id: JobId) -> Result<(), BotError> {
    let job = super::job_of(press, app, id).await?;
    if !may(press, &job) {
        return Err(UserError::NotYours { owner: job.user.0 }.into());
    }
    if !job.status.is_final() {
        return Err(UserError::NotFinished.into());
    }
    // Not while its last message is on its way.
    let gate = app.live.get(&id).map(|live| live.gate.clone());
    let _permit = match &gate {
        Some(gate) => gate.acquire().await.ok(),
        None => None,
    };
    for blob in app.jobs.delete(id, app.clock.now()).await? {
        app.blobs.delete(&blob).await?;
    }
    if let Err(error) = press.delete_response(ctx).await {
        tracing::warn!(job.id = %id, error = %chain(&error), "the message of a deleted job could not be removed");
    }
    tracing::info!(job.id = %id, user.id = press.user.id.get(), "deleted");
    Ok(())
}
