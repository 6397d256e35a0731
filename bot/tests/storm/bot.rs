//! The bot as a process of its own, which can be killed.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use atelier::{
    cli,
    config::Config,
    discord::{self, Access, Endpoint},
    start,
    system::{clock::Clock, log},
};
use rustix::process::{Pid, Signal, kill_process};
use sandbox::SandboxConfig;
use tokio::process::{Child, Command};

use crate::support::{PATIENCE, front::Front};

/// Its address of Discord, for [`the_bot_in_the_storm`].
const FRONT: &str = "ATELIER_STORM_FRONT";
/// Its folder.
const FOLDER: &str = "ATELIER_STORM_FOLDER";
/// Between two edits of a job's progress: often, so that kills meet them.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Not a test of its own: the storm starts it as a process, to kill it. From here on it does what `atelier run` does.
#[tokio::test(flavor = "multi_thread")]
async fn the_bot_in_the_storm() {
    let (Ok(address), Ok(folder)) = (std::env::var(FRONT), std::env::var(FOLDER)) else { return };
    log::start("warn,atelier=info");
    let home = Home { folder: folder.into() };
    let read = |name: &str| std::fs::read(home.folder.join(name)).expect("readable");
    let mut config = Config::parse(&String::from_utf8(read("atelier.toml")).expect("text")).expect("a configuration");
    config.data.dir = home.data();
    let root = reqwest::Certificate::from_der(&read("root.der")).expect("a certificate");
    let front = discord::Front { address: address.parse().expect("an address"), root };
    let access = Access { token: SandboxConfig::default().token, endpoint: Endpoint::Front(front) };
    let bot = tokio::select! {
        bot = start::when_possible(config, access, Clock::default(), PROGRESS_INTERVAL) => bot.expect("the bot starts"),
        () = cli::interrupted() => return,
    };
    tokio::select! {
        () = cli::interrupted() => {}
        () = bot.app.shutdown.cancelled() => {}
    }
    bot.stop().await.expect("an orderly end");
}

/// What outlives a kill.
#[derive(Clone)]
pub struct Home {
    /// All of it.
    pub folder: PathBuf,
}

impl Home {
    /// Furnishes a folder.
    pub fn furnish(folder: &Path, front: &Front, config: &str) -> Self {
        std::fs::write(folder.join("atelier.toml"), config).expect("writable");
        std::fs::write(folder.join("root.der"), front.root_der()).expect("writable");
        Self { folder: folder.to_owned() }
    }

    /// Where the bot keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the bots of this home logged.
    fn log(&self) -> PathBuf {
        self.folder.join("bot.log")
    }
}

/// A bot that was started.
pub struct Bot {
    child: Child,
    home: Home,
}

impl Bot {
    /// Starts it; it may take a while before it hears anybody.
    pub fn start(home: &Home, front: &Front) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(home.log()).expect("writable");
        let child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["--exact", "storm::bot::the_bot_in_the_storm", "--nocapture"])
            .env(FRONT, front.way().address.to_string())
            .env(FOLDER, &home.folder)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        Self { child, home: home.clone() }
    }

    /// A bot never ends by itself.
    pub fn check(&mut self) {
        if let Some(status) = self.child.try_wait().expect("it can be looked after") {
            panic!("the bot ended by itself ({status}):\n{}", self.last_words());
        }
    }

    /// SIGKILL: nothing of it runs after this.
    pub async fn kill(&mut self) {
        self.check();
        self.child.kill().await.expect("it is running");
    }

    /// SIGTERM, and the end that follows.
    pub async fn end(&mut self) {
        self.check();
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("it is running");
        kill_process(pid, Signal::TERM).expect("it can be told");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends when it is told to");
        // A signal before there is somebody to hear it ends the process as the system does.
        let is_orderly = |status: ExitStatus| status.success() || status.code().is_none();
        let status = ended.expect("it can be looked after");
        assert!(is_orderly(status), "the end is no orderly one ({status}):\n{}", self.last_words());
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.home.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}
