//! What the flow tests share: the real bot, the real engine with the starter model, the stand-in, and a person.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::{net::SocketAddr, time::Duration};

use atelier::{
    cli::sandbox::{RunningSandbox, start_sandbox},
    config::Config,
};
use image::RgbImage;
use sandbox::Visitor;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Waiting longer than this is a failure; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Where everything happens.
pub const CHANNEL: &str = "general";

/// A bot at work beside a stand-in, in this process.
pub struct Studio {
    /// Both of them.
    pub running: RunningSandbox,
    /// The owner of the sandbox's guild.
    pub ada: Visitor,
    folder: TempDir,
}

impl Studio {
    /// Opens a studio with few steps, so that tests are quick.
    pub async fn open(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::default();
        config.data.dir = folder.path().to_owned();
        config.defaults.steps = 6;
        config.limits.max_active_per_user = 20;
        config.sandbox.progress_interval_ms = 20;
        config.engine.preview_every = 1;
        change(&mut config);
        let running = start_sandbox(config, SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("the studio opens");
        let ada = Visitor::connect(running.stand_in.url(), "ada").await.expect("ada enters");
        Self { running, ada, folder }
    }

    /// Another person.
    pub async fn visitor(&self, name: &str) -> Visitor {
        Visitor::connect(self.running.stand_in.url(), name).await.expect("the person enters")
    }

    /// Ends in order.
    pub async fn close(self) {
        self.running.stop().await.expect("an orderly end");
    }
}

/// Options of a command.
pub fn prompt(text: &str) -> [(&'static str, Value); 1] {
    [("prompt", json!(text))]
}

/// The labels (or emoji) of a message's buttons, row by row.
pub fn buttons(message: &Value) -> Vec<Vec<String>> {
    let label = |button: &Value| button["label"].as_str().or(button["emoji"]["name"].as_str()).unwrap_or_default().to_owned();
    let row = |row: &Value| row["components"].as_array().into_iter().flatten().map(label).collect();
    message["components"].as_array().into_iter().flatten().map(row).collect()
}

/// A message's id.
pub fn id(message: &Value) -> &str {
    message["id"].as_str().expect("messages have ids")
}

/// A message's text.
pub fn content(message: &Value) -> &str {
    message["content"].as_str().unwrap_or_default()
}

/// Whether a message is a finished grid.
pub fn is_grid(message: &Value) -> bool {
    buttons(message).first().is_some_and(|row| row.first().is_some_and(|label| label == "U1"))
}

/// Waits for the n-th grid (from 1) of the channel.
pub async fn nth_grid(visitor: &Visitor, n: usize) -> Value {
    visitor
        .wait_for(CHANNEL, PATIENCE, |messages| messages.iter().filter(|message| is_grid(message)).nth(n - 1).cloned())
        .await
        .expect("the grid comes")
}

/// Waits for a message whose text has these words.
pub async fn message_with(visitor: &Visitor, words: &str) -> Value {
    visitor
        .wait_for(CHANNEL, PATIENCE, |messages| messages.iter().rev().find(|message| content(message).contains(words)).cloned())
        .await
        .unwrap_or_else(|error| panic!("no message says {words:?}: {error}"))
}

/// Waits for a message for this person alone whose text has these words.
pub async fn told(visitor: &Visitor, words: &str) -> Value {
    let message = message_with(visitor, words).await;
    assert_eq!(message["flags"].as_u64().unwrap_or_default() & 64, 64, "only the caller sees {message}");
    message
}

/// A message's first picture.
pub async fn picture(visitor: &Visitor, message: &Value) -> RgbImage {
    let bytes = visitor.attachment_bytes(message, 0).await.expect("the attachment is served");
    image::load_from_memory(&bytes).expect("a picture").into_rgb8()
}
