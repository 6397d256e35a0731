//! Connects to Discord itself, or to a stand-in on loopback, and never by mistake to the one for the other.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use tokio_util::sync::CancellationToken;

use super::{
    ask::{AskError, carrier},
    endpoint::{Access, BuildError, Endpoint, is_loopback},
    link::{self, Watched},
};
use crate::{app::App, error::BotError};

/// What the gateway tells: guilds and their channels, and reactions. None is privileged.
const INTENTS: serenity::GatewayIntents = serenity::GatewayIntents::GUILDS
    .union(serenity::GatewayIntents::GUILD_MESSAGE_REACTIONS)
    .union(serenity::GatewayIntents::DIRECT_MESSAGE_REACTIONS);

/// Connects and stays connected until `closing` is cancelled. Waits while Discord is away; what it says of that is in `link.rs`.
///
/// # Errors
/// What no waiting mends: see [`BuildError`], and the library's own errors of a connection that Discord ended for good.
pub async fn connect(
    access: Access,
    app: Arc<App>,
    framework: poise::Framework<Arc<App>, BotError>,
    closing: CancellationToken,
) -> Result<(), BuildError> {
    let caller = &app.caller;
    let watched = Watched { link: &app.link, clock: &app.clock, shutdown: &app.shutdown };
    let asked = async {
        link::until_answered(watched, || caller.me()).await?;
        link::until_answered(watched, || caller.gateway()).await
    };
    let Some(gateway) = ended_early(asked.await)? else { return Ok(()) };
    check_gateway(&access.endpoint, gateway.clone())?;
    let mut client = serenity::ClientBuilder::new_with_http(http(&access)?, INTENTS)
        .framework(framework)
        .raw_event_handler(UnknownEvents)
        .cache_settings(cache_settings())
        .await
        .map_err(Box::new)?;
    // The library asks for it too, and without an answer goes to Discord's own.
    let address = client.ws_url.clone();
    *address.lock().await = gateway;
    let shards = client.shard_manager.clone();
    tokio::select! {
        ended = client.start() => Ok(ended.map_err(Box::new)?),
        lost = link::watch(watched, caller, &shards, &address) => ended_early(lost.map(|never| match never {})).map(|_: Option<()>| ()),
        () = closing.cancelled() => {
            shards.shutdown_all().await;
            Ok(())
        }
    }
}

/// `None` at the program's end.
fn ended_early<T>(asked: Result<T, Option<AskError>>) -> Result<Option<T>, BuildError> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(None) => Ok(None),
        Err(Some(_)) => Err(BuildError::TokenRefused),
    }
}

/// A token that is not for Discord must not reach Discord's gateway, where the library goes when nobody names another.
fn check_gateway(endpoint: &Endpoint, gateway: String) -> Result<(), BuildError> {
    let host = gateway.strip_prefix("ws://").map(|rest| rest.trim_end_matches('/'));
    match endpoint {
        Endpoint::Discord => Ok(()),
        Endpoint::StandIn(api_url) if host == Some(api_url.trim_start_matches("http://").trim_end_matches('/')) => Ok(()),
        Endpoint::Front(_) if host.is_some_and(is_loopback) => Ok(()),
        Endpoint::StandIn(api_url) => Err(BuildError::WrongGateway { api_url: api_url.clone(), gateway }),
        Endpoint::Front(front) => Err(BuildError::WrongGateway { api_url: front.address.to_string(), gateway }),
    }
}

fn http(access: &Access) -> Result<serenity::Http, BuildError> {
    let client = carrier(&access.endpoint)?.timeout(Duration::from_secs(30)).build()?;
    let http = serenity::HttpBuilder::new(&access.token).client(client);
    Ok(match access.endpoint.page_url() {
        // The library ignores `proxy` while its own limiter is on and would go to Discord with the token.
        Some(api_url) => http.proxy(api_url.trim_end_matches('/')).ratelimiter_disabled(true).build(),
        None => http.build(),
    })
}

fn cache_settings() -> serenity::cache::Settings {
    let mut settings = serenity::cache::Settings::default();
    settings.max_messages = 0;
    settings.cache_users = false;
    settings
}

/// The library drops events that it cannot read without a word; this one says so.
struct UnknownEvents;

#[serenity::async_trait]
impl serenity::RawEventHandler for UnknownEvents {
    async fn raw_event(&self, _ctx: serenity::Context, event: serenity::Event) {
        if let serenity::Event::Unknown(unknown) = event {
            tracing::warn!(event.kind = unknown.kind, "an event could not be read");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_for_a_stand_in_never_reaches_discords_gateway() {
        let check = |endpoint: &Endpoint, gateway: &str, expected: bool| {
            assert_eq!(check_gateway(endpoint, gateway.to_owned()).is_ok(), expected, "{gateway}");
        };
        let stand_in = Endpoint::StandIn("http://127.0.0.1:8420/".to_owned());
        check(&stand_in, "ws://127.0.0.1:8420", true);
        check(&stand_in, "ws://127.0.0.1:8421", false);
        check(&stand_in, "wss://gateway.discord.gg", false);
        check(&Endpoint::Discord, "wss://gateway.discord.gg", true);
    }
}
