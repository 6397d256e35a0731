//! The way to Discord: whether it is open, told in one sentence when that changes, and how long to wait before the next try.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use poise::serenity_prelude as serenity;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::ask::{AskError, Caller, Me};
use crate::{messages, system::clock::Clock};

/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// How often the gateway's state is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The library connects again by itself; only what lasts longer is an outage.
const USUAL_GAP: Duration = Duration::from_secs(10);

/// Growing waits.
#[derive(Debug, Default)]
pub struct Waits {
    n_failed: u32,
}

impl Waits {
    /// How long to wait after one more failure, or as long as was asked for.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(1 << self.n_failed.min(16)).min(LONGEST_WAIT);
        self.n_failed += 1;
        asked.unwrap_or(wait)
    }
}

/// Whether Discord can be reached, as it was told last.
pub struct Link {
    /// Discord, or who stands in for it.
    place: String,
    /// What was told of the outage that there is; empty while there is none.
    told: Mutex<Vec<String>>,
    sentence: watch::Sender<String>,
}

impl Link {
    /// The way to `place`; nothing is known of it yet.
    pub fn new(place: String) -> Self {
        Self { place, told: Mutex::default(), sentence: watch::Sender::default() }
    }

    /// What was told last, and what will be.
    pub fn sentences(&self) -> watch::Receiver<String> {
        self.sentence.subscribe()
    }

    /// Whether there is an outage that was told.
    pub fn is_lost(&self) -> bool {
        !self.told.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// A try has failed, and the next one is so far away. Each reason is told once in an outage.
    pub fn lost(&self, why: &str, wait: Duration) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.iter().any(|known| known == why) {
            told.push(why.to_owned());
            let sentence = messages::cannot_reach(&self.place, why, wait);
            tracing::warn!("{sentence}");
            self.sentence.send_replace(sentence);
        }
    }

    /// The bot is connected.
    pub fn found(&self) {
        let told = std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        if !told.is_empty() {
            let sentence = messages::reached_again(&self.place);
            tracing::info!("{sentence}");
            self.sentence.send_replace(sentence);
        }
    }
}

/// The way to Discord while the program runs.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// What is told of it.
    pub link: &'a Link,
    /// How long waits last.
    pub clock: &'a Clock,
    /// The program's end.
    pub shutdown: &'a CancellationToken,
}

/// Asks until there is an answer. Only a refused token and the program's end stop it.
///
/// # Errors
/// The token was refused; `None` at the program's end.
pub async fn until_answered<T, F>(on: Watched<'_>, ask: impl Fn() -> F) -> Result<T, Option<AskError>>
where
    F: Future<Output = Result<T, AskError>>,
{
    let mut waits = Waits::default();
    loop {
        let error = tokio::select! {
            answer = ask() => match answer {
                Ok(answer) => return Ok(answer),
                Err(AskError::TokenRefused) => return Err(Some(AskError::TokenRefused)),
                Err(error) => error,
            },
            () = on.shutdown.cancelled() => return Err(None),
        };
        let wait = waits.next(error.wait());
        on.link.lost(&error.to_string(), wait);
        tokio::select! {
            () = on.clock.sleep(wait) => {}
            () = on.shutdown.cancelled() => return Err(None),
        }
    }
}

/// Watches whether the bot is connected, and tells. While Discord does not even answer questions, the library waits with us: by itself it would
/// try every five seconds for ever.
///
/// # Errors
/// As [`until_answered`]; it ends in no other way.
pub async fn watch(
    on: Watched<'_>,
    caller: &Caller,
    shards: &serenity::ShardManager,
    gateway: &tokio::sync::Mutex<String>,
) -> Result<std::convert::Infallible, Option<AskError>> {
    let mut ticks = on.clock.ticks(LOOK_EVERY);
    let mut away_since = None;
    loop {
        ticks.tick().await;
        if is_connected(shards).await {
            away_since = None;
            on.link.found();
            continue;
        }
        let now = on.clock.now();
        let since = *away_since.get_or_insert(now);
        if now < since.after(USUAL_GAP) {
            continue;
        }
        away_since = None;
        // The library reads the address before every try.
        let held = gateway.lock().await;
        let _: Me = until_answered(on, || caller.me()).await?;
        drop(held);
        if !is_connected(shards).await {
            on.link.lost(messages::NO_GATEWAY, FIRST_WAIT);
        }
    }
}

async fn is_connected(shards: &serenity::ShardManager) -> bool {
    let runners = shards.runners.lock().await;
    !runners.is_empty() && runners.values().all(|runner| runner.stage == serenity::ConnectionStage::Connected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_what_is_asked_for_is_obeyed() {
        let mut waits = Waits::default();
        let seconds: Vec<_> = (0..8).map(|_| waits.next(None).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 120, 120, 120]);
        assert_eq!(waits.next(Some(Duration::from_secs(900))), Duration::from_secs(900));
        assert!((0..100).all(|_| waits.next(None) == LONGEST_WAIT));
    }

    #[test]
    fn an_outage_is_told_once_for_each_reason_and_its_end_once() {
        let link = Link::new("Discord".into());
        let mut sentences = link.sentences();
        let mut told = |does: &dyn Fn()| {
            does();
            sentences.has_changed().expect("the link is there").then(|| sentences.borrow_and_update().clone())
        };
        let wait = Duration::from_secs(5);
        assert_eq!(told(&|| link.found()), None, "nothing was wrong");
        let expected = "I cannot reach Discord (its name cannot be resolved); trying again in 5 s, later less often.";
        assert!(!link.is_lost());
        assert_eq!(told(&|| link.lost("its name cannot be resolved", wait)).as_deref(), Some(expected));
        assert!(link.is_lost());
        assert_eq!(told(&|| link.lost("its name cannot be resolved", wait * 2)), None);
        assert!(told(&|| link.lost("it answers with status 503", wait)).is_some_and(|said| said.contains("status 503")));
        assert_eq!(told(&|| link.lost("its name cannot be resolved", wait)), None);
        assert_eq!(told(&|| link.found()).as_deref(), Some("I reach Discord again."));
        assert_eq!(told(&|| link.found()), None);
        assert!(told(&|| link.lost("its name cannot be resolved", wait)).is_some(), "another outage");
    }
}
