//! Sends and edits messages, and says what kind of failure it was.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use poise::serenity_prelude::{self as serenity, Builder};
use serde::Deserialize;
use storage::{Delivery, JobId, Timestamp};
use tokio::sync::{OnceCell, watch};

use super::{
    ask::{AskError, Caller},
    call::{Calling, Later},
    convert,
    seen::Seen,
};
use crate::{
    answer::Answer,
    system::{clock::Clock, metrics},
};

/// Tries of a call that may be repeated safely.
const TRIES: u32 = 3;
/// Whoever asks for a longer wait between two of these tries is tried again later.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
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
    Transient(Later),
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
    caller: Caller,
    /// The bot's own id, once it was asked for.
    own: Arc<OnceCell<u64>>,
    clock: Clock,
}

impl Messenger {
    /// Sends nothing before [`Messenger::connect`]; tokens die by `clock`.
    pub fn new(caller: Caller, clock: Clock) -> Self {
        Self { http: Arc::default(), ready: watch::Sender::new(false), caller, own: Arc::default(), clock }
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
        let calling = Calling { http, client: self.caller.client() };
        let by_token = if is_alive { edit_by_token(calling, &delivery.token, answer).await } else { Err(SendError::TokenExpired) };
        match (by_token, delivery.message) {
            (Err(SendError::TokenExpired), Some(message)) => {
                edit_by_id(calling, delivery.channel, message, answer).await.map(|message| (message, Way::Message))
            }
            (result, _) => result.map(|message| (message, Way::Token)),
        }
    }

    /// Posts a job's message anew with the bot's own token. After [`SendError::Transient`] it may be there all the same: [`Messenger::look`] before
    /// the next try. Twice within minutes is one message (nonce).
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
        let route = serenity::Route::ChannelMessages { channel_id: serenity::ChannelId::new(channel) };
        let calling = Calling { http, client: self.caller.client() };
        let sent = calling.send::<Told>("message_create", (serenity::LightMethod::Post, route), &message, answer).await?;
        Ok(sent.id.get())
    }

    /// The channel of a person's direct messages.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn direct_channel(&self, user: u64) -> Result<u64, SendError> {
        let http = self.http()?;
        Ok(repeat(|| counted("direct_channel", serenity::UserId::new(user).create_dm_channel(http))).await?.id.get())
    }

    /// What of a job that was asked for at `created` stands in a channel.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn look(&self, channel: u64, job: JobId, created: Timestamp) -> Result<Seen, SendError> {
        let own = self.own.get_or_try_init(async || Ok::<_, SendError>(self.caller.me().await?.id.get())).await?;
        Ok(Seen::look(&self.caller, *own, channel, job, created).await?)
    }

    /// Removes a message of the bot's own.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn remove(&self, channel: u64, message: u64) -> Result<(), SendError> {
        let (http, channel, message) = (self.http()?, serenity::ChannelId::new(channel), serenity::MessageId::new(message));
        repeat(|| counted("message_delete", http.delete_message(channel, message, None))).await
    }
}

/// What is told of a message that was sent.
#[derive(Deserialize)]
struct Told {
    id: serenity::MessageId,
}

async fn edit_by_token(calling: Calling<'_>, token: &str, answer: &Answer) -> Result<u64, SendError> {
    let edit = serenity::EditInteractionResponse::new()
        .content(&answer.content)
        .embeds(convert::embeds(answer))
        .components(convert::components(answer))
        .allowed_mentions(convert::no_mentions())
        .flags(convert::flags(answer))
        .attachments(convert::attachments(answer));
    if answer.files.len() > 1 {
        let send = || counted("interaction_response", edit.clone().execute(calling.http, token));
        return repeat(send).await.map(|message| message.id.get());
    }
    let application = calling.http.application_id().ok_or_else(|| SendError::Transient("the bot is not connected yet".into()))?;
    let route = || serenity::Route::WebhookOriginalInteractionResponse { application_id: application, token };
    let send = || calling.send::<Told>("interaction_response", (serenity::LightMethod::Patch, route()), &edit, answer);
    repeat(send).await.map(|message| message.id.get())
}

async fn edit_by_id(calling: Calling<'_>, channel: u64, message: u64, answer: &Answer) -> Result<u64, SendError> {
    let edit = serenity::EditMessage::new()
        .content(&answer.content)
        .embeds(convert::embeds(answer))
        .components(convert::components(answer))
        .allowed_mentions(convert::no_mentions())
        .flags(convert::flags(answer))
        .attachments(convert::attachments(answer));
    let (channel_id, message_id) = (serenity::ChannelId::new(channel), serenity::MessageId::new(message));
    if answer.files.len() > 1 {
        let send = || counted("message_edit", edit.clone().execute(calling.http, (channel_id, message_id, None)));
        return repeat(send).await.map(|message| message.id.get());
    }
    let route = || serenity::Route::ChannelMessage { channel_id, message_id };
    let send = || calling.send::<Told>("message_edit", (serenity::LightMethod::Patch, route()), &edit, answer);
    repeat(send).await.map(|message| message.id.get())
}

