//! What the flow tests share: the real bot, the real engine with the starter model, the stand-in, and a person.

pub mod front;
pub mod log;
pub mod relay;

use std::{net::SocketAddr, time::Duration};

use atelier::{
    cli::sandbox::{RunningSandbox, start_sandbox},
    config::Config,
    discord::{Access, Endpoint},
    jobs::live::Live,
    start,
};
use front::Front;
use image::RgbImage;
use sandbox::{Clock, Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Waiting longer than this is a failure; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Where everything happens.
pub const CHANNEL: &str = "general";

/// How the bot reaches the stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As in `atelier sandbox`: without TLS and without the library's rate limiter.
    Plain,
    /// As `atelier run` reaches Discord: by TLS to discord.com, with the library's rate limiter.
    Production,
}

/// Makes two tests of each function, one a mode.
macro_rules! in_both_modes {
    ($($name:ident),+ $(,)?) => {
        mod plain {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Mode::Plain).await;
                }
            )+
        }
        mod production {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Mode::Production).await;
                }
            )+
        }
    };
}

/// A bot at work beside a stand-in, in this process.
pub struct Studio {
    /// Both of them.
    pub running: RunningSandbox,
    /// The owner of the sandbox's guild.
    pub ada: Visitor,
    /// What stands between them in production mode.
    pub front: Option<Front>,
    _folder: TempDir,
}

impl Studio {
    /// Opens a studio with few steps, so that tests are quick.
    pub async fn open(mode: Mode, change: impl FnOnce(&mut Config)) -> Self {
        Self::open_with_clock(mode, Clock::System, change).await
    }

    /// Opens a studio where stand-in and bot go by the same clock.
    pub async fn open_with_clock(mode: Mode, clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::default();
        config.data.dir = folder.path().to_owned();
        config.defaults.steps = 6;
        config.limits.max_active_per_user = 20;
        config.sandbox.progress_interval_ms = 20;
        config.engine.preview_every = 0;
        change(&mut config);
        let (running, front) = match (mode, &clock) {
            (Mode::Plain, Clock::System) => (start_sandbox(config, SocketAddr::from(([127, 0, 0, 1], 0)), None).await, None),
            _ => start_apart(mode, clock, config).await,
        };
        let running = running.expect("the studio opens");
        if let Some(front) = &front {
            assert!(front.n_connections() > 0, "the bot speaks TLS");
        }
        let ada = Visitor::connect(running.stand_in.url(), "ada").await.expect("ada enters");
        Self { running, ada, front, _folder: folder }
    }

    /// Another person.
    pub async fn visitor(&self, name: &str) -> Visitor {
        Visitor::connect(self.running.stand_in.url(), name).await.expect("the person enters")
    }

    /// Ends in order. The bot must have kept to Discord's description of its API.
    pub async fn close(self) {
        let RunningSandbox { bot, stand_in } = self.running;
        let ended = bot.stop().await;
        let violations = stand_in.violations();
        // What is told below is told once.
        stand_in.forgive_violations();
        stand_in.shutdown().await;
        assert!(violations.is_empty(), "{violations:#?}");
        ended.expect("an orderly end");
    }
}

/// Starts stand-in and bot one after the other, with what the mode asks for between them.
async fn start_apart(mode: Mode, clock: Clock, config: Config) -> (anyhow::Result<RunningSandbox>, Option<Front>) {
    let data_dir = Some(config.data.dir.join("stand-in"));
    // The front hands the bot's requests on as they are.
    let names = front::NAMES.map(str::to_owned).to_vec();
    let files_url = (mode == Mode::Production).then(|| "https://cdn.discordapp.com".to_owned());
    let stand_in = SandboxConfig { data_dir, names, files_url, ..SandboxConfig::default() };
    let stand_in = Sandbox::start_with_clock(stand_in, clock.clone()).await.expect("the stand-in starts");
    let front = match mode {
        Mode::Plain => None,
        Mode::Production => Some(Front::open(stand_in.address()).await),
    };
    let endpoint = front.as_ref().map_or_else(|| Endpoint::StandIn(stand_in.url().to_owned()), |front| Endpoint::Front(front.way()));
    let interval = Duration::from_millis(config.sandbox.progress_interval_ms);
    let access = Access { token: stand_in.token().to_owned(), endpoint };
    let running = match start::start(config, access, clock.into(), interval).await {
        Ok(bot) => {
            bot.ready().await;
            Ok(RunningSandbox { bot, stand_in })
        }
        Err(error) => Err(error),
    };
    (running, front)
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

/// Lets others work before something is looked at again: what is looked at without a pause takes a processor from whoever brings it about.
pub async fn pause() {
    tokio::time::interval_at(tokio::time::Instant::now() + Duration::from_millis(5), Duration::from_secs(1)).tick().await;
}

/// Waits for a message for this person alone whose text has these words.
pub async fn told(visitor: &Visitor, words: &str) -> Value {
    let message = message_with(visitor, words).await;
    assert_eq!(message["flags"].as_u64().unwrap_or_default() & 64, 64, "only the caller sees {message}");
    message
}

/// Deletes a finished job's message: asked for, and confirmed.
pub async fn delete(visitor: &Visitor, message: &Value) {
    visitor.press(id(message), "❌").await.expect("sent");
    let asks = |found: &&Value| id(found) == id(message) && buttons(found).iter().flatten().any(|label| label == "Delete for good");
    visitor.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(asks).map(|_| ())).await.expect("it is asked");
    visitor.press(id(message), "Delete for good").await.expect("sent");
    let is_gone = |messages: &[Value]| (!messages.iter().any(|found| id(found) == id(message))).then_some(());
    visitor.wait_for(CHANNEL, PATIENCE, is_gone).await.expect("deleted");
}

/// Waits until a job that has not ended has come to something; its message may be edited much later.
pub async fn noted(studio: &Studio, is_so: impl Fn(&Live) -> bool) {
    let board = &studio.running.bot.app.board;
    let wait = async {
        while !board.live.iter().any(|live| is_so(&live)) {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is noted");
}

/// A message's first picture.
pub async fn picture(visitor: &Visitor, message: &Value) -> RgbImage {
    let bytes = visitor.attachment_bytes(message, 0).await.expect("the attachment is served");
    image::load_from_memory(&bytes).expect("a picture").into_rgb8()
}
