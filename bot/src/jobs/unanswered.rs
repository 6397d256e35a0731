//! Answers what was acknowledged and then left: by a process that was killed, by a handler that failed, by an answer of Discord's that was
//! lost. What can be drawn is drawn late; all else is explained.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use storage::{Delivery, GuildId, JobStore, Received, Timestamp, UserId};
use tokio_util::sync::CancellationToken;

use crate::{
    answer::Answer,
    chosen,
    discord::{Messenger, Original, Responder, SendError},
    error::BotError,
    intake::{Intake, Ready},
    jobs::{
        drafts::{Drafts, Typed},
        enqueue::{Door, Request},
        received::{Asked, Promise, Receiving, Wish},
        speed::Speed,
    },
    messages,
    models::Models,
    system::{clock::Clock, log::chain, printable::printable},
};

/// At work on so many at once.
const MAX_AT_ONCE: usize = 8;
/// So many are read at once.
const MAX_READ: u32 = 1000;
/// The store is asked again after this long even if nobody rang.
const POLL: Duration = Duration::from_secs(15);
/// And not sooner again than after this long.
const AT_LEAST: Duration = Duration::from_millis(50);
/// The first wait after a try that failed; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// A first answer may still be on its way for so long.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);
/// Tokens are not used in their last seconds.
const TOKEN_MARGIN_MS: i64 = 20_000;
/// What cannot be drawn after so many faults of ours is explained.
const MAX_FAILED: u32 = 3;

/// Answers what was left.
pub struct Unanswered {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Knows what handlers are at work on.
    pub receiving: Arc<Receiving>,
    /// Where late wishes enter.
    pub door: Arc<Door>,
    /// Reads what was typed.
    pub models: Arc<Models>,
    /// Fetches the pictures that wishes name.
    pub intake: Arc<Intake>,
    /// Keeps what was typed and is not drawn.
    pub drafts: Arc<Drafts>,
    /// Speaks by tokens.
    pub responder: Responder,
    /// Tells when Discord was reached.
    pub messenger: Messenger,
    /// Tells the time.
    pub clock: Clock,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
}

/// What is tried again, by its key.
type Tries = HashMap<String, Tried>;

/// How often something was tried, and when it is tried again.
#[derive(Clone, Copy)]
struct Tried {
    n_tries: u32,
    /// Times that drawing failed on our side.
    n_failed: u32,
    since: Timestamp,
    next: Timestamp,
}

impl Tried {
    /// Also by a clock that was set back since: it need not come round again.
    fn is_due(&self, now: Timestamp) -> bool {
        !(self.since..self.next).contains(&now)
    }
}

/// What became of a note.
#[derive(Debug, PartialEq)]
enum Swept {
    /// It has its job or its answer.
    Settled,
    /// It must be tried again.
    Later,
    /// The same, after a fault of ours.
    Failed,
}

impl Unanswered {
    /// Runs until shutdown.
    pub async fn run(&self) {
        tokio::select! {
            () = self.messenger.ready() => {}
            () = self.shutdown.cancelled() => return,
        }
        let tries = Mutex::new(Tries::new());
        while !self.shutdown.is_cancelled() {
            // Asked before: what is in hand now may be answered, and still be among what is read.
            let in_hand = self.receiving.in_hand();
            let again = match self.jobs.received(MAX_READ).await {
                Ok(found) => self.sweep(found.into_iter().filter(|found| !in_hand.contains(&found.key)).collect(), &tries).await,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "what was left without an answer cannot be read");
                    self.clock.now().after(POLL)
                }
            };
            let now = self.clock.now();
            tokio::select! {
                () = self.receiving.left.notified() => {}
                () = self.clock.sleep_since(now, Duration::from_millis(again.0.saturating_sub(now.0).max(0).unsigned_abs())) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    /// Sees to all that nobody is at work on; tells when to look again.
    async fn sweep(&self, found: Vec<Received>, tries: &Mutex<Tries>) -> Timestamp {
        let now = self.clock.now();
        lock(tries).retain(|key, _| found.iter().any(|received| received.key == *key));
        let is_due = |received: &Received| {
            !self.receiving.is_in_hand(&received.key) && lock(tries).get(&received.key).is_none_or(|tried| tried.is_due(now))
        };
        let due: Vec<Received> = found.into_iter().filter(is_due).collect();
        for some in due.chunks(MAX_AT_ONCE) {
            futures::future::join_all(some.iter().map(|received| self.see_to(received.clone(), tries))).await;
        }
        let (least, most) = (self.clock.now().after(AT_LEAST), self.clock.now().after(POLL));
        lock(tries).values().map(|tried| tried.next).min().map_or(most, |next| next.clamp(least, most))
    }

    async fn see_to(&self, received: Received, tries: &Mutex<Tries>) {
        let key = received.key.clone();
        let (n_tries, n_failed) = lock(tries).get(&key).map_or((0, 0), |tried| (tried.n_tries, tried.n_failed));
        // A fault of ours in one of them must not end the bot, and meet it again at the next start.
        let swept = AssertUnwindSafe(self.settle(received, n_failed)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(interaction.id = key, "the answer to what was left panicked");
            Swept::Failed
        });
        if swept == Swept::Settled {
            lock(tries).remove(&key);
            if let Err(error) = self.jobs.forget_received(std::slice::from_ref(&key)).await {
                tracing::error!(error = %chain(&error), "an answer could not be recorded");
            }
        } else {
            let wait = FIRST_WAIT.saturating_mul(1 << n_tries.min(8));
            let (n_tries, n_failed) = (n_tries.saturating_add(1), n_failed + u32::from(swept == Swept::Failed));
            let since = self.clock.now();
            lock(tries).insert(key, Tried { n_tries, n_failed, since, next: since.after(wait) });
        }
    }

