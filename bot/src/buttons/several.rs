//! Several grids of one line: each becomes a job of its own once its writer says so.

use poise::serenity_prelude as serenity;
use storage::{Delivery, DraftId, Timestamp};

use super::{onto, presser::Presser, remix};
use crate::{
    answer::Answer,
    app::App,
    discord,
    error::BotError,
    jobs::{enqueue::Request, several},
    messages,
};

/// Draws all grids that a line asks for. The same press twice, also after a restart, is each job once.
///
/// # Errors
/// What was typed is gone, or is somebody else's, or cannot be drawn any more.
pub async fn draw_all(ctx: &serenity::Context, presser: &mut Presser<'_>, app: &App, draft: DraftId) -> Result<(), BotError> {
    let typed = app.drafts.find(presser.user, draft).await?;
    several::check(presser.venue)?;
    super::learn(presser, app, typed.job()).await?;
    let (wanted, context) = (typed.wanted(&app.intake.hosts)?, typed.context(app.models.parse_context_of(&presser.chosen).await));
    discord::places::check_open(&ctx.cache, presser.channel, presser.place().as_ref(), wanted.named.channels())?;
    let before = remix::before(presser, app, &typed).await?;
    let wishes = match typed.is_onto() {
        Some(onto) => onto::wishes((presser, app), (&wanted, &context), (&typed, onto)).await?,
        None => remix::wishes((presser, app), (&wanted, &context), before).await?,
    };
    let (n, mut n_queued, mut refusal) = (wishes.len(), 0, None);
    for (place, wish) in wishes.into_iter().enumerate() {
        let request = wish.by(presser, app.clock.now());
        let action = if typed.job().is_some() { request.action } else { wanted.action() };
        let request = Request { key: format!("several:{draft}:{place}"), delivery: to_be_posted(presser), action, ..request };
        match app.door.enqueue(request).await {
            Ok(_) => n_queued += 1,
            Err(BotError::User(error)) => {
                refusal = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    say(app, presser, &messages::queued_all(n_queued, n, refusal.as_deref(), draft)).await
}

/// Draws none of them.
///
/// # Errors
/// Its message cannot be edited.
pub async fn leave(presser: &Presser<'_>, app: &App) -> Result<(), BotError> {
    say(app, presser, &messages::left()).await
}

/// In place of the question.
async fn say(app: &App, presser: &Presser<'_>, answer: &Answer) -> Result<(), BotError> {
    app.responder.fill(presser.token, answer).await.map_err(|error| BotError::Internal(error.into()))
}

/// A message that the bot posts with its own name, and by no interaction: `jobs/progress.rs` tells it by a token that never lived.
fn to_be_posted(presser: &Presser<'_>) -> Delivery {
    let (channel, is_private) = (presser.channel.get(), presser.is_private);
    Delivery { channel, token: String::new(), token_expires: Timestamp(0), message: None, is_private }
}
