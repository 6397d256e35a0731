//! V1–V4: four variations of one picture, from new seeds.

use std::sync::Arc;

use inference::task::{ImageToImage, Task};
use poise::serenity_prelude as serenity;
use storage::JobId;

use crate::{app::App, enqueue, error::BotError, messages::UserError, random};

/// Enqueues image-to-image on the picture.
pub async fn enqueue(press: &serenity::ComponentInteraction, app: &Arc<App>, job: JobId, index: u32) -> Result<(), BotError> {
    let parent = super::job_of(press, app, job).await?;
    let (task, image) = super::picture_of(app, &parent, index).await?;
    let mut base = task.base().cloned().ok_or(UserError::UnknownButton)?;
    base.seed = random::random_seed();
    base.n_images = app.config.defaults.n_images;
    let strength = app.config.defaults.variation_strength;
    let task = Task::ImageToImage(ImageToImage { base, source: image.blob.to_string(), strength });
    enqueue::enqueue(app, super::request(press, "variation", task, (&parent, index), false)).await?;
    Ok(())
}
