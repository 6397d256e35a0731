//! What goes wrong on demand: a list of faults that requests meet, decided by one seed.

use crate::{journal::Fields, rest::rate_limit::Scope, state::State, world::WorldFaults};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// More faults at once than this are refused.
const N_ACTIVE: usize = 1000;

/// What kind of thing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The answer comes `ms` later, by the stand-in's clock.
    Latency,
    /// 429; `ms` is how long to wait, `scope` whose limit it is.
    RateLimit,
    /// `status`: 500 with JSON, 502 to 504 with the HTML of a proxy.
    ServerError,
    /// The connection is reset before the body was read.
    Reset,
    /// The request is carried out, and the connection is reset before its answer.
    LostAnswer,
    /// The answer begins, and its body trickles in for `ms`, by the stand-in's clock. One without a body comes at once.
    SlowBody,
    /// Every gateway connection breaks off.
    GatewayDrop,
    /// The gateway accepts everything and says nothing, until the fault is removed.
    HalfOpen,
    /// Every session ends.
    InvalidSession,
    /// Every client is asked to come again.
    Reconnect,
    /// Every connection is closed with `code`.
    Close,
    /// The next `count` events come twice.
    DuplicateEvents,
    /// The next `count` events come `ms` late.
    LateEvents,
    /// REST and gateway refuse the token, until the fault is removed.
    TokenRevoked,
    /// `guild` removes the bot, until the fault is removed.
    GuildRemoved,
    /// `guild` or `channel` takes `permission` from the bot.
    PermissionRemoved,
    /// Messages with `word` are blocked.
    Automod,
}

const KINDS: &[FaultKind] = {
    use FaultKind::*;
    &[
        Latency,
        RateLimit,
        ServerError,
        Reset,
        LostAnswer,
        SlowBody,
        GatewayDrop,
        HalfOpen,
        InvalidSession,
        Reconnect,
        Close,
        DuplicateEvents,
        LateEvents,
        TokenRevoked,
        GuildRemoved,
        PermissionRemoved,
        Automod,
    ]
};

/// What somebody took from the bot, rather than what happens to its connections.
pub(crate) const STANDING: &[FaultKind] =
    &[FaultKind::TokenRevoked, FaultKind::GuildRemoved, FaultKind::PermissionRemoved, FaultKind::Automod];

/// A fault to come.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many requests or events it meets; `None` is until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How likely a request meets it, 0.0 to 1.0.
    #[serde(default = "certain")]
    pub probability: f64,
    /// `POST /channels`: a method, or `*`, and the beginning of a path, in which `*` is any one segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// How long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// Whose limit a 429 is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// The status of a server error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The code of a close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The guild that removes the bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guild: Option<String>,
    /// The channel of a removed permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The permission, such as `ATTACH_FILES`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// The blocked word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
}

fn certain() -> f64 {
    1.0
}

impl Fault {
    /// A fault that every request or event meets until it is removed.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            count: None,
            probability: 1.0,
            route: None,
            ms: None,
            scope: None,
            status: None,
            code: None,
            guild: None,
            channel: None,
            permission: None,
            word: None,
        }
    }

    fn is_of_http(&self) -> bool {
        use FaultKind::*;
        matches!(self.kind, Latency | RateLimit | ServerError | Reset | LostAnswer | SlowBody)
    }

    fn concerns(&self, method: &str, segments: &[&str]) -> bool {
        let Some(route) = &self.route else { return true };
        let (wanted, path) = route.split_once(' ').unwrap_or(("*", route));
        let parts: Vec<&str> = path.trim_matches('/').split('/').filter(|part| !part.is_empty()).collect();
        (wanted == "*" || wanted.eq_ignore_ascii_case(method))
            && parts.len() <= segments.len()
            && parts.iter().zip(segments).all(|(part, given)| *part == "*" || part == given)
    }
}

struct Active {
    id: u64,
    fault: Fault,
}

struct Inner {
    rng: fastrand::Rng,
    last_id: u64,
    active: Vec<Active>,
}

