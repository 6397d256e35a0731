//! ❌: cancels a running job, deletes a finished one. For its owner and moderators.

use std::sync::Arc;

use poise::serenity_prelude as serenity;
use storage::{Cancelled, Job, JobId, Timestamp};

use crate::{app::App, error::BotError, live::Phase, messages::UserError};

/// Cancels or deletes, whichever the job's state asks for.
pub async fn cancel_or_delete(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    app: &Arc<App>,
    id: JobId,
) -> Result<(), BotError> {
    press.create_response(ctx, serenity::CreateInteractionResponse::Acknowledge).await?;
    let job = super::job_of(press, app, id).await?;
    if !may(press, &job) {
        return Err(UserError::NotYours { owner: job.user.0 }.into());
    }
    if job.status.is_final() {
        return delete(ctx, press, app, id).await;
    }
    match app.jobs.request_cancel(id, Timestamp::now()).await? {
        Cancelled::Now => app.outbox_bell.notify_one(),
        Cancelled::Requested => {
            if let Some(mut live) = app.live.get_mut(&id) {
                live.enter(Phase::Cancelling);
                live.cancel.cancel();
            }
            app.progress_bell.notify_one();
        }
        // It ended between the look and the request: one press does one thing.
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

async fn delete(ctx: &serenity::Context, press: &serenity::ComponentInteraction, app: &App, id: JobId) -> Result<(), BotError> {
    let orphans = app.jobs.delete(id, Timestamp::now()).await?;
    press.delete_response(ctx).await?;
    for blob in orphans {
        app.blobs.delete(&blob).await?;
    }
    tracing::info!(job.id = %id, user.id = press.user.id.get(), "deleted");
    Ok(())
}
