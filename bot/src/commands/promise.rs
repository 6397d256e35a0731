//! What is said before the work begins: that there will be an answer. It is noted first, so that there is one, whatever happens meanwhile.

use poise::serenity_prelude as serenity;
use storage::{GuildId, Received, UserId};

use crate::{
    answer::Answer,
    app::App,
    buttons::custom_id::ButtonAction,
    discord::{self, Acknowledged, SendError},
    jobs::received::{Asked, InHand, Promise},
    messages,
    system::log::chain,
};

/// An interaction, as far as its answer needs to know it.
#[derive(Clone, Copy)]
pub struct Heard<'a> {
    /// Its id.
    pub id: serenity::InteractionId,
    /// What the answer is sent with.
    pub token: &'a str,
    /// Where it was.
    pub channel: serenity::ChannelId,
    /// The guild that pays.
    pub guild: GuildId,
    /// The person.
    pub user: UserId,
}

/// An answer that was promised.
pub struct Promised {
    /// The message that waits for it.
    pub message: Option<u64>,
    token: String,
    hand: InHand,
}

/// Promises an answer. `None` where nothing was promised, or by another handling of the same interaction: then there is no more to do.
pub async fn promise(app: &App, heard: Heard<'_>, promise: Promise, asked: Asked) -> Option<Promised> {
    let key = (heard.id, heard.token);
    if app.shutdown.is_cancelled() {
        let mut answer = Answer::text(messages::ENDING);
        if let Asked::Imagine(typed) | Asked::Form(typed) = &asked {
            app.drafts.give_back(heard.user, typed, &mut answer).await;
        }
        app.responder.tell_first(key, &answer).await;
        return None;
    }
    let now = app.clock.now();
    let note = Received {
        key: heard.id.to_string(),
        guild: heard.guild,
        user: heard.user,
        delivery: discord::delivery(now, heard.channel, heard.token),
        // Put together with the promise.
        wish: serde_json::Value::Null,
        created: now,
    };
    let hand = app.receiving.take(note, promise, asked).await?;
    let response = match promise {
        Promise::Silence => serenity::CreateInteractionResponse::Acknowledge,
        Promise::Message | Promise::Alone => {
            let alone = serenity::CreateInteractionResponseMessage::new().ephemeral(promise == Promise::Alone);
            serenity::CreateInteractionResponse::Defer(alone)
        }
    };
    match app.responder.acknowledge(key, &response).await {
        Acknowledged::Here(message) => {
            let message = message.filter(|_| promise != Promise::Silence);
            return Some(Promised { message, token: heard.token.to_owned(), hand });
        }
        Acknowledged::Elsewhere => hand.elsewhere(),
        Acknowledged::Never => hand.answered(),
        // Left to the sweep, which asks what became of it.
        Acknowledged::Unsure => drop(hand),
    }
    None
}

impl Promised {
    /// It has its job.
    pub fn has_job(self) {
        self.hand.has_job();
    }

    /// It was answered.
    pub fn answered(self) {
        self.hand.answered();
    }

    /// Fills the message that waits, which is for its person alone.
    pub async fn fill(self, app: &App, answer: &Answer) {
        match app.responder.fill(&self.token, answer).await {
            Err(error @ SendError::Transient(_)) => tracing::debug!(error = %chain(&error), "an answer could not be given yet"),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "an answer could not be given");
                self.hand.answered();
            }
            Ok(()) => self.hand.answered(),
        }
    }

    /// Tells the person alone why there is nothing more. What cannot be said now is said later.
    pub async fn refuse(self, app: &App, answer: &Answer) {
        let said = match self.hand.promise() {
            Promise::Message => app.responder.refuse(&self.token, answer).await,
            Promise::Alone => app.responder.fill(&self.token, answer).await,
            Promise::Silence => app.responder.tell(&self.token, answer).await,
        };
        match said {
            Ok(()) => self.hand.answered(),
            Err(error @ (SendError::Gone | SendError::TokenExpired | SendError::Forbidden(_) | SendError::Refused(_))) => {
                tracing::warn!(error = %chain(&error), "a refusal could not be sent");
                self.hand.answered();
            }
            Err(error @ SendError::Transient(_)) => {
                tracing::debug!(error = %chain(&error), "a refusal could not be sent yet");
                self.hand.refused(answer.content.clone(), draft(answer));
            }
        }
    }
}

/// What the button under a refusal opens.
fn draft(answer: &Answer) -> Option<String> {
    let ids = answer.buttons.iter().flatten().map(|button| button.custom_id.parse());
    ids.filter_map(Result::ok).find_map(|action| if let ButtonAction::Reopen { draft } = action { Some(draft.to_string()) } else { None })
}
