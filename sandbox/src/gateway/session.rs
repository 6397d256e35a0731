use super::{Dispatch, EVENT_KINDS, INTENT_GUILD_MEMBERS, INTENT_GUILD_PRESENCES, INTENT_MESSAGE_CONTENT, intents};
use crate::{
    privacy::{is_bot, without_content},
    validate::items,
    world::{APPLICATION, Id},
};
use serde_json::{Value, json};
use std::{borrow::Cow, collections::VecDeque, fmt::Write, sync::Arc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A resume may ask for this many events.
const N_REPLAYABLE: usize = 1000;
/// Interactions that are sent once more after a resume.
const N_AGAIN: usize = 16;

/// An event as it is sent.
pub(super) struct Sent {
    pub(super) kind: &'static str,
    pub(super) seq: u64,
    pub(super) payload: String,
    /// Where the event's data begins in `payload`.
    data_starts: usize,
}

impl Sent {
    fn new(kind: &'static str, seq: u64, data: &Value) -> Arc<Self> {
        let mut payload = format!(r#"{{"op":0,"s":{seq},"t":"{kind}","d":"#);
        let data_starts = payload.len();
        // Writing into a text cannot fail.
        let _ = write!(payload, "{data}}}");
        Arc::new(Self { kind, seq, payload, data_starts })
    }

    /// The event's data, as JSON.
    pub(super) fn data(&self) -> &str {
        &self.payload[self.data_starts..self.payload.len() - 1]
    }
}

/// What a connection's task is told to do.
pub(super) enum Outgoing {
    /// Send an event.
    Event(Arc<Sent>),
    /// Ask the client for a heartbeat.
    AskHeartbeat,
    /// Ask the client to come again, and close if it stays.
    Reconnect,
    /// Tell the client that its session is invalid, and whether it may be resumed.
    Invalidate { is_resumable: bool },
    /// Close with this code.
    Close(u16),
}

/// The way to a connection's task.
#[derive(Clone)]
pub(crate) struct Link {
    pub(super) queue: mpsc::Sender<Outgoing>,
    /// Breaks the connection off.
    pub(super) cut: CancellationToken,
}

/// What a client asked for when it identified.
pub(super) struct Wishes {
    pub(super) intents: u64,
    /// Shard number and number of shards.
    pub(super) shard: (u64, u64),
    pub(super) wants_compression: bool,
    pub(super) presence: Value,
}

/// What a bot is subscribed to and what it has been sent.
pub(super) struct Session {
    pub(super) wishes: Wishes,
    pub(super) seq: u64,
    replay: VecDeque<Arc<Sent>>,
    /// The newest event that a resume can no longer have.
    forgotten: u64,
    pub(super) link: Option<Link>,
    pub(super) left_ms: i64,
    /// Interactions to be sent once more after a resume.
    again: VecDeque<Value>,
}

impl Session {
    pub(super) fn new(wishes: Wishes, link: Link) -> Self {
        Self { wishes, seq: 0, replay: VecDeque::new(), forgotten: 0, link: Some(link), left_ms: 0, again: VecDeque::new() }
    }

    pub(super) fn handles(&self, guild: Option<Id>) -> bool {
        handles(self.wishes.shard, guild)
    }

    /// Whether an event is for this session's shard and intents.
    pub(super) fn wants(&self, event: &Dispatch) -> bool {
        // A bot hears of itself in any case.
        let is_own = event.kind == "GUILD_MEMBER_UPDATE" && is_bot(&event.data["user"]);
        let needed = if is_own { 0 } else { intents::needed(event.kind, event.guild.is_some()).unwrap_or(event.intent) };
        self.handles(event.guild) && (needed == 0 || self.wishes.intents & needed != 0) && self.may_know_members(event)
    }

    /// Who else joins or leaves a thread is told to those who hear of all members.
    fn may_know_members(&self, event: &Dispatch) -> bool {
        let joined = items(&event.data["added_members"]).iter().map(|member| &member["user_id"]);
        let left = items(&event.data["removed_member_ids"]).iter();
        let bot = APPLICATION.to_string();
        event.kind != "THREAD_MEMBERS_UPDATE"
            || self.wishes.intents & INTENT_GUILD_MEMBERS != 0
            || joined.chain(left).any(|user| *user == bot.as_str())
    }

    /// Numbers an event, keeps it for a resume and sends it if somebody is connected.
    pub(super) fn push(&mut self, event: &Dispatch, now_ms: i64) {
        // A kind that no test reads with another library must not slip in.
        debug_assert!(EVENT_KINDS.contains(&event.kind), "{} is missing from EVENT_KINDS", event.kind);
        self.seq += 1;
        let sent = Sent::new(event.kind, self.seq, &self.shown(event));
        if event.kind != "RESUMED" {
            if self.replay.len() == N_REPLAYABLE
                && let Some(oldest) = self.replay.pop_front()
            {
                self.forgotten = oldest.seq;
            }
            self.replay.push_back(Arc::clone(&sent));
        }
        self.send(Outgoing::Event(sent), now_ms);
    }

    /// The event as the intents of this session show it.
    fn shown<'a>(&self, event: &'a Dispatch) -> Cow<'a, Value> {
        let lacks = |intent| self.wishes.intents & intent == 0;
        if event.is_private && lacks(INTENT_MESSAGE_CONTENT) {
            return Cow::Owned(without_content(&event.data));
        }
        if event.kind == "GUILD_CREATE" && lacks(INTENT_GUILD_PRESENCES) {
            return Cow::Owned(without_people(&event.data));
        }
        Cow::Borrowed(&event.data)
    }

    /// A client that does not read loses its connection; the replay has what it missed.
    pub(super) fn send(&mut self, outgoing: Outgoing, now_ms: i64) {
        let Some(link) = &self.link else { return };
        if link.queue.try_send(outgoing).is_err() {
            link.cut.cancel();
            self.leave(now_ms);
        }
    }

    pub(super) fn leave(&mut self, now_ms: i64) {
        self.link = None;
        self.left_ms = now_ms;
    }

    /// Whether everything after `seq` is still known.
    pub(super) fn remembers(&self, seq: u64) -> bool {
        seq >= self.forgotten
    }

    /// Takes a new connection, sends what was missed after `seq`, then RESUMED.
    pub(super) fn resume(&mut self, seq: u64, link: Link, now_ms: i64) {
        if let Some(previous) = self.link.replace(link) {
            previous.cut.cancel();
        }
        let missed: Vec<Arc<Sent>> = self.replay.iter().filter(|sent| sent.seq > seq).cloned().collect();
        for sent in missed {
            self.send(Outgoing::Event(sent), now_ms);
        }
        self.push(&event("RESUMED", json!({ "_trace": [] })), now_ms);
        for data in std::mem::take(&mut self.again) {
            self.push(&event("INTERACTION_CREATE", data), now_ms);
        }
    }

    /// Keeps an interaction that is to be sent once more after a resume.
    pub(super) fn repeat_after_resume(&mut self, data: &Value) {
        if self.again.len() == N_AGAIN {
            self.again.pop_front();
        }
        self.again.push_back(data.clone());
    }
}

/// Whether a shard of so many gets the events of a guild; those of no guild go to the first.
pub(super) fn handles((number, n_shards): (u64, u64), guild: Option<Id>) -> bool {
    guild.map_or(number == 0, |guild| (guild.unsigned_abs() >> 22) % n_shards == number)
}

/// An event that needs no intent and belongs to no guild.
pub(super) fn event(kind: &'static str, data: Value) -> Dispatch {
    Dispatch { kind, data, intent: 0, guild: None, is_private: false }
}

/// Without the presence intent, GUILD_CREATE has no member but the bot.
fn without_people(guild: &Value) -> Value {
    let mut alone = guild.clone();
    if let Some(members) = alone["members"].as_array_mut() {
        members.retain(|member| is_bot(&member["user"]));
    }
    alone["presences"] = json!([]);
    alone
}
