//! Answers that cost no quota but work: each person may have so many a minute.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use storage::{Timestamp, UserId};

use crate::messages::UserError;

const MINUTE_MS: f64 = 60_000.0;
/// More persons than this, and those who have all their looks again are forgotten.
const MANY: usize = 10_000;

/// A bucket a person: it holds a minute's looks, and fills up evenly.
#[derive(Debug)]
pub struct Looks {
    per_minute: f64,
    /// Looks left at a time.
    buckets: Mutex<HashMap<UserId, (f64, Timestamp)>>,
}

impl Looks {
    /// So many a minute.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute: f64::from(per_minute), buckets: Mutex::default() }
    }

    /// Takes one.
    ///
    /// # Errors
    /// None is left; it says when there is one.
    pub fn take(&self, user: UserId, now: Timestamp) -> Result<(), UserError> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MANY {
            buckets.retain(|_, bucket| self.left(*bucket, now) < self.per_minute);
        }
        let left = buckets.get(&user).map_or(self.per_minute, |bucket| self.left(*bucket, now));
        if left < 1.0 {
            let wait_ms = (1.0 - left) * MINUTE_MS / self.per_minute;
            return Err(UserError::TooManyLooks { per_minute: self.per_minute as u32, seconds: (wait_ms / 1000.0).ceil() as u32 });
        }
        buckets.insert(user, (left - 1.0, now));
        Ok(())
    }

    fn left(&self, (left, at): (f64, Timestamp), now: Timestamp) -> f64 {
        // A clock that goes back takes nothing.
        let passed_ms = now.0.saturating_sub(at.0).max(0) as f64;
        (left + passed_ms * self.per_minute / MINUTE_MS).min(self.per_minute)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flood_is_refused_until_time_has_passed_and_others_are_not() {
        let looks = Looks::new(3);
        let take = |user, ms| looks.take(UserId(user), Timestamp(ms)).is_ok();
        assert_eq!([0, 0, 0, 0].map(|ms| take(1, ms)), [true, true, true, false]);
        assert!(take(2, 0));
        assert_eq!(looks.take(UserId(1), Timestamp(0)), Err(UserError::TooManyLooks { per_minute: 3, seconds: 20 }));
        assert_eq!([19_999, 20_001, 20_001, 10].map(|ms| take(1, ms)), [false, true, false, false]);
        assert!(take(1, 3_600_000) && take(1, 3_600_000) && take(1, 3_600_000) && !take(1, 3_600_000), "no more than a minute's are kept");
    }

    proptest! {
        #[test]
        fn no_minute_has_more_than_twice_a_minutes_looks(per_minute in 1_u32..30, pauses in prop::collection::vec(0_i64..20_000, 1..80)) {
            let looks = Looks::new(per_minute);
            let mut now = 0;
            let times: Vec<i64> = pauses.into_iter().map(|pause| { now += pause; now }).collect();
            let taken: Vec<i64> = times.into_iter().filter(|ms| looks.take(UserId(7), Timestamp(*ms)).is_ok()).collect();
            for start in &taken {
                let in_minute = taken.iter().filter(|ms| (*start..start + 60_000).contains(ms)).count();
                prop_assert!(in_minute <= 2 * per_minute as usize);
            }
        }
    }
}
