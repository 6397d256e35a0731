//! 🔄: the same task with a new seed.

use std::sync::Arc;

use storage::{JobId, PressKey};

use super::{Wish, drawn_of, job_of, press_key, presser::Presser};
use crate::{
    app::App,
    error::BotError,
    jobs::{after::After, parents::Drawn, speed::Speed},
    messages::UserError,
    system::random,
};

/// Enqueues the task again; under an enlarged picture, the task that drew it.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, id: JobId) -> Result<(), BotError> {
    let pressed = job_of(presser, app, id).await?;
    if pressed.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if !pressed.status.is_final() {
        return Err(UserError::NotFinished.into());
    }
    let speed = Speed::under(&pressed, presser.user);
    let Drawn { job, mut task, .. } = drawn_of(app, pressed).await?;
    task.base_mut().ok_or(UserError::UnknownButton)?.seed = random::random_seed();
    // Variations are of the picture that the first ones are of.
    let parent = job.parent.filter(|_| !task.inputs.is_empty()).or(Some((job.id, 0)));
    let press = Some(PressKey { key: press_key("reroll", id, 0), keep: false });
    // What was made of a picture is that of the same picture once more.
    let action = After::of(&job.action).map_or("reroll", After::word);
    app.door
        .enqueue(Wish { action, speed, task, notes: Vec::new(), parent, press, begins: Vec::new() }.by(presser, app.clock.now()))
        .await?;
    Ok(())
}
