//! Connects to Discord itself, or to a stand-in on loopback, and never by mistake to the one for the other.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use tokio_util::sync::CancellationToken;

use super::{
    ask::{AskError, carrier},
    link,
};
use crate::{app::App, buttons, commands};

/// Discord's name; the library always asks it unless it is given a proxy.
pub(super) const HOST: &str = "discord.com";

/// Where Discord is and how to prove who we are.
#[derive(Clone)]
pub struct Access {
    /// The bot's token.
    pub token: String,
    /// Who answers.
    pub endpoint: Endpoint,
}

/// Who answers for Discord.
#[derive(Clone)]
pub enum Endpoint {
    /// Discord itself.
    Discord,
    /// A stand-in at this address on loopback, such as `http://127.0.0.1:8420`: no TLS, and without the library's own rate limiter.
    StandIn(String),
    /// A machine that stands in front of Discord or of a stand-in and speaks TLS under Discord's name. Everything but the way to it is as
    /// with Discord itself, the library's rate limiter too.
    Front(Front),
}

/// The way to a machine that speaks TLS under Discord's name.
#[derive(Clone)]
pub struct Front {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    /// Who vouches for it, beside the usual authorities.
    pub root: reqwest::Certificate,
}

impl Endpoint {
    /// Discord, or the stand-in that `discord.api_url` names.
    pub fn of(api_url: &str) -> Self {
        if api_url.is_empty() { Self::Discord } else { Self::StandIn(api_url.to_owned()) }
    }

    /// What people call it.
    pub fn name(&self) -> String {
        match self {
            Self::StandIn(url) => format!("the stand-in at {}", url.trim_end_matches('/')),
            Self::Discord | Self::Front(_) => "Discord".to_owned(),
        }
    }

    /// A stand-in's address; `None` where Discord's own links lead to the messages.
    pub fn page_url(&self) -> Option<&str> {
        match self {
            Self::StandIn(url) => Some(url),
            Self::Discord | Self::Front(_) => None,
        }
    }
}

/// Why the client was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address is not one of a stand-in.
    #[error("`discord.api_url` is {0}; a stand-in must be on loopback, such as http://127.0.0.1:8420")]
    NotLoopback(String),
    /// The library fell back to the real gateway.
    #[error("the stand-in at {api_url} names {gateway} as its gateway, which is somewhere else; the token does not go there")]
    WrongGateway {
        /// The address asked for.
        api_url: String,
        /// Where the library would have gone.
        gateway: String,
    },
    /// The token was refused.
    #[error("Discord refused the token; copy it again from the application's Bot page into DISCORD_TOKEN")]
    TokenRefused,
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// The connection ended for good.
    #[error("{}", explained(.0))]
    Serenity(#[from] Box<serenity::Error>),
}

/// Connects and stays connected until `closing` is cancelled. Waits while Discord is away; what it says of that is in `link.rs`.
///
/// # Errors
/// What no waiting mends: see [`BuildError`], and the library's own errors of a connection that Discord ended for good.
pub async fn connect(access: Access, app: Arc<App>, closing: CancellationToken) -> Result<(), BuildError> {
    let caller = &app.caller;
    let asked = async {
        link::until_answered(&app, || caller.me()).await?;
        link::until_answered(&app, || caller.gateway()).await
    };
    let Some(gateway) = ended_early(asked.await)? else { return Ok(()) };
    check_gateway(&access.endpoint, gateway.clone())?;
    let mut client = serenity::ClientBuilder::new_with_http(http(&access)?, serenity::GatewayIntents::GUILDS)
        .framework(commands::framework(app.clone()))
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
        lost = link::watch(&app, caller, &shards, &address) => ended_early(lost.map(|never| match never {})).map(|_: Option<()>| ()),
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

fn explained(error: &serenity::Error) -> &'static str {
    match error {
        serenity::Error::Gateway(serenity::GatewayError::InvalidAuthentication) => {
            "Discord refused the token; copy it again from the application's Bot page into DISCORD_TOKEN"
        }
        serenity::Error::Gateway(serenity::GatewayError::DisallowedGatewayIntents | serenity::GatewayError::InvalidGatewayIntents) => {
            "Discord refused the bot's intents, of which it asks for none that are privileged; look at the application's Bot page in the \
             developer portal for what is wrong with it, then start again"
        }
        _ => "the connection to Discord has ended",
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

fn is_loopback(host: &str) -> bool {
    host.parse::<SocketAddr>().is_ok_and(|host| host.ip().is_loopback())
}

/// Whether a stand-in's address may be given the token; `None` where none is configured.
pub fn check_stand_in(api_url: &str) -> Option<Result<(), BuildError>> {
    let host = api_url.strip_prefix("http://").map(|host| host.trim_end_matches('/'));
    match host {
        _ if api_url.is_empty() => None,
        Some(host) if is_loopback(host) => Some(Ok(())),
        _ => Some(Err(BuildError::NotLoopback(api_url.to_owned()))),
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

/// Everything that is not a command comes through here.
pub async fn on_event(ctx: &serenity::Context, event: &serenity::FullEvent, app: &Arc<App>) {
    match event {
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Component(press) } => {
            buttons::press(ctx, press, app).await;
        }
        serenity::FullEvent::InteractionCreate { interaction: serenity::Interaction::Modal(form) } => {
            buttons::submit(ctx, form, app).await;
        }
        serenity::FullEvent::CommandPermissionsUpdate { permission } => app.permits.forget(permission.guild_id.get()),
        // A new session: what happened before it was not heard.
        serenity::FullEvent::Ready { .. } => {
            app.link.found();
            app.permits.forget_all();
        }
        serenity::FullEvent::Resume { .. } => app.link.found(),
        serenity::FullEvent::ShardStageUpdate { event } => {
            tracing::debug!(from = %event.old, to = %event.new, "gateway");
        }
        _ => {}
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
