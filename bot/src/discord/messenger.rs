//! Sends and edits messages.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use poise::serenity_prelude::{self as serenity, Builder};
use serde::Deserialize;
use storage::{Delivery, JobId, Timestamp};
use tokio::sync::{OnceCell, watch};

use super::{
    ask::Caller,
    call::Calling,
    convert,
    seen::Seen,
    send_error::{Later, SendError},
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
            // What is for one person alone can be reached by its token alone.
            (Err(SendError::TokenExpired), Some(message)) if !delivery.is_private => {
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
