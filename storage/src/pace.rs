//! How fast a queue empties, from the claims of late.

use crate::ids::Timestamp;

/// Of the pace so far and a new interval, how much the new one counts.
const NEW: f64 = 0.2;

/// How fast jobs are claimed while others wait.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    /// When a job was claimed last, if others still waited then.
    pub(crate) served: Option<Timestamp>,
    /// Milliseconds between two claims.
    pub(crate) ms: Option<f64>,
}

impl Pace {
    /// A job is claimed; what passed since the claim before it counts if jobs waited all the while.
    pub(crate) fn claim(self, others_wait: bool, now: Timestamp) -> Self {
        let interval = self.served.map(|served| now.0.saturating_sub(served.0).max(0) as f64);
        let ms = match (self.ms, interval) {
            (Some(ms), Some(interval)) => Some(ms + NEW * (interval - ms)),
            (None, interval) => interval,
            (ms, None) => ms,
        };
        Self { served: others_wait.then_some(now), ms }
    }

    /// When so many more jobs will have been claimed; `None` while nobody knows.
    pub(crate) fn after(self, n_claims: u32, now: Timestamp) -> Option<Timestamp> {
        let (ms, served) = (self.ms?, self.served.unwrap_or(now));
        let until = served.0.saturating_add((ms * f64::from(n_claims)).ceil() as i64);
        Some(Timestamp(until.max(now.0.saturating_add(SOON_MS))))
    }
}

/// Sooner than this nobody is told to come back.
const SOON_MS: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_follows_the_claims_while_jobs_wait() {
        let mut pace = Pace::default();
        assert_eq!(pace.after(1, Timestamp(0)), None, "nothing was claimed yet");
        for n in 0..10 {
            pace = pace.claim(true, Timestamp(n * 4000));
        }
        assert_eq!(pace, Pace { served: Some(Timestamp(36_000)), ms: Some(4000.0) });
        assert_eq!(pace.after(1, Timestamp(36_000)), Some(Timestamp(40_000)));
        assert_eq!(pace.after(3, Timestamp(37_000)), Some(Timestamp(48_000)));
        assert_eq!(pace.after(1, Timestamp(50_000)), Some(Timestamp(51_000)), "it should be over any moment");
        pace = pace.claim(false, Timestamp(41_000));
        assert_eq!(pace, Pace { served: None, ms: Some(4200.0) });
        let idle = pace.claim(true, Timestamp(900_000));
        assert_eq!(idle, Pace { served: Some(Timestamp(900_000)), ms: Some(4200.0) }, "nobody waited meanwhile");
        assert_eq!(idle.claim(true, Timestamp(800_000)).ms, Some(3360.0), "a clock that was set back");
    }
}
