//! What the people's clients hear: a ring of the newest events, each for everyone or for one person.

use crate::world::Id;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Older events are forgotten.
const N_KEPT: usize = 10_000;

struct Event {
    seq: u64,
    kind: &'static str,
    /// Everyone, or these people only.
    audience: Option<Vec<Id>>,
    data: Value,
}

/// The ring.
pub(crate) struct EventLog {
    ring: Mutex<VecDeque<Event>>,
    /// The number of the newest event.
    last: watch::Sender<u64>,
    first: u64,
}

/// The asked-for events are no longer kept.
pub(crate) struct Forgotten;

impl EventLog {
    /// Numbers start at the time of the start, so that a client of an earlier process notices.
    pub(crate) fn new(now_ms: i64) -> Self {
        let first = now_ms.unsigned_abs();
        Self { ring: Mutex::default(), last: watch::Sender::new(first), first }
    }

    fn ring(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the newest event: where to start listening.
    pub(crate) fn seq(&self) -> u64 {
        *self.last.borrow()
    }

    /// Tells everyone, or one person only.
    pub(crate) fn push(&self, kind: &'static str, audience: Option<Id>, data: Value) {
        self.add(Event { seq: 0, kind, audience: audience.map(|person| vec![person]), data });
    }

    /// Tells some people.
    pub(crate) fn push_to(&self, kind: &'static str, audience: Vec<Id>, data: Value) {
        self.add(Event { seq: 0, kind, audience: Some(audience), data });
    }

    fn add(&self, mut event: Event) {
        let mut ring = self.ring();
        if ring.len() == N_KEPT {
            ring.pop_front();
        }
        event.seq = self.seq() + 1;
        let seq = event.seq;
        ring.push_back(event);
        self.last.send_replace(seq);
    }

    /// The person's events after a number, and the number to go on from.
    pub(crate) fn after(&self, user: Id, after: u64) -> Result<(u64, Vec<Value>), Forgotten> {
        let ring = self.ring();
        let last = self.seq();
        let oldest_known = ring.front().map_or(self.first, |event| event.seq - 1);
        if after < oldest_known || after > last {
            return Err(Forgotten);
        }
        let for_user = |event: &&Event| event.audience.as_ref().is_none_or(|audience| audience.contains(&user));
        let new = ring.iter().skip((after - oldest_known) as usize).filter(for_user);
        Ok((last, new.map(|event| json!({ "seq": event.seq, "type": event.kind, "data": event.data })).collect()))
    }

    /// Returns when there is an event newer than `seq`.
    pub(crate) async fn wait_beyond(&self, seq: u64) {
        let mut last = self.last.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = last.wait_for(|last| *last > seq).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_forgets_the_oldest_and_says_so() {
        let log = EventLog::new(100);
        assert!(log.after(1, 100).is_ok_and(|(seq, events)| seq == 100 && events.is_empty()));
        assert!(log.after(1, 99).is_err());
        assert!(log.after(1, 101).is_err());
        for n in 0..=N_KEPT {
            log.push("typing", (n % 2 == 1).then_some(2), json!(n));
        }
        assert!(log.after(1, 100).is_err());
        let (seq, events) = log.after(1, 101).unwrap_or_else(|Forgotten| panic!("101 is still kept"));
        assert_eq!(seq, 100 + N_KEPT as u64 + 1);
        assert_eq!(events.len(), N_KEPT / 2);
        assert_eq!(events[0], json!({ "seq": 103, "type": "typing", "data": 2 }));
    }
}
