//! The newcomer's tour: its pages, turned without anything remembered.

use std::sync::Arc;

use super::{example, presser::Presser};
use crate::{
    answer::Answer,
    app::App,
    error::BotError,
    intake::{Named, Ready, Wanted},
    messages::{self, TourPage, UserError},
    prompt::TypedOptions,
};

/// A page, with pictures by the usual model.
///
/// # Errors
/// The person looked too often, or the pictures cannot be drawn.
pub async fn page(presser: &Presser<'_>, app: &Arc<App>, number: u32) -> Result<Answer, BotError> {
    app.looks.take(presser.user, app.clock.now())?;
    let examples = example::lines(app);
    let line = examples.first().ok_or(UserError::UnknownButton)?;
    let wanted = Wanted::new(line, TypedOptions::default(), Named::default(), &app.intake.hosts).map_err(UserError::Picture)?;
    let Ready { task, .. } = app.intake.task(&wanted, &app.models.parse_context()).await?;
    let base = task.base().ok_or(UserError::UnknownButton)?;
    let offered = app.models.offered_now().await;
    let drawn = tokio::select! {
        drawn = app.tour.drawn(base, &offered.catalogue) => drawn.map_err(|error| BotError::Internal(error.into()))?,
        () = app.shutdown.cancelled() => return Err(BotError::Internal(anyhow::anyhow!("the program ends"))),
    };
    let page = TourPage::of(number);
    Ok(messages::tour(page, &drawn.told, drawn.picture(page), &examples))
}
