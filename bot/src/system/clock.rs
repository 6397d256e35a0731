//! The bot's time, from one place: deadlines, days of quotas, leases and tries go by it, so that a test moves them together with the
//! stand-in's. How long drawing takes and how long a program may take to end are measured, not told, and stay on the machine's clock.

use std::time::Duration;

use storage::Timestamp;

/// A clock: the machine's, or one that a test moves. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(clock::Clock);

/// Comes again and again; the first time at once.
pub struct Ticks(Source);

enum Source {
    /// Not by the time of day, which may be set back.
    System(tokio::time::Interval),
    Manual {
        clock: Clock,
        every: Duration,
        next: Timestamp,
    },
}

impl From<clock::Clock> for Clock {
    fn from(clock: clock::Clock) -> Self {
        Self(clock)
    }
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.now_ms())
    }

    /// Waits for `duration`, counted from this call on whenever the wait begins.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.sleep_since(self.now(), duration)
    }

    /// The same, counted from a time that was just read: where a test moved the clock since then, that counts.
    pub fn sleep_since(&self, since: Timestamp, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        let system = matches!(self.0, clock::Clock::System).then(|| tokio::time::sleep(duration));
        let (clock, until) = (self.0.clone(), since.after(duration).0);
        async move {
            match system {
                Some(sleep) => sleep.await,
                None => clock.sleep_until(until).await,
            }
        }
    }

    /// Ticks with this much time between two; those that were missed are one.
    pub fn ticks(&self, every: Duration) -> Ticks {
        Ticks(match &self.0 {
            clock::Clock::System => {
                let mut ticks = tokio::time::interval(every);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                Source::System(ticks)
            }
            clock::Clock::Manual(_) => Source::Manual { clock: self.clone(), every, next: self.now() },
        })
    }
}

impl Ticks {
    /// Waits for the next one. Nothing is lost when the wait is given up.
    pub async fn tick(&mut self) {
        match &mut self.0 {
            Source::System(ticks) => {
                ticks.tick().await;
            }
            Source::Manual { clock, every, next } => {
                clock.0.sleep_until(next.0).await;
                *next = clock.now().after(*every);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_clock_that_stands_still_ticks_only_when_it_is_moved() {
        let hand = clock::ManualClock::new();
        let clock = Clock::from(clock::Clock::Manual(hand.clone()));
        let start = clock.now();
        let mut ticks = clock.ticks(Duration::from_secs(10));
        assert!(ticks.tick().now_or_never().is_some(), "the first is at once");
        assert!(ticks.tick().now_or_never().is_none());
        let mut sleep = Box::pin(clock.sleep(Duration::from_secs(60)));
        assert!(sleep.as_mut().now_or_never().is_none());
        hand.advance(Duration::from_secs(59));
        assert!(ticks.tick().now_or_never().is_some());
        assert!(ticks.tick().now_or_never().is_none(), "missed ticks are one");
        assert!(sleep.as_mut().now_or_never().is_none());
        hand.advance(Duration::from_secs(1));
        assert!(sleep.as_mut().now_or_never().is_some());
        assert_eq!(clock.now().0 - start.0, 60_000);
    }
}
