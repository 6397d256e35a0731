//! ❌: cancels a job that is not finished, and deletes one that is. For its owner and moderators, at once: a reaction is no slip beside another button.

use super::Reacted;
use crate::{app::App, buttons, error::BotError, system::log::chain};

/// Ends the job, if they may.
pub(super) async fn end(reacted: &Reacted<'_>, app: &App) -> anyhow::Result<()> {
    let Reacted { user, job, channel, message, is_moderator, ctx, .. } = reacted;
    if job.user != *user && !is_moderator {
        return Ok(());
    }
    if !job.status.is_final() {
        return match buttons::request_cancel(app, job.id).await {
            // It has ended meanwhile; whoever still wants it gone says so again.
            Ok(_) | Err(BotError::User(_)) => Ok(()),
            Err(BotError::Internal(error)) => Err(error),
        };
    }
    buttons::forget(app, job.id).await?;
    if let Err(error) = ctx.http.delete_message(*channel, *message, None).await {
        tracing::warn!(job.id = %job.id, error = %chain(&error), "the message of a deleted job could not be removed");
    }
    tracing::info!(job.id = %job.id, user.id = user.0, "deleted");
    Ok(())
}
