//! Answers to interactions by their tokens: the first one within three seconds, tried again where its outcome is not known, and later ones.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use poise::serenity_prelude::{self as serenity, Builder};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::{convert, send_error::SendError};
use crate::{answer::Answer, messages, system::log::chain, system::random};

/// Discord takes a first answer for three seconds; the event needed some of them.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);
/// The first pause between two tries; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Tries of what follows a first answer, about a second in all. Who can wait longer tries again.
const TRIES: u32 = 4;

/// What became of a first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It was taken, and made this message.
    Here(Option<u64>),
    /// Another handling of the same interaction has answered.
    Elsewhere,
    /// It was not taken: nobody was promised anything.
    Never,
    /// Nobody said in time whether it was taken.
    Unsure,
}

/// What became of the message that a first answer promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Original {
    /// It waits to be filled.
    Waiting(u64),
    /// It is filled.
    Filled,
    /// It was taken back.
    Gone,
    /// There was no first answer.
    Never,
    /// The token has died.
    TokenExpired,
    /// Discord is away.
    Unknown(String),
}

/// An interaction's id and token.
pub type Key<'a> = (serenity::InteractionId, &'a str);

/// Answers interactions. Cheap to clone.
#[derive(Clone, Default)]
pub struct Responder {
    http: Arc<OnceLock<Arc<serenity::Http>>>,
}

impl Responder {
    /// Gives the client to answer with; before that nothing can be answered.
    pub fn connect(&self, http: Arc<serenity::Http>) {
        let _ = self.http.set(http);
    }

    fn http(&self) -> Result<&serenity::Http, SendError> {
        self.http.get().map(Arc::as_ref).ok_or_else(|| SendError::Transient("the bot is not connected yet".into()))
    }

    /// Promises an answer; tells the message that waits for it.
    pub async fn acknowledge(&self, (id, token): Key<'_>, promise: &serenity::CreateInteractionResponse) -> Acknowledged {
        let Ok(http) = self.http() else { return Acknowledged::Never };
        let body = serde_json::to_vec(promise).ok();
        let call = || {
            let route = serenity::Route::InteractionResponse { interaction_id: id, token };
            let request = serenity::Request::new(route, serenity::LightMethod::Post).body(body.clone());
            // The library never asks for the message.
            http.fire::<Callback>(request.params(Some(vec![("with_response", "true".to_owned())])))
        };
        match first(call).await {
            // It was taken before, and the message was told to nobody.
            (Acknowledged::Here(_), None) => Acknowledged::Here(match self.original(token).await {
                Original::Waiting(message) => Some(message),
                _ => None,
            }),
            (Acknowledged::Here(_), Some(callback)) => Acknowledged::Here(callback.interaction.response_message_id.map(|id| id.get())),
            (other, _) => other,
        }
    }

    /// Gives the whole answer at once, which may be a form.
    pub async fn answer(&self, key: Key<'_>, answer: &serenity::CreateInteractionResponse) -> Acknowledged {
        let Ok(http) = self.http() else { return Acknowledged::Never };
        first(|| answer.clone().execute(http, key)).await.0
    }

    /// What became of the message that was promised.
    pub async fn original(&self, token: &str) -> Original {
        let Ok(http) = self.http() else { return Original::Unknown("the bot is not connected yet".into()) };
        match repeat(|| http.get_original_interaction_response(token)).await {
            Ok(message) if message.flags.is_some_and(|flags| flags.contains(serenity::MessageFlags::LOADING)) => {
                Original::Waiting(message.id.get())
            }
            Ok(_) => Original::Filled,
            Err(error) => match (code(&error), SendError::from(error)) {
                (Some(10015), _) => Original::Never,
                (_, SendError::Gone) => Original::Gone,
                (_, SendError::TokenExpired) => Original::TokenExpired,
                (_, error) => Original::Unknown(error.to_string()),
            },
        }
    }

    /// Takes back the message that was promised to everybody, and tells the person alone why. What is said here never stands where all see it:
    /// it goes out only once that message is gone or, where Discord keeps it for good, says nothing of the reason.
    ///
    /// # Errors
    /// See [`SendError`]; it may be tried again.
    pub async fn refuse(&self, token: &str, answer: &Answer) -> Result<(), SendError> {
        let http = self.http()?;
        match repeat(|| http.delete_original_interaction_response(token)).await.map_err(SendError::from) {
            Ok(()) | Err(SendError::Gone) => {}
            Err(SendError::Forbidden(_) | SendError::Refused(_)) => self.fill(token, &Answer::text(messages::TAKEN_BACK)).await?,
            Err(error) => return Err(error),
        }
        self.tell(token, answer).await
    }

