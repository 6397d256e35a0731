//! How often a client may identify and how much it may send. Source: discord-api-docs, events/gateway, "Rate Limiting" and "Sharding".

use super::config::GatewayConfig;
use crate::world::Id;
use serde_json::{Value, json};
use std::collections::HashMap;

const DAY_MS: i64 = 24 * 3600 * 1000;
const N_SENDS: u32 = 120;
const SENDS_WITHIN_MS: i64 = 60_000;
const MEMBERS_EVERY_MS: i64 = 30_000;

/// Why an IDENTIFY starts no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartError {
    /// Another shard of the same key has just identified.
    TooSoon,
    /// The day's starts are used up.
    Exhausted,
}

/// Counts IDENTIFYs.
#[derive(Default)]
pub(super) struct Starts {
    /// The time of the last one, by shard number modulo `max_concurrency`.
    last_ms: HashMap<u64, i64>,
    day_began_ms: i64,
    n_used: u64,
}

impl Starts {
    pub(super) fn take(&mut self, config: &GatewayConfig, shard: u64, now_ms: i64) -> Result<(), StartError> {
        let key = shard % config.max_concurrency.max(1);
        let interval_ms = config.identify_interval.as_millis() as i64;
        if self.last_ms.get(&key).is_some_and(|last_ms| now_ms - last_ms < interval_ms) {
            return Err(StartError::TooSoon);
        }
        if now_ms - self.day_began_ms >= DAY_MS {
            (self.day_began_ms, self.n_used) = (now_ms, 0);
        }
        if self.n_used >= config.session_starts {
            return Err(StartError::Exhausted);
        }
        self.n_used += 1;
        self.last_ms.insert(key, now_ms);
        Ok(())
    }

    /// As after a new token: nothing is used up.
    pub(super) fn renew(&mut self) {
        *self = Self::default();
    }

    /// The session start limit object of `GET /gateway/bot`.
    pub(super) fn standing(&self, config: &GatewayConfig, now_ms: i64) -> Value {
        let left_ms = self.day_began_ms + DAY_MS - now_ms;
        let n_used = if left_ms > 0 { self.n_used } else { 0 };
        json!({
            "total": config.session_starts, "remaining": config.session_starts.saturating_sub(n_used),
            "reset_after": if n_used > 0 { left_ms } else { 0 }, "max_concurrency": config.max_concurrency.max(1),
        })
    }
}

/// Remembers when all members of a guild were last asked for.
#[derive(Default)]
pub(super) struct MemberRequests {
    last_ms: HashMap<Id, i64>,
}

impl MemberRequests {
    /// Counts a request, or tells how long to wait in milliseconds.
    pub(super) fn take(&mut self, guild: Id, now_ms: i64) -> Result<(), i64> {
        let ready_ms = self.last_ms.get(&guild).map_or(now_ms, |last_ms| last_ms + MEMBERS_EVERY_MS);
        if ready_ms > now_ms {
            return Err(ready_ms - now_ms);
        }
        self.last_ms.insert(guild, now_ms);
        Ok(())
    }
}

/// Counts what a connection's client sends.
#[derive(Default)]
pub(super) struct Sends {
    began_ms: i64,
    n: u32,
}

impl Sends {
    /// Counts one payload; `false` if it is one too many.
    pub(super) fn take(&mut self, now_ms: i64) -> bool {
        if now_ms - self.began_ms >= SENDS_WITHIN_MS {
            (self.began_ms, self.n) = (now_ms, 0);
        }
        self.n += 1;
        self.n <= N_SENDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_of_one_key_wait_for_each_other() {
        let config = GatewayConfig { max_concurrency: 2, ..GatewayConfig::default() };
        let mut starts = Starts::default();
        let mut check = |shard, now_ms, expected| assert_eq!(starts.take(&config, shard, now_ms), expected, "shard {shard} at {now_ms}");
        check(0, DAY_MS, Ok(()));
        check(1, DAY_MS, Ok(()));
        check(2, DAY_MS + 4999, Err(StartError::TooSoon));
        check(2, DAY_MS + 5000, Ok(()));
        check(0, DAY_MS + 5001, Err(StartError::TooSoon));
        check(3, DAY_MS + 5001, Ok(()));
    }

    #[test]
    fn starts_are_counted_by_the_day() {
        let config = GatewayConfig { session_starts: 2, ..GatewayConfig::default() };
        let mut starts = Starts::default();
        let first_ms = 5 * DAY_MS;
        assert_eq!(starts.take(&config, 0, first_ms), Ok(()));
        assert_eq!(starts.take(&config, 0, first_ms + 5000), Ok(()));
        let standing = starts.standing(&config, first_ms + 6000);
        assert_eq!((&standing["remaining"], &standing["reset_after"]), (&json!(0), &json!(DAY_MS - 6000)));
        assert_eq!(starts.take(&config, 0, first_ms + 10_000), Err(StartError::Exhausted));
        assert_eq!(starts.standing(&config, first_ms + DAY_MS)["remaining"], 2);
        assert_eq!(starts.take(&config, 0, first_ms + DAY_MS), Ok(()));
    }

    #[test]
    fn the_121st_payload_of_a_minute_is_one_too_many() {
        let mut sends = Sends::default();
        assert!((0..N_SENDS).all(|_| sends.take(100_000)));
        assert!(!sends.take(159_999));
        assert!(sends.take(160_000));
    }
}
