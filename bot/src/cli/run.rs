//! `atelier run`: the bot against Discord, or against a stand-in on loopback with `discord.api_url`.

use std::time::Duration;

use anyhow::Context;

use crate::{
    clock::Clock,
    config::Config,
    discord::{Access, Endpoint},
    private, start, token,
};

/// Options of `atelier run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {}

/// Runs until Ctrl-C or the end of the gateway.
///
/// # Errors
/// One sentence for the person who started it.
pub async fn run(config: Config, _args: RunArgs) -> anyhow::Result<()> {
    let found = token::find()?.context(
        "DISCORD_TOKEN is not set; put the bot's token into it, or the path of its file into DISCORD_TOKEN_FILE, or try `atelier sandbox`, \
         which needs none",
    )?;
    private::keep_files_private();
    private::keep_memory_private();
    let endpoint = match config.discord.api_url.as_str() {
        "" => Endpoint::Discord,
        url => Endpoint::StandIn(url.to_owned()),
    };
    let interval = Duration::from_millis(config.discord.progress_interval_ms);
    let access = Access { token: found.token, endpoint };
    let running = start::start(config, access, Clock::default(), interval).await?;
    tokio::select! {
        () = running.ready() => {}
        () = super::interrupted() => return running.stop().await,
    }
    tracing::info!(model = running.app.engine.info().name, device = running.app.engine.info().device, "ready");
    tokio::select! {
        () = super::interrupted() => tracing::info!("ending; running jobs go on at the next start"),
        () = running.app.shutdown.cancelled() => {}
    }
    running.stop().await
}
