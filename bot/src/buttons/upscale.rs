//! U1–U4: one picture, larger than any grid shows it.

use std::sync::Arc;

use inference::task::{ImageSize, Task, Upscale};
use storage::{JobId, PressKey};

use super::{Wish, job_of, picture_of, press_key, presser::Presser};
use crate::{app::App, error::BotError, jobs::speed::Speed, pictures::shown};

/// Enqueues the enlargement; its result answers every later press of the same button.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, id: JobId, index: u32) -> Result<(), BotError> {
    let job = job_of(presser, app, id).await?;
    let image = picture_of(app, &job, index).await?;
    let passes = shown::passes(&app.models.engine, image.width);
    let task = Task::upscale(Upscale { size: ImageSize::new(image.width, image.height), passes }, image.blob.as_str());
    let press = Some(PressKey { key: press_key("upscale", id, index), keep: true });
    app.door
        .enqueue(
            Wish {
                action: "upscale",
                speed: Speed::under(&job, presser.user),
                task,
                notes: Vec::new(),
                parent: Some((id, index)),
                press,
                begins: Vec::new(),
            }
            .by(presser, app.clock.now()),
        )
        .await?;
    Ok(())
}
