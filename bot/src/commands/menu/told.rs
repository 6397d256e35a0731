//! What a picture's file says of how it was made.

use std::{io::Cursor, time::Duration};

use inference::task::{ImageToImage, Task};

use crate::{
    app::App,
    error::BotError,
    intake::Address,
    messages::UserError,
    pictures::metadata::{
        self, Found,
        parameters::{self, Recipe},
    },
};

/// A form must open within 3 s; what is not read by then is left out.
const QUICKLY: Duration = Duration::from_millis(1500);

/// Fetches a picture and reads what it says.
pub(super) async fn read(app: &App, address: &Address) -> Result<Found, BotError> {
    found(app.intake.bytes(address).await?).await
}

/// Reads what a picture's file says.
pub(in crate::commands) async fn found(bytes: Vec<u8>) -> Result<Found, BotError> {
    // A file that is no picture, or damaged, says nothing.
    Ok(tokio::task::spawn_blocking(move || metadata::read(Cursor::new(bytes)).unwrap_or(Found::Nothing)).await?)
}

/// The same for a form, which cannot wait for it; `None` when it would have to.
pub(super) async fn read_quickly(app: &App, address: &Address) -> Option<Found> {
    tokio::time::timeout(QUICKLY, read(app, address)).await.ok()?.ok()
}

/// The task that a file tells of.
pub(in crate::commands) fn task(app: &App, found: Found) -> Result<Task, UserError> {
    match found {
        Found::Record(record) => {
            let mut task = record.task;
            if let (Some(base), Some(index)) = (task.base_mut(), record.index) {
                base.seed = base.seed_of(index);
            }
            if task.base().is_some() { Ok(task) } else { Err(UserError::NothingTold) }
        }
        Found::Parameters(text) => parameters::read(&text).map(|recipe| drawn(app, recipe)).map_err(|_| UserError::NothingTold),
        Found::Program(name) => Err(UserError::ToldOtherwise(name)),
        Found::Nothing => Err(UserError::NothingTold),
    }
}

/// Another program's recipe with a model of ours: that of its name, where there is one.
fn drawn(app: &App, recipe: Recipe) -> Task {
    let context = app.models.parse_context();
    let Recipe { base, said, model, strength, .. } = recipe;
    let model = context.model(model.as_deref()).unwrap_or(&context.models[0]);
    let is_clip_alone = app.models.offered().catalogue.model(Some(&model.name)).is_some_and(|card| card.is_clip_alone);
    let mut base = said.complete(base, model, is_clip_alone, context.random_seed);
    base.model = Some(model.name.clone());
    match strength {
        Some(strength) => Task::image_to_image(ImageToImage { base, strength }, ""),
        None => Task::from(base),
    }
}