    /// Says something to the person alone, after an answer was promised or given; in words of ours alone where Discord does not take theirs.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn tell(&self, token: &str, answer: &Answer) -> Result<(), SendError> {
        match self.follow_up(token, answer).await {
            Err(SendError::Refused(_)) => self.follow_up(token, &messages::in_our_words(answer)).await,
            said => said,
        }
    }

    async fn follow_up(&self, token: &str, answer: &Answer) -> Result<(), SendError> {
        let http = self.http()?;
        repeat(|| convert::later_reply(answer).execute(http, (None, token))).await?;
        Ok(())
    }

    /// Says something to the person alone as the first answer; in words of ours alone where Discord does not take theirs.
    pub async fn tell_first(&self, key: Key<'_>, answer: &Answer) {
        if self.answer(key, &convert::first_reply(answer)).await == Acknowledged::Never {
            self.answer(key, &convert::first_reply(&messages::in_our_words(answer))).await;
        }
    }

    /// Fills the message that was promised.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn fill(&self, token: &str, answer: &Answer) -> Result<(), SendError> {
        let http = self.http()?;
        let edit = serenity::EditInteractionResponse::new()
            .content(&answer.content)
            .embeds(convert::embeds(answer))
            .components(convert::components(answer))
            .allowed_mentions(convert::no_mentions())
            .flags(convert::flags(answer))
            .attachments(convert::attachments(answer));
        repeat(|| edit.clone().execute(http, token)).await?;
        Ok(())
    }

    /// Says something to a person in direct messages; twice with the same nonce within minutes is once.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn tell_direct(&self, user: u64, answer: &Answer, nonce: &str) -> Result<(), SendError> {
        let http = self.http()?;
        let channel = repeat(|| serenity::UserId::new(user).create_dm_channel(http)).await?;
        self.post(channel.id.get(), answer, nonce).await
    }

    /// Says something in a channel; twice with the same nonce within minutes is once.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn post(&self, channel: u64, answer: &Answer, nonce: &str) -> Result<(), SendError> {
        let (http, channel) = (self.http()?, serenity::ChannelId::new(channel));
        let message = serenity::CreateMessage::new()
            .content(&answer.content)
            .components(convert::components(answer))
            .allowed_mentions(convert::no_mentions())
            .flags(convert::flags(answer))
            .add_files(answer.files.iter().map(convert::file))
            .nonce(serenity::Nonce::String(nonce.to_owned()))
            .enforce_nonce(true);
        repeat(|| message.clone().execute(http, (channel, None))).await?;
        Ok(())
    }
}

/// What Discord tells of a first answer.
#[derive(Deserialize)]
struct Callback {
    interaction: Answered,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    response_message_id: Option<serenity::MessageId>,
}

/// Tries a first answer until it is known to be taken or refused, or it is too late. What the last try told comes with it.
async fn first<T, F>(call: impl Fn() -> F) -> (Acknowledged, Option<T>)
where
    F: Future<Output = serenity::Result<T>>,
{
    let (end, mut pause, mut is_unsure) = (Instant::now() + ANSWER_WITHIN, FIRST_PAUSE, false);
    loop {
        let error = match timeout_at(end, call()).await {
            Ok(Ok(told)) => return (Acknowledged::Here(None), Some(told)),
            Ok(Err(error)) => error,
            Err(_) => {
                tracing::warn!("a first answer was not taken in time");
                return (Acknowledged::Unsure, None);
            }
        };
        let (code, status) = (code(&error), status(&error));
        match (code, status) {
            // The one that took it was ours, of whose answer nothing came.
            (Some(40060), _) if is_unsure => return (Acknowledged::Here(None), None),
            (Some(40060), _) => return (Acknowledged::Elsewhere, None),
            (_, Some(429)) => {}
            (_, None | Some(500..)) => is_unsure = true,
            _ => {
                tracing::warn!(error = %chain(&error), "a first answer was refused");
                return (Acknowledged::Never, None);
            }
        }
        tracing::debug!(error = %chain(&error), "a first answer is tried again");
        if timeout_at(end, sleep(pause)).await.is_err() {
            tracing::warn!(error = %chain(&error), is_unsure, "a first answer was not taken in time");
            return (if is_unsure { Acknowledged::Unsure } else { Acknowledged::Never }, None);
        }
        pause *= 2;
    }
}

/// Repeats a call that may be repeated, with growing pauses, while Discord is away.
async fn repeat<T, F>(call: impl Fn() -> F) -> serenity::Result<T>
where
    F: Future<Output = serenity::Result<T>>,
{
    let mut pause = FIRST_PAUSE * 2;
    for _ in 1..TRIES {
        match call().await {
            Err(error) if matches!(status(&error), None | Some(429 | 500..)) && matches!(error, serenity::Error::Http(_)) => {
                sleep(pause.mul_f64(0.5 + random::random_share())).await;
            }
            ended => return ended,
        }
        pause *= 3;
    }
    call().await
}

/// Discord's own number of an error.
fn code(error: &serenity::Error) -> Option<isize> {
    match error {
        serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(response)) => Some(response.error.code),
        _ => None,
    }
}

/// The status of a refusal; `None` where nothing was said.
fn status(error: &serenity::Error) -> Option<u16> {
    match error {
        serenity::Error::Http(error) => error.status_code().map(|status| status.as_u16()),
        _ => None,
    }
}
