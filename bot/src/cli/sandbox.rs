//! `atelier sandbox`: bot, engine and a Discord stand-in with a page, all on this machine.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::ensure;
use sandbox::{BotProfile, Idea, OnViolation, Sandbox, SandboxConfig, SandboxError};
use storage::StorageError;

use crate::{
    config::{Config, SandboxSection},
    discord::{Access, Endpoint},
    models::{self, Guide, guide::Example},
    start,
    system::clock::Clock,
    system::health::Health,
    system::metrics,
    system::private,
    system::random,
};

/// How a person chooses the port.
const OTHER_PORT: &str = "choose another with --port N or `sandbox.listen`";
/// The bot's teal.
const ACCENT_COLOR: u32 = 0x0f_8a_86;

/// Options of `atelier sandbox`.
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Where everything is kept; a second start goes on where the first ended
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long)]
    pub port: Option<u16>,
    /// What a second bot may log in with; a new random word at each start unless it is given
    #[arg(long, hide = true)]
    pub token: Option<String>,
}

/// A sandbox at work.
pub struct RunningSandbox {
    /// The bot.
    pub bot: start::Running,
    /// The stand-in.
    pub stand_in: Sandbox,
}

impl RunningSandbox {
    /// Ends both in order.
    ///
    /// # Errors
    /// Why the bot had ended by itself, if it had.
    pub async fn stop(self) -> anyhow::Result<()> {
        let ended = self.bot.stop().await;
        self.stand_in.shutdown().await;
        ended
    }
}

/// Starts stand-in and bot.
///
/// # Errors
/// One sentence for the person who started it.
pub async fn start_sandbox(config: Config, listen: SocketAddr, token: Option<String>) -> anyhow::Result<RunningSandbox> {
    let data_dir = Some(config.data.dir.join("stand-in"));
    // Known to nobody else: not to a page of another site, nor to another user of this machine.
    let token = token.unwrap_or_else(random::random_word);
    // People see a violation in the page; it does not end the bot.
    let on_violation = OnViolation::Report;
    let ideas = tokio::task::spawn_blocking({
        let config = config.clone();
        move || ideas(&config)
    })
    .await?;
    let bot = BotProfile { name: "Atelier".to_owned(), accent_color: Some(ACCENT_COLOR) };
    let guild_name = "Atelier sandbox".to_owned();
    // The bot is here already, and the token nobody else's.
    let tells_token = false;
    let as_wished =
        SandboxConfig { listen, data_dir, token, on_violation, bot, guild_name, tells_token, ideas, ..SandboxConfig::default() };
    let stand_in = Sandbox::start(as_wished).await?;
    let interval = Duration::from_millis(config.sandbox.progress_interval_ms);
    let access = Access { token: stand_in.token().to_owned(), endpoint: Endpoint::StandIn(stand_in.url().to_owned()) };
    let bot = start::start(config, access, Clock::default(), interval).await?;
    bot.ready().await;
    Ok(RunningSandbox { bot, stand_in })
}

/// What an empty channel offers: what the built-in model draws well, with pictures where that model draws.
fn ideas(config: &Config) -> Vec<Idea> {
    let is_starter = models::is_configured_starter(config);
    let guide = models::starter().and_then(|starter| Guide::read(&starter.guide)).unwrap_or_default();
    let picture = |example: &Example| std::fs::read(&example.picture.as_ref().filter(|_| is_starter)?.file).ok();
    let idea = |example: Example| Idea {
        picture: picture(&example).map(Into::into),
        line: format!("/imagine {}", example.prompt),
        label: example.prompt,
    };
    guide.examples.into_iter().map(idea).collect()
}

/// Runs until Ctrl-C.
///
/// # Errors
/// One sentence for the person who started it.
#[expect(clippy::print_stdout, reason = "the address is this command's output")]
pub async fn run(mut config: Config, args: SandboxArgs) -> anyhow::Result<()> {
    if let Some(data) = args.data {
        config.data.dir = data;
    }
    let dir = config.data.dir.clone();
    // Apart from what `atelier run` keeps: jobs of the stand-in must never be answered on Discord.
    config.data.dir = dir.join("sandbox");
    private::keep_files_private();
    private::make_folder(&dir)?;
    let health = Health::default();
    let _served = config.metrics.listen.map(|listen| metrics::serve(listen, health.clone())).transpose()?;
    let is_starter = models::is_configured_starter(&config);
    let mut listen = config.sandbox.listen;
    if let Some(port) = args.port {
        listen.set_port(port);
    }
    let (asked, is_asked) = (listen, args.port.is_some() || listen != SandboxSection::default().listen);
    let started = match start_sandbox(config.clone(), listen, args.token.clone()).await {
        // Somebody else has the usual port: any other will do, unless this one was asked for.
        Err(error) if is_busy(&error) => {
            ensure!(!is_asked, "port {} is taken by another program; {OTHER_PORT}, or --port 0 for any free one", asked.port());
            listen.set_port(0);
            start_sandbox(config, listen, args.token).await.map_err(|error| running_already(error, asked))?
        }
        other => other?,
    };
    health.ask(started.bot.why_not_ready());
    let (offered, device) = (started.bot.app.models.offered(), started.bot.app.models.engine.device());
    let examples = started.bot.app.models.guide.as_ref().map(Guide::told).unwrap_or_default();
    println!("\n  Atelier's sandbox is ready.\n");
    println!("    Open   {}", started.stand_in.url());
    let used = started.stand_in.address();
    if asked.port() != 0 && used != asked {
        println!("           Port {} is taken by another program, so it is {} this time; {OTHER_PORT}.", asked.port(), used.port());
    }
    println!("    Type   /imagine {}", examples.first().map_or("a frog", String::as_str));
    if let Some(card) = offered.usual() {
        println!("    Model  {} on {device}, pictures of {} pixels", models::display_name(card), card.native_size);
    }
    println!("    Data   {} (start again to go on where you were)\n", dir.display());
    if is_starter && !examples.is_empty() {
        println!("  The built-in model is a small demonstration: it draws emoji-like pictures of common things.");
        println!("  Try: {}. README.md tells how to use a real checkpoint.\n", examples.join(", "));
    }
    println!("  Ctrl-C ends it.");
    tokio::select! {
        () = super::interrupted() => println!("\n  Ending; jobs that are not finished go on at the next start."),
        () = started.bot.app.shutdown.cancelled() => {}
    }
    started.stop().await
}

/// A sandbox that has the usual port mostly has the usual data too.
fn running_already(error: anyhow::Error, asked: SocketAddr) -> anyhow::Error {
    match error.downcast_ref() {
        Some(StorageError::InUse { .. }) => error.context(format!(
            "a sandbox with this data is running already, perhaps at http://{asked}; open it there, end it, or choose another folder with --data DIR"
        )),
        _ => error,
    }
}

fn is_busy(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(SandboxError::AddressInUse(_)))
}
