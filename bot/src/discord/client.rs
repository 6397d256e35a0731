//! Builds the serenity client: against Discord itself, or against a stand-in on loopback, and never by mistake the one for the other.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;

use crate::{app::App, buttons, commands};

/// Where Discord is and how to prove who we are.
#[derive(Clone)]
pub struct Access {
    /// The bot's token.
    pub token: String,
    /// Address of a stand-in on loopback; `None` for Discord itself.
    pub api_url: Option<String>,
}

/// Why the client was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address is not one of a stand-in.
    #[error("`discord.api_url` is {0}; a stand-in must be on loopback, such as http://127.0.0.1:8420")]
    NotLoopback(String),
    /// The library fell back to the real gateway.
    #[error(
        "the stand-in at {api_url} does not answer, and the library would have gone to {gateway} with the token; is the stand-in running?"
    )]
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
    /// Serenity failed.
    #[error("the Discord client cannot be made")]
    Serenity(#[from] Box<serenity::Error>),
}

/// Builds the client; `start` it next.
///
/// # Errors
/// See [`BuildError`].
pub async fn build(access: &Access, app: Arc<App>) -> Result<serenity::Client, BuildError> {
    let http = http(access)?;
    check_token(&http).await?;
    let framework = commands::framework(app);
    let client = serenity::ClientBuilder::new_with_http(http, serenity::GatewayIntents::GUILDS)
        .framework(framework)
        .raw_event_handler(UnknownEvents)
        .cache_settings(cache_settings())
        .await
        .map_err(Box::new)?;
    if let Some(api_url) = &access.api_url {
        let gateway = client.ws_url.lock().await.clone();
        let host = api_url.trim_start_matches("http://");
        if gateway.strip_prefix("ws://").map(|rest| rest.trim_end_matches('/')) != Some(host) {
            return Err(BuildError::WrongGateway { api_url: api_url.clone(), gateway });
        }
    }
    Ok(client)
}

fn http(access: &Access) -> Result<serenity::Http, BuildError> {
    let client = reqwest::Client::builder().use_rustls_tls().timeout(Duration::from_secs(30));
    let Some(api_url) = &access.api_url else {
        return Ok(serenity::HttpBuilder::new(&access.token).client(client.build()?).build());
    };
    let host =
        api_url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).and_then(|host| host.parse::<std::net::SocketAddr>().ok());
    if !host.is_some_and(|host| host.ip().is_loopback()) {
        return Err(BuildError::NotLoopback(api_url.clone()));
    }
    // The library ignores `proxy` while its own limiter is on and would go to Discord with the token.
    let http = serenity::HttpBuilder::new(&access.token)
        .client(client.no_proxy().build()?)
        .proxy(api_url.trim_end_matches('/'))
        .ratelimiter_disabled(true);
    Ok(http.build())
}

async fn check_token(http: &serenity::Http) -> Result<(), BuildError> {
    match http.get_current_user().await {
        Err(serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(response))) if response.status_code.as_u16() == 401 => {
            Err(BuildError::TokenRefused)
        }
        // Anything else is for the client's own start to meet: it waits and tries again.
        _ => Ok(()),
    }
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
        serenity::FullEvent::ShardStageUpdate { event } => {
            tracing::debug!(from = %event.old, to = %event.new, "gateway");
        }
        _ => {}
    }
}
