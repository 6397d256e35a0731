//! How a press or a form is answered when it is not granted.

use poise::serenity_prelude as serenity;
use storage::JobId;

use super::presser::Presser;
use crate::{
    answer::{Answer, File},
    app::App,
    commands::{
        self,
        promise::{Heard, Promised},
    },
    error::BotError,
    jobs::received::{Asked, Promise},
    messages::{self, UserError},
    system::printable::printable,
};

/// How a press or a form ended that was granted.
#[derive(Clone, Copy)]
pub(super) enum Ended {
    /// A job was made of it.
    HasJob,
    /// It was answered, or another handling of it does so.
    Answered,
}

/// Promises an answer; `false` where nothing was promised, and there is no more to do.
pub(super) async fn promise(
    app: &App,
    interaction: serenity::InteractionId,
    presser: &mut Presser<'_>,
    promise: Promise,
    asked: Asked,
    promised: &mut Option<Promised>,
) -> bool {
    let (token, channel, guild, user) = (presser.token, presser.channel, presser.payer(), presser.user);
    *promised = commands::promise::promise(app, Heard { id: interaction, token, channel, guild, user }, promise, asked).await;
    presser.message = promised.as_ref().and_then(|promised| promised.message);
    promised.is_some()
}

/// What was promised was kept.
pub(super) fn end(promised: Option<Promised>, ended: Ended) {
    match (promised, ended) {
        (Some(promised), Ended::HasJob) => promised.has_job(),
        (Some(promised), Ended::Answered) => promised.answered(),
        (None, _) => {}
    }
}

/// Puts an answer where one was promised, or in the place of the message that was pressed on.
pub(super) async fn fill(presser: &Presser<'_>, app: &App, answer: &Answer) -> Result<(), BotError> {
    app.responder.fill(presser.token, answer).await.map_err(|error| BotError::Internal(error.into()))
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
    let buttons = if let BotError::User(error) = error { messages::appeal_buttons(error) } else { Vec::new() };
    Answer { content: messages::shorten(&printable(&text), messages::MAX_REFUSAL), files, buttons, ..Answer::default() }
}

/// The pictures of a job that answered the same press before, for the presser alone.
async fn pictures_again(app: &App, job: JobId) -> Vec<File> {
    match app.jobs.job(job).await {
        Ok(Some(job)) => app.renderer.last_answer(&job).await.map(|(answer, _)| answer.files).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Says it to the person alone.
pub(super) async fn send(
    app: &App,
    interaction: serenity::InteractionId,
    presser: &Presser<'_>,
    promised: Option<Promised>,
    answer: &Answer,
) {
    match promised {
        Some(promised) => promised.refuse(app, answer).await,
        None => app.responder.tell_first((interaction, presser.token), answer).await,
    }
}
