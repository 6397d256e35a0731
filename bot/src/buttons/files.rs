//! 📥: a job's pictures as files, as they are kept, for whoever asks.
//!
//! Not a link: Discord's links to files work for a day.

use storage::JobId;

use super::{job_of, presser::Presser};
use crate::{app::App, discord, error::BotError, messages::UserError};

/// Answers with the pictures.
pub async fn send(presser: &Presser<'_>, app: &App, id: JobId) -> Result<(), BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let job = job_of(presser, app, id).await?;
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    let answer = app.renderer.files(&job).await?;
    app.messenger
        .edit(&discord::delivery(app.clock.now(), presser.channel, presser.token), &answer)
        .await
        .map_err(|error| BotError::Internal(error.into()))?;
    Ok(())
}
