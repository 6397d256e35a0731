//! How a press or a form is answered when it is not granted.

use poise::serenity_prelude as serenity;
use storage::JobId;

use super::presser::Presser;
use crate::{
    answer::{Answer, File},
    app::App,
    commands::{self, refuse_deferred, tell_alone},
    discord,
    error::BotError,
    messages::{self, UserError},
    system::log::chain,
    system::printable::printable,
};

/// How an interaction was acknowledged before its work began.
#[derive(Clone, Copy)]
pub(super) enum Promised {
    /// Not yet.
    Nothing,
    /// By a public message that waits.
    Message,
    /// By a message that waits, for its person alone.
    Alone,
    /// Without a new message.
    Silence,
    /// By another handling of the same interaction: it is not ours to answer.
    NotOurs,
}

/// A message that waits.
pub(super) fn defer(is_ephemeral: bool) -> serenity::CreateInteractionResponse {
    serenity::CreateInteractionResponse::Defer(serenity::CreateInteractionResponseMessage::new().ephemeral(is_ephemeral))
}

/// The sentence, and what was made before once more.
pub(super) async fn refusal(app: &App, presser: &Presser<'_>, error: &BotError) -> Answer {
    let mut files = Vec::new();
    let text = match error {
        BotError::User(error @ UserError::AlreadyMade { job, link }) => match (app.looks.take(presser.user, app.clock.now()), link) {
            (Ok(()), _) => {
                files = pictures_again(app, *job).await;
                error.to_string()
            }
            // Where the link is known, it will do.
            (Err(_), Some(_)) => error.to_string(),
            (Err(too_many), None) => too_many.to_string(),
        },
        BotError::User(error) => error.to_string(),
        BotError::Internal(_) => messages::INTERNAL_ERROR.to_owned(),
    };
    Answer { content: messages::shorten(&printable(&text), commands::MAX_TEXT), files, ..Answer::default() }
}

/// The pictures of a job that answered the same press before, for the presser alone.
async fn pictures_again(app: &App, job: JobId) -> Vec<File> {
    match app.jobs.job(job).await {
        Ok(Some(job)) => app.renderer.last_answer(&job).await.map(|answer| answer.files).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Says it to the person alone.
pub(super) async fn send(
    ctx: &serenity::Context,
    app: &App,
    interaction: serenity::InteractionId,
    presser: &Presser<'_>,
    promised: Promised,
    answer: &Answer,
) {
    match promised {
        Promised::Message => refuse_deferred(&ctx.http, presser.token, answer).await,
        Promised::Nothing => {
            if let Err(error) = serenity::Builder::execute(discord::first_reply(answer), ctx, (interaction, presser.token)).await {
                tracing::warn!(error = %chain(&error), "a refusal could not be sent");
            }
        }
        Promised::Alone => {
            if let Err(error) = app.messenger.edit(&discord::delivery(app.clock.now(), presser.channel, presser.token), answer).await {
                tracing::warn!(error = %chain(&error), "a refusal could not be sent");
            }
        }
        Promised::Silence => tell_alone(&ctx.http, presser.token, answer).await,
        Promised::NotOurs => {}
    }
}