/// The faults of a running stand-in.
pub(crate) struct Faults {
    seed: u64,
    inner: Mutex<Inner>,
    /// Tells [`crate::standing::keep`] that a fault began or ended.
    pub(crate) are_changed: Notify,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            inner: Mutex::new(Inner { rng: fastrand::Rng::with_seed(seed), last_id: 0, active: Vec::new() }),
            are_changed: Notify::new(),
        }
    }

    /// The faults that outlive the process.
    pub(crate) fn standing(&self) -> Vec<Fault> {
        let inner = self.inner();
        inner.active.iter().filter(|active| STANDING.contains(&active.fault.kind)).map(|active| active.fault.clone()).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults that this request meets; one of a kind is enough.
    pub(crate) fn meet(&self, method: &str, segments: &[&str]) -> Vec<Fault> {
        let mut inner = self.inner();
        let Inner { rng, active, .. } = &mut *inner;
        let mut met: Vec<Fault> = Vec::new();
        for Active { fault, .. } in active.iter_mut().filter(|active| active.fault.is_of_http()) {
            let is_met = fault.count != Some(0) && fault.concerns(method, segments) && rng.f64() < fault.probability;
            if is_met && !met.iter().any(|other| other.kind == fault.kind) {
                fault.count = fault.count.map(|count| count - 1);
                met.push(fault.clone());
            }
        }
        active.retain(|active| active.fault.count != Some(0) || !active.fault.is_of_http());
        met
    }

    pub(crate) fn list(&self) -> Value {
        let describe = |active: &Active| {
            let mut fault = json!(active.fault);
            fault["id"] = json!(active.id.to_string());
            fault
        };
        let active: Vec<Value> = self.inner().active.iter().map(describe).collect();
        json!({ "seed": self.seed, "active": active, "kinds": KINDS })
    }
}

/// Starts a fault. One that is over at once, such as a dropped connection, is not listed.
pub(crate) fn begin(state: &State, fault: Fault) -> Result<u64, String> {
    use FaultKind::*;
    if !(0.0..=1.0).contains(&fault.probability) {
        return Err(format!("probability {} is not between 0 and 1", fault.probability));
    }
    if fault.status.is_some_and(|status| !(500..=599).contains(&status)) {
        return Err("status must be between 500 and 599".to_owned());
    }
    if state.faults.inner().active.len() >= N_ACTIVE {
        return Err(format!("there are {N_ACTIVE} faults already"));
    }
    let n_events = fault.count.unwrap_or(u64::MAX);
    let lasts = match fault.kind {
        Latency | RateLimit | ServerError | Reset | LostAnswer | SlowBody => fault.count != Some(0),
        GatewayDrop => {
            state.hub.drop_all();
            state.announce_bot();
            false
        }
        HalfOpen => {
            state.hub.half_open(true);
            true
        }
        InvalidSession => {
            state.hub.invalidate(false);
            false
        }
        Reconnect => {
            state.hub.reconnect();
            false
        }
        Close => {
            let code = fault.code.unwrap_or(4000);
            if !(1000..=4999).contains(&code) {
                return Err("code must be between 1000 and 4999".to_owned());
            }
            state.hub.close(code);
            false
        }
        DuplicateEvents => {
            state.hub.duplicate_events(n_events);
            fault.count.is_none()
        }
        LateEvents => {
            state.hub.delay_events(fault.ms.unwrap_or(1000), n_events);
            fault.count.is_none()
        }
        TokenRevoked => {
            state.hub.revoke_token();
            true
        }
        GuildRemoved => {
            WorldFaults { state }.remove_guild(guild(state, &fault)?);
            true
        }
        PermissionRemoved => {
            let permission = fault.permission.as_deref().ok_or("this fault needs a permission, such as ATTACH_FILES")?;
            if !(WorldFaults { state }).remove_permission(guild(state, &fault)?, fault.channel.as_deref(), permission) {
                return Err(format!("there is no permission {permission}"));
            }
            true
        }
        Automod => {
            let word = fault.word.as_deref().filter(|word| !word.trim().is_empty()).ok_or("this fault needs a word")?;
            state.world.block_word(word, fault.count);
            fault.count.is_none()
        }
    };
    let mut data = json!(fault);
    let mut inner = state.faults.inner();
    inner.last_id += 1;
    let id = inner.last_id;
    if lasts {
        inner.active.push(Active { id, fault });
    }
    drop(inner);
    data["id"] = json!(id.to_string());
    tell(state, data);
    Ok(id)
}

