//! The program `atelier-sandbox`: the stand-in alone, for a bot in any language.

use clap::Parser;
use sandbox::{BotProfile, Clock, ManualClock, OnViolation, RateLimitConfig, Sandbox, SandboxConfig, SandboxError};
use std::{io::IsTerminal, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};
use tracing_subscriber::EnvFilter;

/// A Discord stand-in on this machine: REST, gateway and a page to talk to the bot.
#[derive(Debug, Parser)]
#[command(name = "atelier-sandbox", version)]
struct Args {
    /// Address and port; port 0 takes a free one
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Let other machines in: whoever reaches the address may do everything
    #[arg(long)]
    allow_remote: bool,
    /// The address by which bots and people know it, if it is not the one it listens on
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Where messages, files and sessions are kept; without it they are forgotten at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What the bot is called
    #[arg(long, value_name = "NAME", default_value = "Your bot", value_parser = name)]
    bot_name: String,
    /// What the first guild is called, and the page
    #[arg(long, value_name = "NAME", default_value = "Sandbox", value_parser = name)]
    guild_name: String,
    /// How many MiB of the journal are kept in files of the data directory, without heartbeats; 0 for none
    #[arg(long, value_name = "MIB", default_value_t = 16)]
    journal_mib: u64,
    /// What the bot logs in with; never a real token
    #[arg(long, env = "SANDBOX_TOKEN", default_value = "sandbox", hide_env_values = true)]
    token: String,
    /// What chance is drawn from: the same seed meets the same faults
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Let a bot make as many requests as Discord does, rather than plenty
    #[arg(long)]
    discord_limits: bool,
    /// How many shards a bot must have at least
    #[arg(long, default_value_t = 1, value_name = "SHARDS", value_parser = clap::value_parser!(u64).range(1..))]
    min_shards: u64,
    /// Milliseconds between two IDENTIFYs of one shard; 0 for a bot that is started again and again
    #[arg(long, default_value_t = 5000, value_name = "MS")]
    identify_interval_ms: u64,
    /// Let time stand still until it is moved, in the page or by `POST /sandbox/api/control/clock/advance`
    #[arg(long)]
    manual_clock: bool,
    /// Do not check requests and answers against Discord's own description
    #[arg(long)]
    no_validation: bool,
    /// Print the bot's settings as `NAME=value` lines, for a script, and nothing else
    #[arg(long)]
    print_env: bool,
}

/// A name as Discord takes it.
fn name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if (1..=32).contains(&name.chars().count()) { Ok(name.to_owned()) } else { Err("a name has 1 to 32 characters".to_owned()) }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_coloured).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let mut sentence = error.to_string();
    if let Some(SandboxError::AddressInUse(_)) = error.downcast_ref() {
        // Bots are pointed at the address, so no other is taken in silence.
        sentence.push_str(" (--listen 127.0.0.1:PORT, or SANDBOX_LISTEN)");
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        sentence = format!("{sentence}: {error}");
        cause = error.source();
    }
    eprintln!("atelier-sandbox: {sentence}");
    ExitCode::FAILURE
}

#[expect(clippy::print_stdout, reason = "the addresses are this program's output")]
async fn run(args: Args) -> Result<(), SandboxError> {
    let is_for_script = args.print_env;
    let on_violation = OnViolation::Report;
    let mut config =
        SandboxConfig { listen: args.listen, data_dir: args.data_dir, token: args.token, on_violation, ..SandboxConfig::default() };
    (config.seed, config.allow_remote, config.public_url) = (args.seed, args.allow_remote, args.public_url);
    config.validation = !args.no_validation;
    config.journal_bytes = args.journal_mib.saturating_mul(1 << 20);
    config.bot = BotProfile { name: args.bot_name, accent_color: None };
    config.guild_name = args.guild_name;
    config.gateway.min_shards = args.min_shards;
    config.gateway.identify_interval = Duration::from_millis(args.identify_interval_ms);
    if args.discord_limits {
        config.rate_limits = RateLimitConfig::Discord;
    }
    let clock = if args.manual_clock { Clock::Manual(ManualClock::new()) } else { Clock::System };
    let sandbox = Sandbox::start_with_clock(config, clock).await?;
    println!("{}", if is_for_script { settings(&sandbox) } else { welcome(&sandbox) });
    interrupted().await;
    if !is_for_script {
        println!("\n  Ending.");
    }
    sandbox.shutdown().await;
    Ok(())
}

/// What a bot needs to know, as a shell reads it.
fn settings(sandbox: &Sandbox) -> String {
    let (url, token) = (sandbox.url(), sandbox.token());
    format!("SANDBOX_URL={url}\nDISCORD_API_URL={url}/api\nDISCORD_GATEWAY_URL={}\nDISCORD_TOKEN={token}", sandbox.gateway_url())
}

fn welcome(sandbox: &Sandbox) -> String {
    let (url, gateway, token) = (sandbox.url(), sandbox.gateway_url(), sandbox.token());
    let guides: Vec<String> = sandbox.guides().iter().map(|guide| format!("  {}\n{}", guide.library, indented(&guide.lines))).collect();
    format!(
        r#"
  The sandbox is ready. Open {url} and talk to your bot.

    REST      {url}/api/v10
    Gateway   {gateway}
    Token     {token}

{}

  The page has them too, with whole programs, to copy. Ctrl-C ends it."#,
        guides.join("\n\n")
    )
}

fn indented(lines: &str) -> String {
    let indented = |line: &str| if line.is_empty() { String::new() } else { format!("    {line}") };
    lines.trim_end().lines().map(indented).collect::<Vec<_>>().join("\n")
}

/// Resolves at the first Ctrl-C or SIGTERM.
async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        // Without a handler Ctrl-C ends the process by itself, so nobody waits for ever.
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        let args = Args::parse_from(["atelier-sandbox"]);
        assert!(args.listen.ip().is_loopback());
        assert!(!args.allow_remote);
        assert_eq!(Duration::from_millis(args.identify_interval_ms), SandboxConfig::default().gateway.identify_interval, "as Discord's");
        assert_eq!(Args::parse_from(["atelier-sandbox", "--identify-interval-ms", "0"]).identify_interval_ms, 0);
        assert!(Args::try_parse_from(["atelier-sandbox", "--bot-name", "Echo"]).is_ok());
        assert!(Args::try_parse_from(["atelier-sandbox", "--bot-name", " "]).is_err());
    }

    #[tokio::test]
    async fn the_program_tells_where_everything_is() {
        let sandbox = Sandbox::start(SandboxConfig::default()).await.expect("it starts");
        let (url, gateway) = (sandbox.url(), sandbox.gateway_url());
        for line in [format!("SANDBOX_URL={url}"), format!("DISCORD_GATEWAY_URL={gateway}"), "DISCORD_TOKEN=sandbox".to_owned()] {
            assert!(settings(&sandbox).lines().any(|said| said == line), "{line}");
        }
        let lines = sandbox.guides().into_iter().flat_map(|guide| guide.lines.lines().map(str::to_owned).collect::<Vec<_>>());
        for words in ["serenity", "discord.py", "discord.js", url, &gateway].map(str::to_owned).into_iter().chain(lines) {
            assert!(welcome(&sandbox).contains(&words), "{words}");
        }
        sandbox.shutdown().await;
    }
}
