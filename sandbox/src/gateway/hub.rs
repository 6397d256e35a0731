use super::{
    Dispatch,
    config::GatewayConfig,
    faults::Faults,
    limits::{MemberRequests, StartError, Starts},
    session::{Link, Outgoing, Session, Wishes, event},
};
use crate::{clock::Clock, state::State, world::Id};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

const MAX_SESSIONS: usize = 64;
/// Connections with and without a session.
const MAX_CONNECTIONS: usize = 128;

/// All sessions, and what is wrong with the gateway.
pub(crate) struct Hub {
    pub(super) clock: Clock,
    pub(crate) config: GatewayConfig,
    inner: Mutex<Inner>,
    pub(super) places: Semaphore,
    /// Tells [`release_late_events`] that there are some.
    pub(super) is_late: Notify,
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) sessions: HashMap<String, Session>,
    pub(super) starts: Starts,
    member_requests: MemberRequests,
    pub(super) faults: Faults,
    /// Guilds that have removed the bot.
    pub(super) removed: HashSet<Id>,
    /// Breaks all connections off, identified or not.
    pub(super) everyone: CancellationToken,
}

/// Why no session is opened.
pub(super) enum OpenError {
    /// Another shard of the same key has just identified.
    TooSoon,
    /// The day's starts are used up.
    Exhausted,
    /// There are too many connections.
    Full,
}

/// Why a resume is refused.
pub(super) enum ResumeError {
    /// The session is gone, or the missed events are no longer known.
    Invalid,
    /// The client claims events that were never sent.
    SeqAhead,
}

impl Hub {
    pub(crate) fn new(clock: Clock, config: GatewayConfig) -> Self {
        Self { clock, config, inner: Mutex::default(), places: Semaphore::new(MAX_CONNECTIONS), is_late: Notify::new() }
    }

