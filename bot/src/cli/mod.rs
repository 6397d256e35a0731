//! The command line: one file a subcommand.

#[cfg(feature = "sandbox")]
pub mod bench;
pub mod doctor;
pub mod imagine;
pub mod init;
pub mod models;
pub mod run;
#[cfg(feature = "sandbox")]
pub mod sandbox;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{config::Config, system::log, system::printable::printable};

/// Blocking work that is under way at the end gets this long.
const GRACE: Duration = Duration::from_secs(2);

/// What the program ends with at a second signal, as shells have it for Ctrl-C.
const ENDED_AT_ONCE: i32 = 130;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "atelier", version, about = "A self-hosted Midjourney: a Discord bot with its own diffusion engine")]
pub struct Cli {
    /// The configuration (else atelier.toml here); `atelier init` writes one with every key and its default
    #[arg(long, global = true, env = "ATELIER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[cfg(feature = "sandbox")]
    /// Try everything on this machine: the bot with a Discord stand-in and its page, no token, no network
    Sandbox(sandbox::SandboxArgs),
    /// Run the bot against Discord, with the token in DISCORD_TOKEN or in the file of DISCORD_TOKEN_FILE
    Run(run::RunArgs),
    /// Write a configuration with every setting explained, atelier.toml, and say what comes next
    Init(init::InitArgs),
    /// Draw pictures here and now, without Discord
    Imagine(Box<imagine::ImagineArgs>),
    /// Check configuration, model, database, disk, device and token
    Doctor(doctor::DoctorArgs),
    /// Get, list, remove and look into models
    Models(models::ModelsArgs),
    #[cfg(feature = "sandbox")]
    /// Measure drawing times, answering times and memory
    Bench(bench::BenchArgs),
}

/// The command line as clap knows it, for tests and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The program: reads the arguments, does the work, says in one sentence what went wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli.command);
    let finished = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
        let finished = runtime.block_on(execute(cli));
        // Ctrl-C while a model loads does not wait for all of it; a file on its way is written.
        runtime.shutdown_timeout(GRACE);
        finished
    });
    finished.unwrap_or_else(|error| {
        eprintln!("atelier: {}", log::mask(&sentence(&error)));
        ExitCode::FAILURE
    })
}

async fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let path = cli.config.as_deref();
    match cli.command {
        Command::Init(args) => init::run(path, args).map(|()| ExitCode::SUCCESS),
        Command::Imagine(args) => imagine::run(Config::load(path)?, *args).await,
        Command::Doctor(args) => doctor::run(path, args).await,
        Command::Models(args) => models::run(Config::load(path)?, args).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => sandbox::run(Config::load(path)?, args).await.map(|()| ExitCode::SUCCESS),
        Command::Run(args) => run::run(Config::load(path)?, args).await.map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "sandbox")]
        Command::Bench(args) => bench::run(Config::load(path)?, args).await.map(|()| ExitCode::SUCCESS),
    }
}

/// Resolves at the first Ctrl-C or SIGTERM, which asks for an orderly end. The next one ends the program at once.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    // Without handlers the system ends the process by itself, so nobody waits for ever.
    let (Ok(mut terminated), Ok(mut interrupted)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    let mut next = async move || {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    };
    next().await;
    tokio::spawn(async move {
        next().await;
        tracing::warn!("ended at once, as a second signal asked");
        std::process::exit(ENDED_AT_ONCE);
    });
}

/// An error and its causes in one line; a cause that the line already ends with is not said again.
pub fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(|cause| one_line(&cause.to_string())).fold(String::new(), |said, cause| match said.as_str() {
        "" => cause,
        earlier if earlier.ends_with(&cause) => said,
        _ => format!("{said}: {cause}"),
    })
}

/// Without the picture of the place that a TOML error holds: lines that begin with a bar or a number and a bar.
fn one_line(text: &str) -> String {
    let is_picture = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_picture(line)).collect::<Vec<_>>().join(": ");
    // An error may quote what a stranger's file says; a terminal must not obey it.
    printable(&line)
}

/// `RUST_LOG`, else every job's states on a server and only what is wrong in front of a person.
fn start_log(command: &Command) {
    log::start(match command {
        Command::Run(_) => "warn,atelier=info,inference=info,storage=info",
        // It says itself what is wrong.
        Command::Doctor(_) => "error",
        _ => "warn",
    });
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use inference::error::{InferenceError, InvalidTask};

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_sentence_says_each_cause_once() {
        let error = anyhow::Error::from(InferenceError::from(InvalidTask::Strength(2.0))).context("cannot draw");
        assert_eq!(sentence(&error), "cannot draw: strength must be above 0 and at most 1, not 2");
        let error = Config::parse("[model]\npaht = 1").context("the configuration").expect_err("no such key");
        let expected = "the configuration: TOML parse error at line 2, column 1: unknown field `paht`, expected one of `path`, ";
        assert!(sentence(&error).starts_with(expected), "{}", sentence(&error));
        let error = std::fs::read("/nowhere").context("cannot read the picture").expect_err("no such file");
        assert_eq!(sentence(&error), "cannot read the picture: No such file or directory (os error 2)");
    }
}
