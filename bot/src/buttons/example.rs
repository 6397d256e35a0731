//! The examples of `/help`: a press draws one, as `/imagine` would.

use std::sync::Arc;

use super::{Wish, presser::Presser};
use crate::{
    app::App,
    error::BotError,
    intake::{Named, Ready, Wanted},
    jobs::speed::Speed,
    messages::UserError,
    models::Guide,
    prompt::TypedOptions,
};

/// What other models than the built-in one are shown with.
const USUAL: [&str; 4] = [
    "a fox in the snow, golden light",
    "a lighthouse on a cliff at night --ar 2:3",
    "a market in the rain, watercolour --ar 3:2",
    "a small robot in a garden --no text",
];

/// The lines that are offered: those that the built-in model draws well where it is the usual one.
pub fn lines(app: &App) -> Vec<String> {
    let guide = app.models.guide.as_ref().filter(|guide| guide.is_of_the_usual()).map(Guide::told);
    guide.filter(|told| !told.is_empty()).unwrap_or_else(|| USUAL.map(str::to_owned).into())
}

/// Draws one of them.
///
/// # Errors
/// There is none of that number any more, or it cannot be drawn.
pub async fn enqueue(presser: &Presser<'_>, app: &Arc<App>, index: u32) -> Result<(), BotError> {
    let line = lines(app).into_iter().nth(index as usize).ok_or(UserError::UnknownButton)?;
    let wanted = Wanted::new(&line, TypedOptions::default(), Named::default(), &app.intake.hosts).map_err(UserError::Picture)?;
    let context = app.models.parse_context_of(&presser.chosen).await;
    let Ready { task, speed, notes } = app.intake.task(&wanted, &context).await?;
    let wish = Wish { action: "imagine", speed: Speed::of(speed), task, notes, parent: None, press: None, begins: Vec::new() };
    app.door.enqueue(wish.by(presser, app.clock.now())).await.map(drop)
}
