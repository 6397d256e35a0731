//! The gateway's sessions: who is connected, what each has been sent, and what a resume must replay.

pub(crate) mod socket;

use crate::world::Id;
use serde_json::{Value, json};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

pub(crate) const INTENT_GUILDS: u64 = 1 << 0;
pub(crate) const INTENT_GUILD_MESSAGES: u64 = 1 << 9;
pub(crate) const INTENT_DIRECT_MESSAGES: u64 = 1 << 12;
pub(crate) const INTENT_MESSAGE_CONTENT: u64 = 1 << 15;

/// A resume may ask for this many events.
const N_REPLAYABLE: usize = 1000;
const MAX_SESSIONS: usize = 64;
/// A session without a connection can be resumed for this long.
const RESUMABLE: Duration = Duration::from_secs(300);

/// What a connection's task is told to send.
pub(crate) enum Outgoing {
    Payload(String),
    /// End the connection without a close frame.
    Drop,
}

/// An event for the bots.
pub(crate) struct Dispatch {
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
    /// The intent bit that a session needs, if any.
    pub(crate) intent: u64,
    pub(crate) guild: Option<Id>,
    /// Text, files and components are blanked for sessions without the message content intent.
    pub(crate) is_private: bool,
}

struct Session {
    intents: u64,
    /// Shard number and number of shards.
    shard: (u64, u64),
    seq: u64,
    replay: VecDeque<(u64, String)>,
    connection: Option<mpsc::Sender<Outgoing>>,
    left_at: Instant,
}

/// All sessions.
#[derive(Default)]
pub(crate) struct Hub {
    sessions: Mutex<HashMap<String, Session>>,
}

/// Why a resume is refused.
pub(crate) enum ResumeError {
    /// The session is gone, or the missed events are no longer known.
    Invalid,
    /// The client claims events that were never sent.
    SeqAhead,
}

impl Session {
    fn handles(&self, guild: Option<Id>) -> bool {
        let (number, n_shards) = self.shard;
        guild.map_or(number == 0, |guild| (guild.unsigned_abs() >> 22) % n_shards == number)
    }

    /// Numbers an event, keeps it for a resume and sends it if somebody is connected.
    fn push(&mut self, kind: &str, data: &Value) {
        self.seq += 1;
        let payload = json!({ "op": 0, "s": self.seq, "t": kind, "d": data }).to_string();
        if self.replay.len() == N_REPLAYABLE {
            self.replay.pop_front();
        }
        self.replay.push_back((self.seq, payload.clone()));
        self.send(Outgoing::Payload(payload));
    }

    /// A client that does not read loses its connection; the replay has what it missed.
    fn send(&mut self, outgoing: Outgoing) {
        let is_full = self.connection.as_ref().is_some_and(|connection| connection.try_send(outgoing).is_err());
        if is_full {
            self.leave();
        }
    }

    fn leave(&mut self) {
        self.connection = None;
        self.left_at = Instant::now();
    }
}

impl Hub {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any bot is connected.
    pub(crate) fn is_online(&self) -> bool {
        self.sessions().values().any(|session| session.connection.is_some())
    }

    /// Opens a session and sends its first events. `false` if there are too many.
    pub(crate) fn open(&self, id: &str, intents: u64, shard: (u64, u64), connection: mpsc::Sender<Outgoing>, first: &[Dispatch]) -> bool {
        let mut sessions = self.sessions();
        sessions.retain(|_, session| session.connection.is_some() || session.left_at.elapsed() < RESUMABLE);
        if sessions.len() >= MAX_SESSIONS {
            return false;
        }
        let mut session =
            Session { intents, shard, seq: 0, replay: VecDeque::new(), connection: Some(connection), left_at: Instant::now() };
        for event in first {
            let is_for_all = event.kind == "READY";
            if is_for_all || (intents & event.intent == event.intent && session.handles(event.guild)) {
                session.push(event.kind, &event.data);
            }
        }
        sessions.insert(id.to_owned(), session);
        true
    }

    /// Continues a session: what was missed after `seq`, then RESUMED.
    pub(crate) fn resume(&self, id: &str, seq: u64, connection: mpsc::Sender<Outgoing>) -> Result<(), ResumeError> {
        let mut sessions = self.sessions();
        let session = sessions.get_mut(id).ok_or(ResumeError::Invalid)?;
        if seq > session.seq {
            return Err(ResumeError::SeqAhead);
        }
        let oldest_known = session.replay.front().map_or(session.seq, |(first, _)| first - 1);
        if seq < oldest_known {
            return Err(ResumeError::Invalid);
        }
        if let Some(previous) = session.connection.replace(connection) {
            let _ = previous.try_send(Outgoing::Drop);
        }
        let missed: Vec<String> = session.replay.iter().filter(|(sent, _)| *sent > seq).map(|(_, payload)| payload.clone()).collect();
        for payload in missed {
            session.send(Outgoing::Payload(payload));
        }
        session.push("RESUMED", &json!({ "_trace": [] }));
        Ok(())
    }

    /// Sends an event to every session that asked for its kind.
    pub(crate) fn dispatch(&self, event: &Dispatch) {
        let mut blanked = None;
        for session in self.sessions().values_mut() {
            if session.intents & event.intent != event.intent || !session.handles(event.guild) {
                continue;
            }
            if event.is_private && session.intents & INTENT_MESSAGE_CONTENT == 0 {
                let data = blanked.get_or_insert_with(|| without_content(&event.data));
                session.push(event.kind, data);
            } else {
                session.push(event.kind, &event.data);
            }
        }
    }

    /// Sends an interaction to the connected sessions of its shard; `false` if there is none.
    pub(crate) fn interact(&self, data: &Value, guild: Option<Id>) -> bool {
        let mut was_sent = false;
        for session in self.sessions().values_mut().filter(|session| session.connection.is_some() && session.handles(guild)) {
            session.push("INTERACTION_CREATE", data);
            was_sent |= session.connection.is_some();
        }
        was_sent
    }

    /// Notes that a connection ended. An ended session cannot be resumed.
    pub(crate) fn leave(&self, id: &str, connection: &mpsc::Sender<Outgoing>, is_ended: bool) {
        let mut sessions = self.sessions();
        let Some(session) = sessions.get_mut(id) else { return };
        // A newer connection may have resumed the session already.
        if session.connection.as_ref().is_some_and(|current| !current.same_channel(connection)) {
            return;
        }
        session.leave();
        if is_ended {
            sessions.remove(id);
        }
    }

    /// Ends every connection as a network failure would.
    pub(crate) fn drop_all(&self) {
        for session in self.sessions().values_mut() {
            session.send(Outgoing::Drop);
            session.leave();
        }
    }
}

fn without_content(message: &Value) -> Value {
    let mut blank = message.clone();
    blank["content"] = json!("");
    for field in ["embeds", "attachments", "components"] {
        blank[field] = json!([]);
    }
    blank
}
