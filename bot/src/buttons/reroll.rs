//! 🔄: the same task with a new seed.

use std::sync::Arc;

use inference::task::Task;
use poise::serenity_prelude as serenity;
use storage::JobId;

use crate::{app::App, enqueue, error::BotError, messages::UserError, random};

/// Enqueues the task again.
pub async fn enqueue(press: &serenity::ComponentInteraction, app: &Arc<App>, job: JobId) -> Result<(), BotError> {
    let parent = super::job_of(press, app, job).await?;
    if parent.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if !parent.status.is_final() {
        return Err(UserError::NotFinished.into());
    }
    let mut task: Task = serde_json::from_value(parent.task.clone())?;
    task.base_mut().ok_or(UserError::UnknownButton)?.seed = random::random_seed();
    enqueue::enqueue(app, super::request(press, "reroll", task, (&parent, 0), false)).await?;
    Ok(())
}
