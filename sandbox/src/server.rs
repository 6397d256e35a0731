use crate::{
    cdn,
    clock::Clock,
    events::EventLog,
    files::FileStore,
    gateway::{Hub, socket},
    page_api,
    rest::{self, rate_limit::RateLimits},
    state::{State, Suggestions},
    store::{self, Store},
    world::{World, WorldFaults},
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Query, Request, State as Shared, ws::WebSocketUpgrade},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use std::{collections::HashMap, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The largest request: ten pictures of a message fit, as on Discord.
const MAX_BODY_BYTES: usize = 25 << 20;
const MAX_FRAME_BYTES: usize = 64 << 10;
/// How long requests in progress may take to end at shutdown.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(3);

/// How to start a stand-in.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// An address of this machine; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where messages, files and tokens outlive the process; `None` keeps them in memory.
    pub data_dir: Option<PathBuf>,
    /// The bot's token: any word that is not a real Discord token.
    pub token: String,
}

/// Why a stand-in cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Other machines could reach the address.
    #[error("the sandbox listens on this machine only, not on {0}; use 127.0.0.1")]
    NotLoopback(SocketAddr),
    /// The token has the form of a real one, which must not be handed to a stand-in.
    #[error("the sandbox's token looks like a real Discord token; use any other word")]
    RealToken,
    /// The token is empty.
    #[error("the sandbox's token is empty")]
    EmptyToken,
    /// Somebody else listens there.
    #[error("{0} is in use by another program; choose another port, or 0 for any free one")]
    AddressInUse(SocketAddr),
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The directory cannot be used.
    #[error("cannot use the sandbox's directory {path}")]
    Directory {
        /// The directory asked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the sandbox's database")]
    Database(#[from] sqlx::Error),
}

/// A running stand-in. Dropping it stops it at once; [`Sandbox::shutdown`] lets requests end first.
pub struct Sandbox {
    state: Arc<State>,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl Sandbox {
    /// Starts a stand-in on the machine's clock.
    ///
    /// # Errors
    /// When the address is taken or not of this machine, the token looks real, or the directory cannot be used.
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        Self::start_with_clock(config, Clock::System).await
    }

    /// Starts a stand-in whose 3 seconds and 15 minutes run by `clock`.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub async fn start_with_clock(config: SandboxConfig, clock: Clock) -> Result<Self, SandboxError> {
        let token = config.token.strip_prefix("Bot ").unwrap_or(&config.token).to_owned();
        if token.is_empty() {
            return Err(SandboxError::EmptyToken);
        }
        if looks_real(&token) {
            return Err(SandboxError::RealToken);
        }
        let address = config.listen;
        if !address.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(address));
        }
        let refuse = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => SandboxError::AddressInUse(address),
            _ => SandboxError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(refuse)?;
        let bound = listener.local_addr().map_err(refuse)?;
        let data_dir = config.data_dir.as_deref();
        let files = match data_dir {
            Some(path) => {
                let refuse = |source| SandboxError::Directory { path: path.to_owned(), source };
                tokio::fs::create_dir_all(path).await.map_err(refuse)?;
                FileStore::open(path).await.map_err(refuse)?
            }
            None => FileStore::in_memory(),
        };
        let store = Store::open(data_dir).await?;
        let yesterday = store::first_id_at(clock.now_ms() - 24 * 3600 * 1000);
        let stale = store::files::forget_uploads(&mut *store.connect().await?, yesterday).await?;
        files.remove(&stale).await;
        let threads = store::threads::all(&mut *store.connect().await?).await?;
        let state = Arc::new(State {
            url: format!("http://{bound}"),
            token,
            store,
            files,
            hub: Hub::default(),
            events: EventLog::new(clock.now_ms()),
            clock,
            rate_limits: RateLimits::default(),
            suggestions: Suggestions::default(),
            is_in_memory: data_dir.is_none(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            world: World::new(threads),
        });
        let ended = state.shutdown.clone().cancelled_owned();
        let app = router(Arc::clone(&state));
        let server = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(ended).await });
        tracing::info!(sandbox.url = state.url, "the sandbox listens");
        Ok(Self { state, server: Some(server) })
    }

    /// The base address, such as `http://127.0.0.1:4321`: of the page, and of the API that a bot is pointed at.
    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// The bot's token, without `Bot `.
    pub fn token(&self) -> &str {
        &self.state.token
    }

    /// Breaks every gateway connection off, as a failing network would. Sessions can be resumed.
    pub fn drop_gateway(&self) {
        self.state.hub.drop_all();
        self.state.announce_bot();
    }

    /// What guilds do to the bot on demand.
    pub fn world(&self) -> WorldFaults<'_> {
        WorldFaults { state: &self.state }
    }

    /// Stops: closes connections, lets requests end and closes the database.
    pub async fn shutdown(mut self) {
        self.state.shutdown.cancel();
        self.state.tasks.close();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(SHUTDOWN_WITHIN, &mut server).await.is_err()
        {
            tracing::warn!("requests to the sandbox did not end in time and are cut off");
            server.abort();
        }
        if tokio::time::timeout(SHUTDOWN_WITHIN, self.state.tasks.wait()).await.is_err() {
            tracing::warn!("the sandbox's connections did not end in time");
        }
        self.state.store.close().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.state.shutdown.cancel();
        self.state.tasks.close();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

/// Whether a token has the three parts of a real one: an id, a time and a signature.
fn looks_real(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let is_base64 = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    matches!(parts.as_slice(), [id, time, signature]
        if (22..=30).contains(&id.len()) && (5..=8).contains(&time.len()) && signature.len() >= 25 && parts.iter().all(|part| is_base64(part)))
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/", any(root))
        .route("/attachments/{channel}/{id}/{filename}", get(cdn::serve))
        .route("/api/{*path}", any(rest::handle))
        .nest("/sandbox/api", page_api::router(Arc::clone(&state)))
        .fallback(page_api::assets::serve)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(state)
}

/// The gateway for a client that speaks WebSocket, the page for a browser.
async fn root(Shared(state): Shared<Arc<State>>, Query(query): Query<HashMap<String, String>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &state).await {
        Ok(upgrade) => {
            let version = query.get("v").cloned();
            let upgrade = upgrade.max_message_size(MAX_FRAME_BYTES).max_frame_size(MAX_FRAME_BYTES);
            upgrade.on_upgrade(move |connected| {
                let tasks = state.tasks.clone();
                // Tracked, so that a shutdown waits for the last close frame.
                tasks.track_future(socket::serve(state, connected, version))
            })
        }
        Err(_) => page_api::assets::serve(parts.headers, parts.uri).await.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_the_real_form_are_refused() {
        let check = |token: &str, expected| assert_eq!(looks_real(token), expected, "{token}");
        check(&format!("{}.{}.{}", "M".repeat(26), "Gabcde", "x".repeat(38)), true);
        check("sandbox.token", false);
        check("sandbox", false);
        check(&format!("{}.{}.{}", "M".repeat(26), "Gabcde", "x".repeat(8)), false);
        check("a.b.c", false);
    }
}
