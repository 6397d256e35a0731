use crate::{
    clock::Clock,
    events::EventLog,
    faults::Faults,
    files::{FileStore, Signer},
    gateway::Hub,
    guard::Guard,
    http::ConnectionLimits,
    interact::Waiting,
    journal::{Fields, Journal},
    oracle::Violations,
    page_api::ideas::Idea,
    rest::rate_limit::RateLimits,
    store::Store,
    world::{Id, World},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Everything that the parts of a running stand-in share.
pub(crate) struct State {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// What the addresses of files begin with.
    pub(crate) files_url: String,
    pub(crate) token: String,
    /// What the page is called.
    pub(crate) title: String,
    /// Whether the page may tell the token.
    pub(crate) tells_token: bool,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) files: FileStore,
    pub(crate) hub: Hub,
    pub(crate) events: EventLog,
    pub(crate) rate_limits: RateLimits,
    pub(crate) limits: ConnectionLimits,
    /// People whose autocomplete waits for the bot, by interaction.
    pub(crate) suggestions: Suggestions,
    /// Interactions whose first answer is waited for.
    pub(crate) waiting: mpsc::UnboundedSender<Waiting>,
    /// Without a directory, old messages are forgotten.
    pub(crate) is_in_memory: bool,
    /// Messages since the start.
    pub(crate) n_messages: AtomicU64,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// `ws://127.0.0.1:PORT` of the second port, which only resumes should use.
    pub(crate) resume_url: Option<String>,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) violations: Violations,
    /// Whether requests and answers are checked against Discord's description.
    pub(crate) validates: bool,
    /// What an empty channel offers.
    pub(crate) ideas: Vec<Idea>,
    /// Who is answered at all.
    pub(crate) guard: Guard,
    pub(crate) world: World,
}

impl State {
    pub(crate) fn signer(&self) -> Signer<'_> {
        Signer::new(&self.files_url, &self.store, &self.clock)
    }

    /// The address of the gateway.
    pub(crate) fn gateway_url(&self) -> String {
        self.url.replacen("http", "ws", 1)
    }

    /// Keeps, journals and shows what breaks Discord's description.
    pub(crate) fn violate(&self, direction: &'static str, method: &str, segments: &[&str], message: String) {
        let violation = self.violations.add(direction, method, segments, message);
        tracing::warn!("a violation of Discord's API description, {direction} {method} {}: {}", violation.path, violation.message);
        let violation = json!(violation);
        self.write_down("violation", Fields::default().with("violation", &violation));
        self.events.push("violation", None, violation);
    }

    /// Journals and shows what a bot does that is allowed but not as Discord asks for it.
    pub(crate) fn note(&self, message: &str) {
        tracing::warn!("{message}");
        self.write_down("note", Fields::default().with("message", message));
        self.events.push("note", None, json!({ "message": message }));
    }

    /// Writes a line of the journal, by the stand-in's clock.
    pub(crate) fn write_down(&self, kind: &str, fields: Fields) {
        self.journal.write(self.clock.now_ms(), kind, fields);
    }

    /// Tells people whether a bot is there, after a connection came or went.
    pub(crate) fn announce_bot(&self) {
        let mut bot = self.hub.presence();
        bot["online"] = json!(self.hub.is_online());
        self.events.push("bot", None, bot);
    }
}

/// Where the answers to autocomplete questions go.
#[derive(Default)]
pub(crate) struct Suggestions {
    waiting: Mutex<HashMap<Id, oneshot::Sender<Value>>>,
}

impl Suggestions {
    /// Starts to wait for the answer to an interaction.
    pub(crate) fn expect(&self, interaction: Id) -> oneshot::Receiver<Value> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A person who went away no longer waits.
        waiting.retain(|_, sender| !sender.is_closed());
        waiting.insert(interaction, sender);
        receiver
    }

    pub(crate) fn answer(&self, interaction: Id, choices: Value) {
        let sender = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&interaction);
        if let Some(sender) = sender {
            // Nobody listens when the person stopped waiting.
            let _ = sender.send(choices);
        }
    }
}
