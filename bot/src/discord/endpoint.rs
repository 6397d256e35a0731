//! Where Discord is, and why it may not be gone to.

use std::net::SocketAddr;

use poise::serenity_prelude as serenity;

/// Discord's name; the library always asks it unless it is given a proxy.
pub(super) const HOST: &str = "discord.com";

/// Where Discord serves people's files.
pub const FILE_HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

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

pub(super) fn is_loopback(host: &str) -> bool {
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
