//! 1 to 5 under a shortened prompt: draws that one.

use std::sync::Arc;

use inference::task::{Task, TextToImage};
use storage::{JobId, JobStatus, PressKey};

use super::{Wish, job_of, press_key, presser::Presser};
use crate::{
    app::App,
    error::BotError,
    jobs::{shorten, speed::Speed},
    messages::UserError,
};

/// Draws a shorter prompt of a job.
///
/// # Errors
/// The job or its pictures are gone, or it cannot be drawn.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, id: JobId, index: u32) -> Result<(), BotError> {
    let job = job_of(presser, app, id).await?;
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.status != JobStatus::Done {
        return Err(UserError::NotFinished.into());
    }
    let task: Task = serde_json::from_value(job.task.clone())?;
    let base: &TextToImage = task.base().ok_or(UserError::UnknownButton)?;
    let effects = app.renderer.effects(&job, base).await?.ok_or(UserError::Deleted)?;
    let prompt = shorten::shorter_prompts(&base.prompt, &effects).into_iter().nth(index as usize).ok_or(UserError::UnknownButton)?;
    let task = Task::from(shorten::shorter(base, prompt, app.models.n_images));
    let press = Some(PressKey { key: press_key("shorter", id, index), keep: false });
    let speed = Speed::under(&job, presser.user);
    let wish = Wish { action: "imagine", speed, task, notes: Vec::new(), parent: None, press, begins: Vec::new() };
    app.door.enqueue(wish.by(presser, app.clock.now())).await.map(drop)
}
