//! Sends and edits messages, and says what kind of failure it was.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use poise::serenity_prelude::{self as serenity, Builder};
use storage::{Delivery, JobId};
use tokio::sync::watch;

use super::convert;
use crate::{
    answer::Answer,
    system::{clock::Clock, metrics},
};

/// Tries of a call that may be repeated safely.
const TRIES: u32 = 3;
/// Tokens are not used in their last seconds: a picture may take that long to upload.
const TOKEN_MARGIN_MS: i64 = 20_000;

/// How a job's message was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the interaction's token.
    Token,
    /// By the message's id.
    Message,
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Discord is away, or slow: the same call may work later.
    #[error("for now: {0}")]
    Transient(String),
    /// The interaction's token has died.
    #[error("the interaction's token has expired")]
    TokenExpired,
    /// The message was deleted.
    #[error("the message is gone")]
    Gone,
    /// The bot may not write there.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// Discord does not take the message as it is.
    #[error("refused: {0}")]
    Refused(String),
}

/// Sends and edits messages. Cheap to clone.
#[derive(Clone)]
pub struct Messenger {
    http: Arc<OnceLock<Arc<serenity::Http>>>,
    ready: watch::Sender<bool>,
    clock: Clock,
}

impl Messenger {
    /// Sends nothing before [`Messenger::connect`]; tokens die by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { http: Arc::default(), ready: watch::Sender::new(false), clock }
    }

    /// Gives the client to send with; from the first READY on.
    pub fn connect(&self, http: Arc<serenity::Http>) {
        let _ = self.http.set(http);
        self.ready.send_replace(true);
    }

    /// Waits until the bot has been connected once; before that its application id is unknown.
    pub async fn ready(&self) {
        let _ = self.ready.subscribe().wait_for(|is_ready| *is_ready).await;
    }

    fn http(&self) -> Result<&serenity::Http, SendError> {
        self.http.get().map(Arc::as_ref).ok_or_else(|| SendError::Transient("the bot is not connected yet".into()))
    }

    /// Edits a job's message: by the interaction's token while it lives, else by the message's id. Tells the message's id and which it was.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn edit(&self, delivery: &Delivery, answer: &Answer) -> Result<(u64, Way), SendError> {
        let http = self.http()?;
        let is_alive = !delivery.token.is_empty() && self.clock.now().0 < delivery.token_expires.0 - TOKEN_MARGIN_MS;
        let by_token = if is_alive { self.edit_by_token(http, &delivery.token, answer).await } else { Err(SendError::TokenExpired) };
        match (by_token, delivery.message) {
            (Err(SendError::TokenExpired), Some(message)) => {
                self.edit_by_id(http, delivery.channel, message, answer).await.map(|message| (message, Way::Message))
            }
            (result, _) => result.map(|message| (message, Way::Token)),
        }
    }

    async fn edit_by_token(&self, http: &serenity::Http, token: &str, answer: &Answer) -> Result<u64, SendError> {
        let edit = serenity::EditInteractionResponse::new()
            .content(&answer.content)
            .embeds(convert::embeds(answer))
            .components(convert::components(answer))
            .allowed_mentions(convert::no_mentions())
            .flags(convert::flags(answer))
            .attachments(convert::attachments(answer));
        repeat("interaction_response", || edit.clone().execute(http, token)).await.map(|message| message.id.get())
    }

    async fn edit_by_id(&self, http: &serenity::Http, channel: u64, message: u64, answer: &Answer) -> Result<u64, SendError> {
        let edit = serenity::EditMessage::new()
            .content(&answer.content)
            .embeds(convert::embeds(answer))
            .components(convert::components(answer))
            .allowed_mentions(convert::no_mentions())
            .flags(convert::flags(answer))
            .attachments(convert::attachments(answer));
        let place = (serenity::ChannelId::new(channel), serenity::MessageId::new(message), None);
        repeat("message_edit", || edit.clone().execute(http, place)).await.map(|message| message.id.get())
    }

    /// Posts a job's message anew with the bot's own token. Twice within minutes is one message (nonce).
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn post(&self, channel: u64, job: JobId, answer: &Answer) -> Result<u64, SendError> {
        let http = self.http()?;
        let nonce = job.to_string()[7..].to_owned();
        let message = serenity::CreateMessage::new()
            .content(&answer.content)
            .embeds(convert::embeds(answer))
            .components(convert::components(answer))
            .allowed_mentions(convert::no_mentions())
            .flags(convert::flags(answer))
            .add_files(answer.files.iter().map(convert::file))
            .nonce(serenity::Nonce::String(nonce))
            .enforce_nonce(true);
        let place = (serenity::ChannelId::new(channel), None);
        repeat("message_create", || message.clone().execute(http, place)).await.map(|message| message.id.get())
    }

    /// Posts a job's message to its user directly.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn post_direct(&self, user: u64, job: JobId, answer: &Answer) -> Result<u64, SendError> {
        let http = self.http()?;
        let channel = repeat("direct_channel", || serenity::UserId::new(user).create_dm_channel(http)).await?;
        self.post(channel.id.get(), job, answer).await
    }
}

/// Repeats a call that may be repeated, with growing pauses, while Discord is away.
async fn repeat<T, F>(route: &'static str, call: impl Fn() -> F) -> Result<T, SendError>
where
    F: Future<Output = serenity::Result<T>>,
{
    let call = async || {
        let answer = call().await;
        metrics::asked(route, status(&answer));
        answer
    };
    let mut pause = Duration::from_millis(200);
    for _ in 1..TRIES {
        match call().await.map_err(SendError::from) {
            Err(SendError::Transient(_)) => tokio::time::sleep(pause.mul_f64(0.5 + crate::system::random::random_share())).await,
            result => return result,
        }
        pause *= 4;
    }
    call().await.map_err(SendError::from)
}

/// What Discord answered with; success is 200 here, whatever it is there.
fn status<T>(answer: &serenity::Result<T>) -> Option<u16> {
    match answer {
        Ok(_) => Some(200),
        Err(serenity::Error::Http(error)) => error.status_code().map(|status| status.as_u16()),
        Err(_) => None,
    }
}

impl From<serenity::Error> for SendError {
    fn from(error: serenity::Error) -> Self {
        let serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(response)) = &error else {
            return match error {
                serenity::Error::Http(_) => Self::Transient(error.to_string()),
                _ => Self::Refused(error.to_string()),
            };
        };
        let text = format!("{} {}", response.status_code.as_u16(), response.error.message);
        match (response.status_code.as_u16(), response.error.code) {
            (_, 10015 | 10062 | 50027) => Self::TokenExpired,
            (_, 10008) => Self::Gone,
            (_, 10003 | 50001 | 50007 | 50013 | 50278) => Self::Forbidden(text),
            (401 | 429 | 500.., _) => Self::Transient(text),
            _ => Self::Refused(text),
        }
    }
}
