//! The time, from one place: bot and stand-in go by it, so that a test moves them together.

#![warn(missing_docs)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// The machine's time, or one that a test moves.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that a test moves.
    Manual(ManualClock),
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now_ms: Arc<watch::Sender<u64>>,
    /// The moments that somebody waits for.
    awaited: Arc<watch::Sender<Vec<i64>>>,
}

/// Somebody waits for a moment.
struct Awaited<'a> {
    clock: &'a ManualClock,
    deadline_ms: i64,
}

impl ManualClock {
    /// A clock that starts at the machine's time and then stands still.
    pub fn new() -> Self {
        Self { now_ms: Arc::new(watch::Sender::new(system_ms())), awaited: Arc::default() }
    }

    /// Sets the clock back, as people and time servers do.
    pub fn set_back(&self, by: Duration) {
        self.now_ms.send_modify(|now_ms| *now_ms = now_ms.saturating_sub(by.as_millis() as u64));
    }

    /// Moves the clock forward and wakes whoever waited for a moment that has now come.
    pub fn advance(&self, by: Duration) {
        self.now_ms.send_modify(|now_ms| *now_ms += by.as_millis() as u64);
    }

    /// Returns when everybody who waited for a moment that has come had a turn since, however slow this machine is.
    pub async fn had_turns(&self) {
        let now_ms = *self.now_ms.borrow() as i64;
        let mut awaited = self.awaited.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = awaited.wait_for(|awaited| awaited.iter().all(|deadline_ms| *deadline_ms > now_ms)).await;
    }

    fn await_until(&self, deadline_ms: i64) -> Awaited<'_> {
        self.awaited.send_modify(|awaited| awaited.push(deadline_ms));
        Awaited { clock: self, deadline_ms }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.clock.awaited.send_modify(|awaited| {
            if let Some(place) = awaited.iter().position(|deadline_ms| *deadline_ms == self.deadline_ms) {
                awaited.swap_remove(place);
            }
        });
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => system_ms() as i64,
            Self::Manual(clock) => *clock.now_ms.borrow() as i64,
        }
    }

    /// Returns when the clock shows `deadline_ms` or later.
    pub async fn sleep_until(&self, deadline_ms: i64) {
        match self {
            Self::System => {
                let left_ms = deadline_ms.saturating_sub(self.now_ms()).max(0);
                tokio::time::sleep(Duration::from_millis(left_ms as u64)).await;
            }
            Self::Manual(clock) => {
                let _awaited = clock.await_until(deadline_ms);
                let mut seen = clock.now_ms.subscribe();
                // The sender lives in `clock`, so the wait cannot fail.
                let _ = seen.wait_for(|now_ms| *now_ms as i64 >= deadline_ms).await;
            }
        }
    }
}

fn system_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use super::*;

    /// Whether a wait is over when it is looked at.
    async fn is_over(wait: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *wait).poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn turns_are_had_when_nobody_waits_for_what_has_come() {
        let hand = ManualClock::new();
        let clock = Clock::Manual(hand.clone());
        let start = clock.now_ms();
        let mut first = Box::pin(clock.sleep_until(start + 1_000));
        let mut second = Box::pin(clock.sleep_until(start + 1_000));
        let mut later = Box::pin(clock.sleep_until(start + 5_000));
        for wait in [&mut first, &mut second, &mut later] {
            assert!(!is_over(wait).await);
        }
        hand.had_turns().await;
        hand.advance(Duration::from_secs(1));
        let mut turns = pin!(hand.had_turns());
        assert!(!is_over(&mut turns).await);
        assert!(is_over(&mut first).await);
        assert!(!is_over(&mut turns).await, "the second had none");
        // Who does not wait any more needs none.
        drop(second);
        turns.await;
        assert!(!is_over(&mut later).await);
    }
}
