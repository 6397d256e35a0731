//! 🎞: how a picture came from noise, for whoever presses it.

use storage::JobId;

use super::{drawn_of, job_of, picture_of, presser::Presser};
use crate::{
    answer::Answer,
    app::App,
    error::BotError,
    messages::{self, UserError},
    pictures::film,
};

/// Of what a message may be large, this much is left for the rest of it.
const MARGIN: usize = 64 << 10;
/// What every interaction takes.
const LEAST: usize = 10 << 20;

/// The film of a picture; under an enlarged one, of the picture that it shows larger. `limit` is what the interaction takes in bytes, 0 if unknown.
pub async fn show(presser: &Presser<'_>, app: &App, (id, index): (JobId, u32), limit: u32) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let job = job_of(presser, app, id).await?;
    let mut image = picture_of(app, &job, index).await?;
    if let Ok(drawn) = drawn_of(app, job).await
        && let Some(of_drawn) = drawn.index
    {
        image = picture_of(app, &drawn.job, of_drawn).await?;
    }
    let bytes = app.blobs.get(&image.blob).await?;
    // As large as a grid shows it: a small model's steps can be seen then.
    let picture = app.renderer.small(&image, film::SIDE).await.ok_or(UserError::NoFilm)?;
    let most = if limit == 0 { LEAST } else { limit as usize }.saturating_sub(MARGIN);
    let make = move || {
        let frames = film::read(&bytes);
        if frames.is_empty() { Ok(None) } else { film::gif(&frames, &picture, most).map(|film| Some((film, frames.len()))) }
    };
    let made = tokio::task::spawn_blocking(make).await?.map_err(anyhow::Error::from)?;
    let (film, n_steps) = made.ok_or(UserError::NoFilm)?;
    Ok(messages::film(film, n_steps))
}
