//! What a job's message tells of the queue. Each change of it is a request to Discord, and there are a few for a job.

use std::time::Duration;

/// Edits of a job's message for its place in the queue.
const MAX_TOLD: u32 = 5;
/// A wait is told anew when it is off by so much at least.
const LEAST_CHANGE: Duration = Duration::from_secs(5);

/// What a job's message tells of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How often it was told.
    n: u32,
    /// The place, from 1; 0 before it was told.
    place: u32,
    /// The wait, where one was known.
    wait: Option<Duration>,
}

impl Told {
    /// The same after one more telling.
    #[must_use]
    pub fn with(self, place: u32, wait: Option<Duration>) -> Self {
        Self { n: self.n + 1, place, wait }
    }

    /// The same where the telling failed: it counts, and what the message tells is not known.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { n: self.n, ..Self::default() }
    }

    /// The wait that the message tells.
    pub fn wait(self) -> Option<Duration> {
        self.wait
    }

    /// Whether a place and a wait are worth one of the edits that are left. Those are spread over the way to the front in equal ratios; the last
    /// one is for the news that the job is next.
    pub fn is_stale(self, place: u32, wait: Option<Duration>) -> bool {
        let left = MAX_TOLD.saturating_sub(self.n);
        if place == 0 || left == 0 {
            return false;
        }
        let is_next = place == 1 && self.place != 1;
        if self.place == 0 || is_next {
            return left > 1 || place == 1;
        }
        let told = f64::from(self.place);
        let is_nearer = f64::from(place) <= told.powf(1.0 - 1.0 / f64::from(left));
        let is_further = place / 2 >= self.place;
        let is_off = wait.is_some_and(|wait| self.wait.is_none_or(|told| told.abs_diff(wait) >= LEAST_CHANGE.max(told / 3)));
        let has_edits = left > 1 || self.place == 1;
        has_edits && (place != self.place && is_nearer || is_further || is_off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves a job to the front and tells what was worth it.
    fn told_on_the_way(from: u32, wait_of: impl Fn(u32) -> Option<u64>, fails: impl Fn(u32) -> bool) -> Vec<u32> {
        let (mut told, mut places) = (Told::default(), Vec::new());
        for place in (1..=from).rev() {
            for _ in 0..3 {
                let wait = wait_of(place).map(Duration::from_secs);
                if told.is_stale(place, wait) {
                    told = told.with(place, wait);
                    places.push(place);
                    if fails(place) {
                        told = told.failed();
                    }
                }
            }
        }
        places
    }

    #[test]
    fn a_place_is_told_five_times_at_most_and_at_last_that_the_job_is_next() {
        for from in (1..=40).chain([100, 500, 10_000, 100_000]) {
            for (what, places) in [
                ("no waits", told_on_the_way(from, |_| None, |_| false)),
                ("waits that jump", told_on_the_way(from, |place| Some(u64::from(place % 7) * 100), |_| false)),
                ("edits that fail", told_on_the_way(from, |_| None, |place| place > 1)),
            ] {
                assert!(places.len() <= 5, "{what} from {from}: {places:?}");
                assert_eq!((places[0], places.last()), (from, Some(&1)), "{what}");
            }
        }
        assert_eq!(told_on_the_way(10_000, |_| None, |_| false), [10_000, 1000, 100, 10, 1]);
    }

    #[test]
    fn what_is_told_follows_large_changes() {
        let check = |told: (u32, u32, Option<u64>), place, wait: Option<u64>, expected| {
            let told = Told { n: told.0, place: told.1, wait: told.2.map(Duration::from_secs) };
            assert_eq!(told.is_stale(place, wait.map(Duration::from_secs)), expected, "{told:?}, now {place} and {wait:?}");
        };
        check((0, 0, None), 0, None, false);
        check((0, 0, None), 7, None, true);
        check((1, 1, None), 1, None, false);
        check((1, 1, None), 1, Some(12), true);
        check((1, 1, Some(12)), 1, Some(8), false);
        check((1, 1, Some(12)), 1, Some(7), true);
        check((1, 1, Some(600)), 1, Some(401), false);
        check((1, 1, Some(600)), 1, Some(400), true);
        check((4, 1, Some(600)), 1, Some(400), true);
        check((5, 1, Some(600)), 1, Some(400), false);
        check((4, 8, Some(600)), 8, Some(400), false);
        check((4, 8, Some(600)), 1, None, true);
        check((5, 8, None), 1, None, false);
        check((1, 8, None), 7, None, false);
        check((1, 8, None), 15, None, false);
        check((1, 8, None), 16, None, true);
    }
}
