//! Questions to Discord that do not go through the library: it does not say why one was not answered, nor how long Discord asks to wait.

use std::time::Duration;

use poise::serenity_prelude as serenity;
use reqwest::{Method, StatusCode, header, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    endpoint::{Access, BuildError, Endpoint, FILE_HOSTS, HOST, check_stand_in},
    wait::asked_to_wait,
};
use crate::discord::{shared::Shared, unreachable::Unreachable};

/// A question without an answer for so long is taken for lost.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AskError {
    /// Nothing came.
    #[error("{0}")]
    Unreachable(Unreachable),
    /// Too many questions, or Discord is busy.
    #[error("it answers with status {status}")]
    Busy {
        /// The status.
        status: u16,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// Too many questions.
    #[error("it asks me to wait")]
    Limited(Duration),
    /// Something answers that is not Discord, such as the log-in page of a hotel's network.
    #[error("something else answers in its place")]
    NotDiscord,
    /// The token is wrong.
    #[error("it refuses the token")]
    TokenRefused,
    /// The question is wrong.
    #[error("it answers with status {status}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// Discord's own number for it; 0 where it has none.
        code: i64,
        /// What Discord says.
        message: String,
    },
}

impl AskError {
    /// How long Discord asks to wait.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Limited(wait) => Some(*wait),
            Self::Busy { wait, .. } => *wait,
            _ => None,
        }
    }
}

/// The bot's own user.
#[derive(Clone, Debug, Deserialize)]
pub struct Me {
    /// Its id.
    pub id: serenity::UserId,
    /// Its name.
    pub username: String,
}

/// The bot's application.
#[derive(Clone, Debug, Deserialize)]
pub struct Application {
    /// Its id.
    pub id: serenity::ApplicationId,
    /// Servers that it is in, about.
    #[serde(default)]
    pub approximate_guild_count: Option<u64>,
}

/// A server that the bot is in.
#[derive(Clone, Debug, Deserialize)]
pub struct Guild {
    /// Its name.
    pub name: String,
    #[serde(deserialize_with = "id")]
    permissions: u64,
}

impl Guild {
    /// Whether the bot may read what was written in its channels before.
    pub fn looks_back(&self) -> bool {
        let own = serenity::Permissions::from_bits_truncate(self.permissions);
        own.intersects(serenity::Permissions::ADMINISTRATOR | serenity::Permissions::READ_MESSAGE_HISTORY)
    }
}

