//! What the people's clients hear: a ring of the newest events, each for everyone or for one person.

use crate::world::Id;
use serde_json::Value;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Older events are forgotten.
const N_KEPT: usize = 10_000;
/// And so are those that take more room than this.
const MAX_BYTES: usize = 8 << 20;

struct Event {
    seq: u64,
    kind: &'static str,
    /// Everyone, or these people only.
    audience: Option<Vec<Id>>,
    /// JSON.
    data: Box<str>,
}

/// An event as a client hears it.
pub(crate) struct Heard {
    pub(crate) seq: u64,
    pub(crate) kind: &'static str,
    /// JSON: `seq`, `type` and `data`.
    pub(crate) text: String,
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Event>,
    n_bytes: usize,
}

/// The ring.
pub(crate) struct EventLog {
    ring: Mutex<Ring>,
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

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the newest event: where to start listening.
    pub(crate) fn seq(&self) -> u64 {
        *self.last.borrow()
    }

    /// Tells everyone, or one person only.
    pub(crate) fn push(&self, kind: &'static str, audience: Option<Id>, data: Value) {
        self.add(kind, audience.map(|person| vec![person]), &data);
    }

    /// Tells some people.
    pub(crate) fn push_to(&self, kind: &'static str, audience: Vec<Id>, data: Value) {
        self.add(kind, Some(audience), &data);
    }

    fn add(&self, kind: &'static str, audience: Option<Vec<Id>>, data: &Value) {
        let data = data.to_string().into_boxed_str();
        let mut ring = self.ring();
        ring.n_bytes += data.len();
        let seq = self.seq() + 1;
        ring.events.push_back(Event { seq, kind, audience, data });
        // The newest stays, however large it is.
        while ring.events.len() > N_KEPT || ring.n_bytes > MAX_BYTES && ring.events.len() > 1 {
            let forgotten = ring.events.pop_front().map_or(0, |event| event.data.len());
            ring.n_bytes -= forgotten;
        }
        self.last.send_replace(seq);
    }

    /// The person's events after a number, and the number to go on from.
    pub(crate) fn after(&self, user: Id, after: u64) -> Result<(u64, Vec<Heard>), Forgotten> {
        let ring = self.ring();
        let last = self.seq();
        let oldest_known = ring.events.front().map_or(self.first, |event| event.seq - 1);
        if after < oldest_known || after > last {
            return Err(Forgotten);
        }
        let for_user = |event: &&Event| event.audience.as_ref().is_none_or(|audience| audience.contains(&user));
        let new = ring.events.iter().skip((after - oldest_known) as usize).filter(for_user);
        let heard = new.map(|Event { seq, kind, data, .. }| {
            let text = format!(r#"{{"seq":{seq},"type":"{kind}","data":{data}}}"#);
            Heard { seq: *seq, kind, text }
        });
        Ok((last, heard.collect()))
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
    use serde_json::json;

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
        assert_eq!(events[0].text, r#"{"seq":103,"type":"typing","data":2}"#);
    }

    #[test]
    fn large_events_are_forgotten_sooner() {
        let log = EventLog::new(0);
        for _ in 0..20 {
            log.push("message_create", None, json!("x".repeat(MAX_BYTES / 10)));
        }
        assert!(log.after(1, 10).is_err());
        assert!(log.after(1, 11).is_ok_and(|(_, events)| events.len() == 9));
        log.push("message_create", None, json!("x".repeat(MAX_BYTES)));
        assert!(log.after(1, 20).is_ok_and(|(_, events)| events.len() == 1));
    }
}