/// Repeats a call that may be repeated, with growing pauses, while Discord is away; not where it asks to wait for longer than those.
async fn repeat<T, E, F>(call: impl Fn() -> F) -> Result<T, SendError>
where
    F: Future<Output = Result<T, E>>,
    E: Into<SendError>,
{
    let mut pause = Duration::from_millis(200);
    for _ in 1..TRIES {
        match call().await.map_err(Into::into) {
            Err(SendError::Transient(Later { wait, .. })) if wait.is_none_or(|wait| wait <= LONGEST_WAIT) => {
                let pause = pause.mul_f64(0.5 + crate::system::random::random_share());
                tokio::time::sleep(pause.max(wait.unwrap_or_default())).await;
            }
            result => return result,
        }
        pause *= 4;
    }
    call().await.map_err(Into::into)
}

/// Counts a call of the library's own.
async fn counted<T>(name: &'static str, call: impl Future<Output = serenity::Result<T>>) -> serenity::Result<T> {
    let answer = call.await;
    let status = match &answer {
        Ok(_) => Some(200),
        Err(serenity::Error::Http(error)) => error.status_code().map(|status| status.as_u16()),
        Err(_) => None,
    };
    metrics::asked(name, status);
    answer
}

impl SendError {
    /// What a refusal means. Discord's own have a code of its table; pages and answers without one come from what stands before it.
    pub(super) fn refused(status: u16, code: i64, message: String) -> Self {
        let text = format!("{status} {message}");
        let is_discords_own = code > 0 || code == 0 && matches!(status, 400 | 413);
        match (status, code) {
            (_, 10015 | 10062 | 50027) => Self::TokenExpired,
            (_, 10008) => Self::Gone,
            (_, 10003 | 50001 | 50007 | 50013 | 50278) => Self::Forbidden(text),
            (401 | 408 | 425 | 429 | 500.., _) => Self::Transient(text.into()),
            _ if is_discords_own => Self::Refused(text),
            _ => Self::Transient(text.into()),
        }
    }

    /// The same of a call after which Discord asked to wait.
    pub(super) fn after(self, wait: Option<Duration>) -> Self {
        match self {
            Self::Transient(later) => Self::Transient(Later { wait, ..later }),
            settled => settled,
        }
    }
}

impl From<AskError> for SendError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused { status, code, message } => Self::refused(status, code, message),
            other => Self::Transient(Later { wait: other.wait(), reason: other.to_string() }),
        }
    }
}

impl From<serenity::Error> for SendError {
    fn from(error: serenity::Error) -> Self {
        match error {
            serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(response)) => {
                Self::refused(response.status_code.as_u16(), response.error.code as i64, response.error.message)
            }
            // Success with a body that is no message: somebody else answered, or the message is there and its end is lost.
            serenity::Error::Http(_) | serenity::Error::Json(_) | serenity::Error::Io(_) => Self::Transient(error.to_string().into()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_discord_itself_refuses_for_good() {
        let check = |status, code, expected: &str| {
            let kind = match SendError::refused(status, code, String::new()) {
                SendError::Transient(_) => "for now",
                SendError::TokenExpired => "expired",
                SendError::Gone => "gone",
                SendError::Forbidden(_) => "forbidden",
                SendError::Refused(_) => "refused",
            };
            assert_eq!(kind, expected, "{status} with code {code}");
        };
        for (status, code, expected) in [
            (404, 10008, "gone"),
            (404, 10015, "expired"),
            (401, 50027, "expired"),
            (404, 10003, "forbidden"),
            (403, 50013, "forbidden"),
            (400, 200_000, "refused"),
            (400, 50035, "refused"),
            (400, 0, "refused"),
            (413, 40005, "refused"),
            // A page of a proxy, and an answer without a code.
            (400, -1, "for now"),
            (403, -1, "for now"),
            (403, 0, "for now"),
            (404, -1, "for now"),
            (404, 0, "for now"),
            (401, 0, "for now"),
            (429, 0, "for now"),
            (429, 20028, "for now"),
            (500, 0, "for now"),
            (502, -1, "for now"),
        ] {
            check(status, code, expected);
        }
    }
}