/// Ends a fault; `false` if there is none with this number.
pub(crate) fn end(state: &State, id: u64) -> bool {
    let mut inner = state.faults.inner();
    let Some(n) = inner.active.iter().position(|active| active.id == id) else { return false };
    let Active { fault, .. } = inner.active.remove(n);
    let aim = |fault: &Fault| (fault.guild.clone(), fault.channel.clone(), fault.permission.clone(), fault.word.clone());
    let is_last = !inner.active.iter().any(|other| other.fault.kind == fault.kind && aim(&other.fault) == aim(&fault));
    drop(inner);
    match fault.kind {
        FaultKind::HalfOpen if is_last => state.hub.half_open(false),
        FaultKind::DuplicateEvents if is_last => state.hub.duplicate_events(0),
        FaultKind::LateEvents if is_last => state.hub.delay_events(0, 0),
        FaultKind::TokenRevoked if is_last => state.hub.restore_token(),
        FaultKind::GuildRemoved if is_last => WorldFaults { state }.restore_guild(fault.guild.as_deref().unwrap_or_default()),
        FaultKind::PermissionRemoved if is_last => {
            let (guild, permission) = (fault.guild.as_deref().unwrap_or_default(), fault.permission.as_deref().unwrap_or_default());
            WorldFaults { state }.restore_permission(guild, fault.channel.as_deref(), permission);
        }
        FaultKind::Automod if is_last => state.world.unblock_word(fault.word.as_deref().unwrap_or_default()),
        _ => {}
    }
    let mut data = json!(fault);
    data["id"] = json!(id.to_string());
    data["ended"] = json!(true);
    tell(state, data);
    true
}

/// Ends all faults.
pub(crate) fn end_all(state: &State) {
    let ids: Vec<u64> = state.faults.inner().active.iter().map(|active| active.id).collect();
    for id in ids {
        end(state, id);
    }
    // Those for a number of events or messages are not listed.
    state.hub.duplicate_events(0);
    state.hub.delay_events(0, 0);
    state.world.unblock_words();
}

fn guild<'a>(state: &State, fault: &'a Fault) -> Result<&'a str, String> {
    let named = fault.guild.as_deref().ok_or("this fault needs a guild")?;
    let is_known = named.parse().is_ok_and(|id| state.world.now().guild(id).is_some());
    if is_known { Ok(named) } else { Err(format!("there is no guild {named}")) }
}

fn tell(state: &State, data: Value) {
    state.write_down("fault", Fields::default().with("fault", &data));
    state.events.push("fault", None, data);
    state.faults.are_changed.notify_one();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(seed: u64, fault: Fault) -> Faults {
        let faults = Faults::new(seed);
        faults.inner().active.push(Active { id: 1, fault });
        faults
    }

    #[test]
    fn the_seed_decides() {
        let half = Fault { probability: 0.5, ..Fault::new(FaultKind::Reset) };
        let run = |seed| {
            let faults = faults(seed, half.clone());
            (0..64).map(|_| !faults.meet("GET", &["gateway"]).is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert!(run(1).contains(&true) && run(1).contains(&false));
    }

    #[test]
    fn routes_and_counts_limit_a_fault() {
        let fault = Fault { count: Some(2), route: Some("POST /channels/*/messages".to_owned()), ..Fault::new(FaultKind::ServerError) };
        let faults = faults(1, fault);
        let meets = |method, path: &str| !faults.meet(method, &path.split('/').collect::<Vec<_>>()).is_empty();
        assert!(!meets("GET", "channels/7/messages"));
        assert!(!meets("POST", "channels/7"));
        assert!(meets("POST", "channels/7/messages"));
        assert!(meets("POST", "channels/8/messages/9"));
        assert!(!meets("POST", "channels/7/messages"), "two requests met it");
    }
}
