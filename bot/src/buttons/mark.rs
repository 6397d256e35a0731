//! ❤: marks a picture for whoever presses it, and takes the mark away at the next press.

use storage::{JobId, Marked};

use super::{job_of, picture_of, presser::Presser};
use crate::{answer::Answer, app::App, error::BotError, messages, messages::UserError};

/// Marks a picture, or takes the mark away; what the person is told.
pub async fn toggle(presser: &Presser<'_>, app: &App, id: JobId, index: u32) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let job = job_of(presser, app, id).await?;
    picture_of(app, &job, index).await?;
    if app.jobs.unmark(presser.user, (id, index)).await? {
        return Ok(messages::unmarked());
    }
    match app.jobs.mark(presser.user, (id, index), app.clock.now()).await? {
        Marked::Yes => Ok(messages::marked()),
        Marked::NoPicture => Err(UserError::NoSuchPicture(index + 1).into()),
        Marked::TooMany => Err(UserError::TooManyFavourites.into()),
    }
}
