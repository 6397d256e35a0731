//! ▶️ Continue: the rest of the steps of a job that was stopped.

use std::sync::Arc;

use inference::task::Task;
use storage::{JobId, JobStatus, PressKey};

use super::{Wish, job_of, press_key, presser::Presser};
use crate::{
    app::App,
    error::BotError,
    jobs::{going_on, speed::Speed},
    messages::UserError,
};

/// Enqueues a job that goes on where this one was stopped, for as much as is left; its result answers every later press of the same button.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, id: JobId) -> Result<(), BotError> {
    let job = job_of(presser, app, id).await?;
    if job.is_deleted {
        return Err(UserError::Deleted.into());
    }
    if job.status != JobStatus::Done {
        return Err(UserError::NotFinished.into());
    }
    let speed = Speed::under(&job, presser.user);
    let mut task: Task = serde_json::from_value(job.task)?;
    task.base_mut().ok_or(UserError::UnknownButton)?.stop_at = None;
    let states = going_on::states(&*app.jobs, &*app.blobs, id).await?;
    if states.is_empty() {
        return Err(UserError::StatesGone.into());
    }
    let begins = states.iter().map(|state| state.place()).collect();
    let press = Some(PressKey { key: press_key(going_on::ACTION, id, 0), keep: true });
    let wish = Wish { action: going_on::ACTION, speed, task, notes: Vec::new(), parent: Some((id, 0)), press, begins };
    app.door.enqueue(wish.by(presser, app.clock.now())).await?;
    Ok(())
}
