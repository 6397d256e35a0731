//! How a picture came from noise, drawn as a job: under 🔎, and by `/explain`.

use std::sync::Arc;

use storage::{Job, JobId, PressKey};

use super::{Wish, job_of, picture_of, press_key, presser::Presser};
use crate::{
    app::App,
    error::BotError,
    jobs::{explain, parents, speed::Speed},
    messages::UserError,
};

/// Enqueues it for the picture of a button.
///
/// # Errors
/// A refusal, or the store cannot be read.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, id: JobId, index: u32) -> Result<(), BotError> {
    let job = job_of(presser, app, id).await?;
    let wish = wish(presser, app, job, index).await?;
    let press = Some(PressKey { key: press_key(explain::ACTION, id, index), keep: false });
    app.door.enqueue(Wish { press, ..wish }.by(presser, app.clock.now())).await.map(drop)
}

/// What explains a picture of a job; of an enlarged one, that of the picture that it shows larger.
///
/// # Errors
/// The picture is not there, or was not drawn.
pub(crate) async fn wish(presser: &Presser<'_>, app: &App, job: Job, index: u32) -> Result<Wish, BotError> {
    picture_of(app, &job, index).await?;
    let speed = Speed::under(&job, presser.user);
    let drawn = parents::drawn(&*app.jobs, job).await?.ok_or(UserError::NoFilm)?;
    let index = drawn.index.unwrap_or(index);
    let stopped_at = app.jobs.states(drawn.job.id).await?.into_iter().find(|state| state.index == index).map(|state| state.done);
    let offered = app.models.offered();
    let task = explain::study(drawn.task, index, stopped_at, |task| offered.catalogue.unguided(task));
    let parent = Some((drawn.job.id, index));
    Ok(Wish { action: explain::ACTION, speed, task, notes: Vec::new(), parent, press: None, begins: Vec::new() })
}
