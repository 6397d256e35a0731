//! U1–U4: one picture at its full size.

use std::sync::Arc;

use inference::task::{ImageSize, Task, Upscale};
use poise::serenity_prelude as serenity;
use storage::JobId;

use crate::{app::App, enqueue, error::BotError};

/// Enqueues the enlargement; its result answers every later press of the same button.
pub async fn enqueue(press: &serenity::ComponentInteraction, app: &Arc<App>, job: JobId, index: u32) -> Result<(), BotError> {
    let parent = super::job_of(press, app, job).await?;
    let (_, image) = super::picture_of(app, &parent, index).await?;
    let task = Task::Upscale(Upscale { source: image.blob.to_string(), size: ImageSize::new(image.width, image.height) });
    enqueue::enqueue(app, super::request(press, "upscale", task, (&parent, index), true)).await?;
    Ok(())
}
