//! V1–V4: four variations of one picture, from new seeds.

use std::sync::Arc;

use inference::task::{ImageToImage, Task, TextToImage};
use storage::{JobId, NewImage, PressKey};

use super::{Wish, drawn_of, job_of, picture_of, press_key, presser::Presser};
use crate::{app::App, chosen::Variation, error::BotError, jobs::speed::Speed, messages::UserError, system::random};

/// A picture that something is made of.
pub(super) struct Of {
    /// What drew it, with a new seed.
    pub(super) base: TextToImage,
    /// The picture that was pressed.
    pub(super) shown: NewImage,
    /// The one that it shows larger, as long as that is there, or itself.
    pub(super) image: NewImage,
    /// Where that is.
    pub(super) parent: (JobId, u32),
    /// As the job that was pressed takes its turns.
    pub(super) speed: Speed,
}

/// The picture of a button.
pub(super) async fn of(presser: &Presser<'_>, app: &App, id: JobId, index: u32) -> Result<Of, BotError> {
    let job = job_of(presser, app, id).await?;
    let shown = picture_of(app, &job, index).await?;
    let speed = Speed::under(&job, presser.user);
    let drawn = drawn_of(app, job).await?;
    // A picture of a study is varied as what draws it alone.
    let of_drawn = drawn.index.unwrap_or(index);
    let mut base = drawn.task.base().ok_or(UserError::UnknownButton)?.alone(of_drawn);
    base.seed = random::random_seed();
    base.n_images = app.config.defaults.n_images;
    let (parent, image) = match drawn.index {
        Some(of_drawn) => match picture_of(app, &drawn.job, of_drawn).await {
            Ok(image) => ((drawn.job.id, of_drawn), image),
            Err(BotError::User(_)) => ((id, index), shown.clone()),
            Err(error) => return Err(error),
        },
        None => ((id, index), shown.clone()),
    };
    Ok(Of { base, shown, image, parent, speed })
}

/// Enqueues image-to-image on the picture; under an enlarged one, on the picture that it shows larger, as long as that is there.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, id: JobId, index: u32) -> Result<(), BotError> {
    let of = of(presser, app, id, index).await?;
    let (parent, speed, task) = (of.parent, of.speed, task(presser, app, of));
    let press = Some(PressKey { key: press_key("variation", parent.0, parent.1), keep: false });
    app.door
        .enqueue(
            Wish { action: "variation", speed, task, notes: Vec::new(), parent: Some(parent), press, begins: Vec::new() }
                .by(presser, app.clock.now()),
        )
        .await?;
    Ok(())
}

/// Image-to-image on a picture, as strongly as the presser chose for all of theirs.
pub(super) fn task(presser: &Presser<'_>, app: &App, Of { base, image, .. }: Of) -> Task {
    let strength = presser.chosen.variation.map_or(app.config.defaults.variation_strength, Variation::strength);
    Task::image_to_image(ImageToImage { base, strength }, image.blob.as_str())
}