    /// The state; sessions that can no longer be resumed are gone from it.
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest_ms = self.clock.now_ms() - self.config.session_life.as_millis() as i64;
        inner.sessions.retain(|_, session| session.link.is_some() || session.left_ms > oldest_ms);
        inner
    }

    /// Whether any bot is connected.
    pub(crate) fn is_online(&self) -> bool {
        self.inner().sessions.values().any(|session| session.link.is_some())
    }

    /// The bot's status and activities, as its first shard last told them.
    pub(crate) fn presence(&self) -> Value {
        let inner = self.inner();
        let connected = inner.sessions.values().filter(|session| session.link.is_some());
        let Some(session) = connected.min_by_key(|session| session.wishes.shard) else {
            return json!({ "status": "offline", "activities": [] });
        };
        let presence = &session.wishes.presence;
        let status = presence["status"].as_str().unwrap_or("online");
        let activities = presence["activities"].as_array().cloned().unwrap_or_default();
        json!({ "status": if status == "invisible" { "offline" } else { status }, "activities": activities })
    }

    /// `GET /gateway/bot`.
    pub(crate) fn advice(&self, url: &str) -> Value {
        let standing = self.inner().starts.standing(&self.config, self.clock.now_ms());
        json!({ "url": url, "shards": self.config.min_shards.max(1), "session_start_limit": standing })
    }

    /// A connection that [`Hub::drop_all`] reaches before it has a session.
    pub(super) fn cut(&self) -> CancellationToken {
        self.inner().everyone.child_token()
    }

    /// Opens a session and sends its first events.
    pub(super) fn open(&self, id: &str, wishes: Wishes, link: Link, first: &[Dispatch]) -> Result<(), OpenError> {
        let now_ms = self.clock.now_ms();
        let mut inner = self.inner();
        inner.starts.take(&self.config, wishes.shard.0, now_ms).map_err(|error| match error {
            StartError::TooSoon => OpenError::TooSoon,
            StartError::Exhausted => OpenError::Exhausted,
        })?;
        if inner.sessions.len() >= MAX_SESSIONS {
            let left = inner.sessions.iter().filter(|(_, session)| session.link.is_none());
            let oldest = left.min_by_key(|(_, session)| session.left_ms).map(|(id, _)| id.clone());
            inner.sessions.remove(&oldest.ok_or(OpenError::Full)?);
        }
        let mut session = Session::new(wishes, link);
        for event in first {
            if event.kind == "READY" || session.wants(event) {
                session.push(event, now_ms);
            }
        }
        inner.sessions.insert(id.to_owned(), session);
        Ok(())
    }

    /// Continues a session: what was missed after `seq`, then RESUMED. Tells whether its payloads are compressed.
    pub(super) fn resume(&self, id: &str, seq: u64, link: Link) -> Result<bool, ResumeError> {
        let now_ms = self.clock.now_ms();
        let mut inner = self.inner();
        let session = inner.sessions.get_mut(id).ok_or(ResumeError::Invalid)?;
        if seq > session.seq {
            return Err(ResumeError::SeqAhead);
        }
        if !session.remembers(seq) {
            return Err(ResumeError::Invalid);
        }
        session.resume(seq, link, now_ms);
        Ok(session.wishes.wants_compression)
    }

    /// Sends an event to every session that asked for its kind. After GUILD_DELETE nothing comes of that guild until GUILD_CREATE.
    pub(crate) fn dispatch(&self, event: &Dispatch) {
        if let Some(guild) = event.guild.filter(|_| event.kind == "GUILD_CREATE") {
            self.inner().removed.remove(&guild);
        }
        self.give(event);
        if let Some(guild) = event.guild.filter(|_| event.kind == "GUILD_DELETE") {
            self.inner().removed.insert(guild);
        }
    }

    /// Sends an interaction to the sessions of its shard; `false` if there is none.
    pub(crate) fn interact(&self, data: &Value, guild: Option<Id>) -> bool {
        self.give(&Dispatch { guild, ..event("INTERACTION_CREATE", data.clone()) })
    }

    /// Sends an event as the faults let it pass; `false` if nobody wants it.
    fn give(&self, event: &Dispatch) -> bool {
        let now_ms = self.clock.now_ms();
        let mut inner = self.inner();
        let is_removed = event.guild.is_some_and(|guild| inner.removed.contains(&guild));
        if is_removed || !inner.sessions.values().any(|session| session.wants(event)) {
            return false;
        }
        let is_double = inner.faults.doubles();
        if inner.faults.holds(event, is_double, now_ms) {
            self.is_late.notify_one();
        } else {
            inner.send(event, is_double, now_ms);
        }
        true
    }

    /// Sends an event to the one session that asked for it.
    pub(super) fn answer(&self, id: &str, event: &Dispatch) {
        if let Some(session) = self.inner().sessions.get_mut(id) {
            session.push(event, self.clock.now_ms());
        }
    }

    /// What a session asked for, if it is still there.
    pub(super) fn intents(&self, id: &str) -> u64 {
        self.inner().sessions.get(id).map_or(0, |session| session.wishes.intents)
    }

    /// The shard of a session, and the number of shards, if it is still there.
    pub(super) fn shard(&self, id: &str) -> Option<(u64, u64)> {
        self.inner().sessions.get(id).map(|session| session.wishes.shard)
    }

    /// Counts a request for all members of a guild, or tells how long to wait in milliseconds.
    pub(super) fn may_ask_members(&self, guild: Id) -> Result<(), i64> {
        self.inner().member_requests.take(guild, self.clock.now_ms())
    }

    pub(super) fn set_presence(&self, id: &str, presence: Value) {
        if let Some(session) = self.inner().sessions.get_mut(id) {
            session.wishes.presence = presence;
        }
    }

    /// Notes that a connection ended. An ended session cannot be resumed.
    pub(super) fn leave(&self, id: &str, link: &Link, is_ended: bool) {
        let mut inner = self.inner();
        let Some(session) = inner.sessions.get_mut(id) else { return };
        // A newer connection may have resumed the session already.
        if session.link.as_ref().is_some_and(|current| !current.queue.same_channel(&link.queue)) {
            return;
        }
        if session.link.is_some() {
            session.leave(self.clock.now_ms());
        }
        if is_ended {
            inner.sessions.remove(id);
        }
    }

    /// Gives every connection with a session the same thing to do.
    pub(super) fn tell_all(&self, outgoing: impl Fn() -> Outgoing) {
        let now_ms = self.clock.now_ms();
        for session in self.inner().sessions.values_mut() {
            session.send(outgoing(), now_ms);
        }
    }
}

impl Inner {
    pub(super) fn send(&mut self, event: &Dispatch, is_double: bool, now_ms: i64) {
        for session in self.sessions.values_mut().filter(|session| session.wants(event)) {
            session.push(event, now_ms);
            if is_double {
                session.push(event, now_ms);
                if event.kind == "INTERACTION_CREATE" {
                    session.repeat_after_resume(&event.data);
                }
            }
        }
    }
}

/// Sends late events when their time has come, until the stand-in ends.
pub(crate) async fn release_late_events(state: Arc<State>) {
    loop {
        let due_ms = state.hub.release();
        let due = async {
            match due_ms {
                Some(due_ms) => state.clock.sleep_until(due_ms).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = state.hub.is_late.notified() => {}
            () = due => {}
        }
    }
}
