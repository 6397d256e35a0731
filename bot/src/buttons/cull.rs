//! ✂1–✂4 on a job that is being drawn: one picture less. For its owner and moderators.

use std::sync::Arc;

use inference::task::Task;
use storage::{JobId, Less};

use super::{job_of, presser::Presser, stop::less};
use crate::{app::App, error::BotError, messages::UserError};

/// Leaves a picture out; a job of which none is left ends as a cancelled one.
pub async fn cull(presser: &Presser<'_>, app: &Arc<App>, id: JobId, index: u32) -> Result<(), BotError> {
    let job = job_of(presser, app, id).await?;
    let task: Task = serde_json::from_value(job.task.clone())?;
    if index >= task.n_images() {
        return Err(UserError::NoSuchPicture(index.saturating_add(1)).into());
    }
    less(presser, app, &job, Less::Without(index)).await
}