/// Asks Discord, or who stands in for it, with the bot's token.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Caller {
    /// A caller of whoever `access` names.
    ///
    /// # Errors
    /// The address may not be given the token, or the HTTP client cannot be made.
    pub fn new(access: &Access) -> Result<Self, BuildError> {
        let http = carrier(&access.endpoint)?.timeout(TIMEOUT).redirect(Policy::none());
        let http = http.user_agent(concat!("DiscordBot (atelier, ", env!("CARGO_PKG_VERSION"), ")")).build()?;
        let base = access.endpoint.page_url().map_or_else(|| format!("https://{HOST}"), |url| url.trim_end_matches('/').to_owned());
        Ok(Self { http, base, token: access.token.clone() })
    }

    /// What carries its questions.
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.http
    }

    /// Whom the token belongs to.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn me(&self) -> Result<Me, AskError> {
        self.ask(Method::GET, "users/@me", None).await
    }

    /// The application that the bot is of.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn application(&self) -> Result<Application, AskError> {
        self.ask(Method::GET, "applications/@me", None).await
    }

    /// The first 200 servers that the bot is in.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn guilds(&self) -> Result<Vec<Guild>, AskError> {
        self.ask(Method::GET, "users/@me/guilds", None).await
    }

    /// Where the gateway is.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn gateway(&self) -> Result<String, AskError> {
        #[derive(Deserialize)]
        struct Gateway {
            url: String,
        }
        Ok(self.ask::<Gateway>(Method::GET, "gateway", None).await?.url)
    }

    /// Registers the commands in place of those that there were; how many there are then.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn register(&self, application: serenity::ApplicationId, commands: &serde_json::Value) -> Result<usize, AskError> {
        let path = format!("applications/{application}/commands");
        Ok(self.ask::<Vec<serde::de::IgnoredAny>>(Method::PUT, &path, Some(commands)).await?.len())
    }

    /// A page of a channel's messages, newest first: those before another one, where one is named.
    ///
    /// # Errors
    /// See [`AskError`].
    pub(super) async fn messages<T: DeserializeOwned>(&self, channel: u64, n: usize, before: Option<u64>) -> Result<Vec<T>, AskError> {
        let before = before.map(|id| format!("&before={id}")).unwrap_or_default();
        self.ask(Method::GET, &format!("channels/{channel}/messages?limit={n}{before}"), None).await
    }

    /// A message, as far as it shows pictures.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn message(&self, channel: u64, id: u64) -> Result<Shared, AskError> {
        self.ask(Method::GET, &format!("channels/{channel}/messages/{id}"), None).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&serde_json::Value>) -> Result<T, AskError> {
        let unreachable = |error: reqwest::Error| AskError::Unreachable(Unreachable::of(&error));
        let request = self.http.request(method, format!("{}/api/v10/{path}", self.base));
        let mut request = request.header(header::AUTHORIZATION, format!("Bot {}", self.token));
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let headers = response.headers().clone();
        let text = response.bytes().await.map_err(unreachable)?;
        let wait = asked_to_wait(&headers, &text).map(|wait| wait.max(Duration::from_secs(1)));
        match status {
            StatusCode::OK | StatusCode::CREATED => serde_json::from_slice(&text).map_err(|_| AskError::NotDiscord),
            StatusCode::UNAUTHORIZED => Err(AskError::TokenRefused),
            StatusCode::TOO_MANY_REQUESTS => Err(wait.map_or(AskError::Busy { status: status.as_u16(), wait: None }, AskError::Limited)),
            status if status.is_server_error() => Err(AskError::Busy { status: status.as_u16(), wait }),
            status if status.is_client_error() => Err(refused(status, &text)),
            _ => Err(AskError::NotDiscord),
        }
    }
}

/// Discord's refusals are JSON; pages come from the proxy before it, or from somebody else.
fn refused(status: StatusCode, text: &[u8]) -> AskError {
    #[derive(Deserialize)]
    struct Said {
        message: String,
        #[serde(default)]
        code: i64,
    }
    match serde_json::from_slice::<Said>(text) {
        Ok(Said { message, code }) => AskError::Refused { status: status.as_u16(), code, message },
        Err(_) => AskError::Busy { status: status.as_u16(), wait: None },
    }
}

/// Reads an id or a set of permissions, which are numbers in a text.
pub(super) fn id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// What carries the token to whoever answers for Discord, and to nobody else.
pub(super) fn carrier(endpoint: &Endpoint) -> Result<reqwest::ClientBuilder, BuildError> {
    let client = reqwest::Client::builder().use_rustls_tls();
    match endpoint {
        Endpoint::Discord => Ok(client),
        // The address of a name may carry a port; it is used because the library's URLs have none.
        Endpoint::Front(front) if front.address.ip().is_loopback() => {
            Ok(client.no_proxy().add_root_certificate(front.root.clone()).resolve(HOST, front.address))
        }
        Endpoint::Front(front) => Err(BuildError::NotLoopback(front.address.to_string())),
        Endpoint::StandIn(api_url) => {
            check_stand_in(api_url).unwrap_or(Ok(()))?;
            Ok(client.no_proxy())
        }
    }
}

/// What fetches files from whoever serves them for Discord; it carries no token.
///
/// # Errors
/// The address may not be gone to.
pub fn file_carrier(endpoint: &Endpoint) -> Result<reqwest::ClientBuilder, BuildError> {
    let client = carrier(endpoint)?;
    Ok(match endpoint {
        Endpoint::Front(front) => FILE_HOSTS.iter().fold(client, |client, host| client.resolve(host, front.address)),
        Endpoint::Discord | Endpoint::StandIn(_) => client,
    })
}
