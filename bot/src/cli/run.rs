//! `atelier run`: the bot against Discord, or against a stand-in on loopback with `discord.api_url`.

use std::{pin::pin, time::Duration};

use anyhow::Context;

use crate::{
    config::Config,
    discord::token,
    discord::{self, Access, Endpoint},
    messages, models, start,
    system::clock::Clock,
    system::{health::Health, metrics, private},
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
    let health = Health::default();
    let _served = config.metrics.listen.map(|listen| metrics::serve(listen, health.clone())).transpose()?;
    let interval = Duration::from_millis(config.discord.progress_interval_ms);
    let access = Access { token: found.token, endpoint: Endpoint::of(&config.discord.api_url) };
    let place = access.endpoint.name();
    // One for all of it: a signal that comes between two waits is not lost.
    let mut interrupted = pin!(super::interrupted());
    let running = tokio::select! {
        running = start::when_possible(config, access, Clock::default(), interval) => running?,
        () = &mut interrupted => return Ok(()),
    };
    health.ask(running.why_not_ready());
    tokio::select! {
        () = running.connected() => {}
        () = &mut interrupted => return running.stop().await,
    }
    if let Some(identity) = running.app.identity.get() {
        tracing::info!("{}", messages::connected(&place, identity));
        tracing::info!("{}", messages::invite(&discord::invite_url(identity.id)));
    }
    tokio::select! {
        () = running.ready() => {}
        () = &mut interrupted => return running.stop().await,
    }
    if *running.app.is_registered.borrow() {
        let offered = running.app.models.offered();
        let model = offered.usual().map(models::display_name).unwrap_or_default();
        tracing::info!("{}", messages::ready(&model, running.app.models.engine.device()));
    }
    tokio::select! {
        () = &mut interrupted => tracing::info!("ending; running jobs go on at the next start"),
        () = running.app.shutdown.cancelled() => {}
    }
    running.stop().await
}