    async fn settle(&self, received: Received, n_failed: u32) -> Swept {
        let Received { key, guild, user, delivery, wish, created } = received;
        let wish = serde_json::from_value(wish).unwrap_or(Wish { promise: Promise::Message, asked: Asked::Again });
        let is_alive = self.clock.now().0 < delivery.token_expires.0 - TOKEN_MARGIN_MS;
        let original = if is_alive { self.responder.original(&delivery.token).await } else { Original::TokenExpired };
        match &original {
            Original::Unknown(reason) => {
                tracing::debug!(reason, "whether something was answered is not known yet");
                return Swept::Later;
            }
            // Nobody was promised anything, unless that is still on its way.
            Original::Never if self.clock.now() < created.after(SETTLES_WITHIN) => return Swept::Later,
            Original::Never => return Swept::Settled,
            Original::Filled if wish.is_answered_by_its_message() => return Swept::Settled,
            // The message with the button is gone, as the press may have wished.
            Original::Gone if wish.promise == Promise::Silence => return Swept::Settled,
            _ => {}
        }
        let place = Place { key: &key, user, delivery: &delivery, promise: wish.promise, original: &original };
        match wish.asked {
            Asked::Imagine(typed) if original != Original::Gone && n_failed < MAX_FAILED => {
                let message = if let Original::Waiting(message) = original { Some(message) } else { None };
                let delivery = Delivery { message, is_private: wish.promise == Promise::Alone, ..delivery.clone() };
                match self.draw(&typed, &key, (guild, user), delivery).await {
                    Ok(()) => Swept::Settled,
                    Err(BotError::User(error)) => self.explain(&place, &error.to_string(), Some(&typed)).await,
                    Err(BotError::Internal(error)) => {
                        tracing::error!(error = chain(error.as_ref()), "what was asked before a stop could not be drawn");
                        Swept::Failed
                    }
                }
            }
            Asked::Imagine(typed) | Asked::Form(typed) => self.explain(&place, messages::INTERRUPTED, Some(&typed)).await,
            Asked::Again => self.explain(&place, messages::INTERRUPTED, None).await,
            Asked::Refused { content, draft } => {
                let draft = draft.and_then(|draft| draft.parse().ok());
                let buttons = draft.map(|draft| vec![vec![messages::reopen_button(draft)]]).unwrap_or_default();
                self.say(&place, Answer { content, buttons, ..Answer::default() }).await
            }
        }
    }

    async fn draw(&self, typed: &Typed, key: &str, (guild, user): (GuildId, UserId), delivery: Delivery) -> Result<(), BotError> {
        let wanted = typed.wanted(&self.intake.hosts)?;
        let chosen = chosen::here(&*self.jobs, user, guild, delivery.channel).await?;
        let context = typed.context(self.models.parse_context_of(&chosen).await);
        let Ready { task, speed, notes } = self.intake.task(&wanted, &context).await?;
        let (key, press, parent) = (key.to_owned(), None, None);
        self.door
            .enqueue(Request {
                key,
                press,
                guild,
                user,
                roles: typed.roles(),
                speed: Speed::of(speed),
                action: wanted.action(),
                task,
                notes,
                parent,
                begins: Vec::new(),
                delivery,
            })
            .await?;
        tracing::info!(user.id = user.0, "what was asked before a stop is drawn now");
        Ok(())
    }

    async fn explain(&self, place: &Place<'_>, sentence: &str, typed: Option<&Typed>) -> Swept {
        let mut answer = Answer::text(messages::shorten(&printable(sentence), messages::MAX_REFUSAL));
        if let Some(typed) = typed {
            self.drafts.give_back(place.user, typed, &mut answer).await;
        }
        self.say(place, answer).await
    }

    /// To the person alone: by the token while it lives, else in direct messages.
    async fn say(&self, place: &Place<'_>, mut answer: Answer) -> Swept {
        let token = &place.delivery.token;
        let said = match (place.original, place.promise) {
            (Original::TokenExpired, _) => Err(SendError::TokenExpired),
            (Original::Waiting(_), Promise::Message) => self.responder.refuse(token, &answer).await,
            (Original::Waiting(_), Promise::Alone) => self.responder.fill(token, &answer).await,
            _ => self.responder.tell(token, &answer).await,
        };
        let said = match said {
            Err(SendError::TokenExpired) => {
                answer.content = messages::about_earlier(&answer.content, place.delivery.channel);
                self.responder.tell_direct(place.user.0, &answer, place.key).await
            }
            said => said,
        };
        match said {
            Ok(()) => Swept::Settled,
            Err(SendError::Transient(later)) => {
                tracing::debug!(reason = later.reason, "an answer could not be given yet");
                Swept::Later
            }
            Err(error) => {
                tracing::warn!(%error, user.id = place.user.0, "somebody could not be told what became of what they asked");
                Swept::Settled
            }
        }
    }
}

/// Where something was asked and how it was acknowledged.
struct Place<'a> {
    key: &'a str,
    user: UserId,
    delivery: &'a Delivery,
    promise: Promise,
    original: &'a Original,
}

fn lock(tries: &Mutex<Tries>) -> MutexGuard<'_, Tries> {
    tries.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clock_that_jumps_holds_another_try_for_longer_than_its_wait() {
        let tried = Tried { n_tries: 1, n_failed: 0, since: Timestamp(10_000), next: Timestamp(12_000) };
        for (now, expected) in [(i64::MIN, true), (9_999, true), (10_000, false), (11_999, false), (12_000, true), (i64::MAX, true)] {
            assert_eq!(tried.is_due(Timestamp(now)), expected, "at {now}");
        }
    }
}
