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
}

impl ManualClock {
    /// A clock that starts at the machine's time and then stands still.
    pub fn new() -> Self {
        Self { now_ms: Arc::new(watch::Sender::new(system_ms())) }
    }

    /// Sets the clock back, as people and time servers do.
    pub fn set_back(&self, by: Duration) {
        self.now_ms.send_modify(|now_ms| *now_ms = now_ms.saturating_sub(by.as_millis() as u64));
    }

    /// Moves the clock forward and wakes whoever waited for a moment that has now come.
    pub fn advance(&self, by: Duration) {
        self.now_ms.send_modify(|now_ms| *now_ms += by.as_millis() as u64);
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
