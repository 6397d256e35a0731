//! ❌ on a finished job: asks, and then deletes it. For its owner and moderators.
//!
//! It is asked in the message itself, which needs nothing to be remembered: the buttons say all, after a restart too, and the answer to a press
//! may always edit or delete the message that it was pressed on, also where only a person has installed the bot.

use poise::serenity_prelude as serenity;
use storage::{Job, JobId};

use super::{job_of, presser::Presser};
use crate::{
    answer::Answer,
    app::App,
    discord,
    error::BotError,
    messages::{Deleting, UserError},
    system::log::chain,
};

async fn ended(presser: &Presser<'_>, app: &App, id: JobId) -> Result<Job, BotError> {
    let job = job_of(presser, app, id).await?;
    if !presser.may_end(&job) {
        return Err(UserError::NotYours { owner: job.user.0 }.into());
    }
    if !job.status.is_final() {
        return Err(UserError::NotFinished.into());
    }
    Ok(job)
}

/// Puts the question where ❌ was, or takes it back; nothing else of the message changes.
pub async fn ask(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &App,
    id: JobId,
    deleting: Deleting,
) -> Result<(), BotError> {
    let job = ended(presser, app, id).await?;
    let buttons = app.renderer.buttons(&job, deleting).await?;
    press.edit_response(ctx, discord::buttons_alone(&Answer { buttons, ..Answer::default() })).await?;
    Ok(())
}

/// Deletes a finished job: its message and its pictures.
pub async fn delete(
    ctx: &serenity::Context,
    press: &serenity::ComponentInteraction,
    presser: &Presser<'_>,
    app: &App,
    id: JobId,
) -> Result<(), BotError> {
    ended(presser, app, id).await?;
    forget(app, id).await?;
    if let Err(error) = press.delete_response(ctx).await {
        tracing::warn!(job.id = %id, error = %chain(&error), "the message of a deleted job could not be removed");
    }
    tracing::info!(job.id = %id, user.id = presser.user.0, "deleted");
    Ok(())
}

/// Deletes a finished job's pictures, and the job from all that is shown.
///
/// # Errors
/// The store cannot be written.
pub async fn forget(app: &App, id: JobId) -> anyhow::Result<()> {
    // Not while its last message is on its way.
    let gate = app.board.live.get(&id).map(|live| live.gate.clone());
    let _permit = match &gate {
        Some(gate) => gate.acquire().await.ok(),
        None => None,
    };
    let now = app.clock.now();
    for blob in app.jobs.delete(id, now).await? {
        // Not removed at once: another job may be about to record the same picture.
        app.blobs.mark(&blob, now).await?;
    }
    Ok(())
}
