//! What is heard while the storm goes on: who asked for what, what was acknowledged, and which messages there are to press on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sandbox::{Visitor, VisitorError};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

use super::{
    message::{Button, Message},
    page::Page,
};
use crate::support::CHANNEL;

/// The journal is read this often even if nothing is heard.
const LULL: Duration = Duration::from_millis(250);

/// A use of a command or a button.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The command's name, or the button's custom id.
    pub what: String,
    /// The type of the bot's first answer, once Discord has it.
    pub acknowledged: Option<u64>,
}

/// What was heard so far.
#[derive(Default)]
struct Known {
    asked: BTreeMap<u64, Asked>,
    messages: BTreeMap<u64, Message>,
    is_online: bool,
    n_acknowledged: u64,
    n_endings: u64,
}

/// Listens.
pub struct Heard {
    known: Mutex<Known>,
    /// Lines of the journal so far.
    n_lines: watch::Sender<u64>,
}

impl Heard {
    /// Listens from now on, as somebody who sees the channel.
    pub fn listen(page: Page, visitor: Visitor) -> (Arc<Self>, JoinHandle<()>) {
        let heard = Arc::new(Self { known: Mutex::default(), n_lines: watch::Sender::new(0) });
        let listening = tokio::spawn(Arc::clone(&heard).follow(page, visitor));
        (heard, listening)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(self: Arc<Self>, page: Page, visitor: Visitor) {
        let (mut seq, mut line) = (visitor.seq().await.expect("the stand-in answers"), 0);
        loop {
            match visitor.events(seq, LULL).await {
                Ok((next, events)) => {
                    seq = next;
                    self.known().hear(&events);
                }
                // What was missed is seen at the next edit.
                Err(VisitorError::Refused { status: 410, .. }) => seq = visitor.seq().await.expect("the stand-in answers"),
                Err(error) => panic!("the stand-in does not answer: {error}"),
            }
            loop {
                let (next, lines) = page.journal(line).await;
                self.known().read(&lines);
                line = next;
                self.n_lines.send_replace(line);
                if lines.is_empty() {
                    break;
                }
            }
        }
    }

    /// Uses of commands and buttons, by the interaction's id.
    pub fn asked(&self) -> BTreeMap<u64, Asked> {
        self.known().asked.clone()
    }

    /// How many were acknowledged.
    pub fn n_acknowledged(&self) -> u64 {
        self.known().n_acknowledged
    }

    /// How many messages came to show an ending.
    pub fn n_endings(&self) -> u64 {
        self.known().n_endings
    }

    /// Whether Discord sees the bot.
    pub fn is_online(&self) -> bool {
        self.known().is_online
    }

    /// How many messages in public say that something is still to come.
    pub fn n_unfinished(&self) -> usize {
        self.known().messages.values().filter(|message| message.is_unfinished()).count()
    }

    /// The buttons of the newest `n` messages in public, each with its message.
    pub fn buttons(&self, n: usize) -> Vec<(u64, Button)> {
        let known = self.known();
        let newest = known.messages.values().rev().take(n);
        newest.flat_map(|message| message.buttons.iter().map(|button| (message.id, button.clone()))).collect()
    }

    /// Waits until the journal has `n` more lines, but no longer than `at_most`.
    pub async fn more(&self, n: u64, at_most: Duration) {
        let mut lines = self.n_lines.subscribe();
        let until = *lines.borrow_and_update() + n;
        // Whether it did is of no matter.
        let _ = tokio::time::timeout(at_most, lines.wait_for(|line| *line >= until)).await;
    }
}

impl Known {
    fn hear(&mut self, events: &[Value]) {
        for event in events {
            let data = &event["data"];
            match event["type"].as_str() {
                Some("message_create" | "message_update") => {
                    let Some(message) = Message::read(data).filter(|message| !message.is_alone) else { continue };
                    let shows = message.shows().is_some();
                    let before = self.messages.insert(message.id, message);
                    self.n_endings += u64::from(shows && before.is_none_or(|before| before.shows().is_none()));
                }
                Some("message_delete") => {
                    data["id"].as_str().and_then(|id| id.parse().ok()).map(|id: u64| self.messages.remove(&id));
                }
                Some("bot") => self.is_online = data["online"] == true,
                _ => {}
            }
        }
    }

    fn read(&mut self, lines: &[Value]) {
        for line in lines {
            if line["t"] == "INTERACTION_CREATE" && line["direction"] == "to_bot" {
                let body = &line["body"];
                let what = body["data"]["name"].as_str().or(body["data"]["custom_id"].as_str()).unwrap_or_default();
                if let Some(id) = body["id"].as_str().and_then(|id| id.parse().ok()) {
                    self.asked.entry(id).or_default().what = what.to_owned();
                }
            }
            let is_taken = line["status"].as_u64().is_some_and(|status| (200..300).contains(&status));
            if line["kind"] == "rest" && line["method"] == "POST" && is_taken {
                let path: Vec<&str> = line["path"].as_str().unwrap_or_default().split('/').collect();
                if let ["", "interactions", id, _, "callback"] = path[..] {
                    let asked = self.asked.entry(id.parse().expect("a number")).or_default();
                    // A long one is kept as a text: then it has a message in it.
                    asked.acknowledged = Some(line["request"]["type"].as_u64().unwrap_or(4));
                    self.n_acknowledged += 1;
                }
            }
        }
    }
}

/// The channel where everything happens.
pub async fn channel(page: &Page, user: &str) -> (String, String) {
    let state = page.get("/state", &[("user", user.to_owned())]).await;
    let channels = state["guilds"][0]["channels"].as_array().expect("a guild has channels");
    let found = channels.iter().find(|channel| channel["name"] == CHANNEL).expect("the channel is there");
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    (text(&found["id"]), text(&state["dm"]["id"]))
}
