use crate::{
    archive,
    clock::Clock,
    connect::{self, Guide},
    events::EventLog,
    faults::{self, Fault, Faults},
    files::FileStore,
    gateway::{GatewayConfig, GatewayFaults, Hub, release_late_events},
    guard::Guard,
    http::{self, ConnectionLimits},
    interact,
    journal::{self, Journal},
    oracle::{OnViolation, Violation, Violations},
    page_api::ideas::Idea,
    rest::rate_limit::{RateLimitConfig, RateLimits},
    standing,
    state::{State, Suggestions},
    store::{self, Store},
    world::{BotProfile, World, WorldFaults},
};
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long requests in progress may take to end at shutdown.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(3);

/// How to start a stand-in.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// An address of this machine; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where messages, files and tokens outlive the process; with `None` they are in a temporary folder that goes with it.
    pub data_dir: Option<PathBuf>,
    /// What the bot is called and how it looks, before it says anything itself.
    pub bot: BotProfile,
    /// What the first guild is called, and the page.
    pub guild_name: String,
    /// Whether the page tells how a bot logs in, with the token: not where the token keeps other users of this machine away.
    pub tells_token: bool,
    /// How much of the journal may be in files of `data_dir`, in bytes; 0 keeps none. Its newest lines are in memory either way.
    pub journal_bytes: u64,
    /// The bot's token: any word that is not a real Discord token.
    pub token: String,
    /// What the gateway asks of its clients.
    pub gateway: GatewayConfig,
    /// How many requests a bot may make.
    pub rate_limits: RateLimitConfig,
    /// How many connections there may be, and how slow they.
    pub limits: ConnectionLimits,
    /// Whether requests and answers are checked against Discord's own description.
    pub validation: bool,
    /// What a violation does to the program that owns the stand-in.
    pub on_violation: OnViolation,
    /// What chance is drawn from: the same seed meets the same faults.
    pub seed: u64,
    /// Whether `listen` may be an address that other machines reach. Whoever reaches it may do everything.
    pub allow_remote: bool,
    /// The address by which bots and people know the stand-in, if it is not `listen`, such as `http://192.168.1.5:8090`.
    pub public_url: Option<String>,
    /// What the addresses of files begin with, if not with the stand-in's own: where something in front of it serves them under another name.
    pub files_url: Option<String>,
    /// Further names that a `Host` may have, such as that under which something in front of the stand-in is known.
    pub names: Vec<String>,
    /// What an empty channel offers to press.
    pub ideas: Vec<Idea>,
}

impl Default for SandboxConfig {
    /// For a test: a free port of this machine, nothing kept, `sandbox` for a token, and violations fail the test.
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            data_dir: None,
            bot: BotProfile::default(),
            guild_name: "Sandbox".to_owned(),
            tells_token: true,
            journal_bytes: 0,
            token: "sandbox".to_owned(),
            gateway: GatewayConfig::default(),
            rate_limits: RateLimitConfig::default(),
            limits: ConnectionLimits::default(),
            validation: true,
            on_violation: OnViolation::Panic,
            seed: 0,
            allow_remote: false,
            public_url: None,
            files_url: None,
            names: Vec::new(),
            ideas: Vec::new(),
        }
    }
}

/// Why a stand-in cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Other machines could reach the address.
    #[error("the sandbox listens on this machine only, not on {0}; use 127.0.0.1, or say that other machines may in (`--allow-remote`)")]
    NotLoopback(SocketAddr),
    /// The address that others should use is no address.
    #[error("the sandbox's address for others is {0:?}; it must be like http://192.168.1.5:8090")]
    PublicUrl(String),
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
    servers: Vec<JoinHandle<()>>,
    address: SocketAddr,
    on_violation: OnViolation,
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
        if !address.ip().is_loopback() && !config.allow_remote {
            return Err(SandboxError::NotLoopback(address));
        }
        let refuse = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => SandboxError::AddressInUse(address),
            _ => SandboxError::Listen { address, source },
        };
        let listener = TcpListener::bind(address).await.map_err(refuse)?;
        let bound = listener.local_addr().map_err(refuse)?;
        let resume_listener = match config.gateway.has_resume_port {
            true => Some(TcpListener::bind((address.ip(), 0)).await.map_err(refuse)?),
            false => None,
        };
        let resume_address = resume_listener.as_ref().map(TcpListener::local_addr).transpose().map_err(refuse)?;
        let data_dir = config.data_dir.as_deref();
        if let Some(path) = data_dir {
            tokio::fs::create_dir_all(path).await.map_err(|source| SandboxError::Directory { path: path.to_owned(), source })?;
        }
        let store = Store::open(data_dir, clock.clone()).await?;
        let known = store::files::ids(&mut *store.connect().await?).await?;
        let refuse = |source| SandboxError::Directory { path: store.directory().to_owned(), source };
        let files = FileStore::open(store.directory(), &known).await.map_err(refuse)?;
        let (journal, journal_lines) = match data_dir.filter(|_| config.journal_bytes > 0) {
            Some(directory) => {
                let (journal, lines) = Journal::with_file();
                (journal, Some((directory.to_owned(), lines)))
            }
            None => (Journal::default(), None),
        };
        let threads = store::threads::all(&mut *store.connect().await?).await?;
        let (waiting, to_watch) = mpsc::unbounded_channel();
        let world = World::new(clock.clone(), threads, config.bot, config.guild_name.clone());
        let mut names = config.names;
        let url = match config.public_url {
            Some(url) => {
                let url = public_url(url)?;
                names.extend(host(&url).filter(|_| config.allow_remote));
                url
            }
            None => format!("http://{bound}"),
        };
        let state = Arc::new(State {
            waiting,
            token,
            store,
            files,
            hub: Hub::new(clock.clone(), config.gateway),
            events: EventLog::new(clock.now_ms()),
            clock,
            rate_limits: RateLimits::new(config.rate_limits),
            limits: config.limits,
            suggestions: Suggestions::default(),
            is_in_memory: data_dir.is_none(),
            n_messages: AtomicU64::new(0),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            resume_url: resume_address.and_then(|address| at_port(&url, address.port())),
            files_url: config.files_url.map_or_else(|| url.clone(), |url| url.trim_end_matches('/').to_owned()),
            url,
            title: config.guild_name,
            tells_token: config.tells_token,
            journal,
            faults: Faults::new(config.seed),
            violations: Violations::default(),
            validates: config.validation,
            ideas: config.ideas,
            guard: Guard::new(names, config.allow_remote.then(|| address.ip())),
            world,
        });
        if let Some((directory, lines)) = journal_lines {
            state.tasks.spawn(journal::keep(directory, config.journal_bytes, lines, state.shutdown.clone()));
        }
        if data_dir.is_some() {
            standing::restore(&state).await?;
            state.tasks.spawn(standing::keep(Arc::clone(&state)));
        }
        state.tasks.spawn(release_late_events(Arc::clone(&state)));
        state.tasks.spawn(interact::watch(Arc::clone(&state), to_watch));
        state.tasks.spawn(archive::keep(Arc::clone(&state)));
        let mut servers = vec![http::serve(&state, listener, http::router(Arc::clone(&state)))];
        if let Some(listener) = resume_listener {
            servers.push(http::serve(&state, listener, http::resume_router(Arc::clone(&state))));
        }
        tracing::info!(sandbox.url = state.url, "the sandbox listens");
        Ok(Self { state, servers, address: bound, on_violation: config.on_violation })
    }

    /// The base address, such as `http://127.0.0.1:4321`: of the page, and of the API that a bot is pointed at.
    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bot's token, without `Bot `.
    pub fn token(&self) -> &str {
        &self.state.token
    }

    /// The gateway's address, such as `ws://127.0.0.1:4321`.
    pub fn gateway_url(&self) -> String {
        self.state.gateway_url()
    }

    /// How a bot connects, for each library.
    pub fn guides(&self) -> Vec<Guide> {
        connect::guides(self.url(), &self.gateway_url(), self.token())
    }

    /// Breaks every gateway connection off, as a failing network would. Sessions can be resumed.
    pub fn drop_gateway(&self) {
        self.gateway().drop_all();
    }

    /// What can go wrong with the gateway, on demand.
    pub fn gateway(&self) -> GatewayFaults<'_> {
        GatewayFaults { state: &self.state }
    }

    /// Lets something go wrong, and returns the number by which [`Sandbox::end_fault`] ends it.
    ///
    /// # Errors
    /// One sentence, when the fault's fields do not make sense.
    pub fn fault(&self, fault: Fault) -> Result<u64, String> {
        faults::begin(&self.state, fault)
    }

    /// Ends a fault; `false` if there is none with this number.
    pub fn end_fault(&self, id: u64) -> bool {
        faults::end(&self.state, id)
    }

    /// What broke Discord's description so far, the newest 1,000.
    pub fn violations(&self) -> Vec<Violation> {
        self.state.violations.all()
    }

    /// Forgets the violations so far: for tests that provoke them.
    pub fn forgive_violations(&self) {
        self.state.violations.forgive();
    }

    /// What guilds do to the bot on demand.
    pub fn world(&self) -> WorldFaults<'_> {
        WorldFaults { state: &self.state }
    }

    /// Stops: closes connections, lets requests end and closes the database.
    pub async fn shutdown(mut self) {
        self.state.shutdown.cancel();
        self.state.tasks.close();
        for mut server in std::mem::take(&mut self.servers) {
            if tokio::time::timeout(SHUTDOWN_WITHIN, &mut server).await.is_err() {
                tracing::warn!("requests to the sandbox did not end in time and are cut off");
                server.abort();
            }
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
        for server in &self.servers {
            server.abort();
        }
        let violations = self.violations();
        if self.on_violation == OnViolation::Panic && !std::thread::panicking() && !violations.is_empty() {
            let told: Vec<String> =
                violations.iter().map(|one| format!("{} {} {}: {}", one.direction, one.method, one.path, one.message)).collect();
            panic!("Discord's API description was violated:\n{}", told.join("\n"));
        }
    }
}

/// Without the slash at its end; other machines reach bots' files and the gateway by it.
fn public_url(url: String) -> Result<String, SandboxError> {
    let is_plain =
        reqwest::Url::parse(&url).is_ok_and(|url| url.scheme() == "http" && url.has_host() && url.path() == "/" && url.query().is_none());
    if is_plain { Ok(url.trim_end_matches('/').to_owned()) } else { Err(SandboxError::PublicUrl(url)) }
}

/// The name or address in a checked URL.
fn host(url: &str) -> Option<String> {
    let host = reqwest::Url::parse(url).ok()?.host_str()?.to_owned();
    Some(host.trim_matches(['[', ']']).to_owned())
}

/// The gateway's second address, at the host by which clients know the first.
fn at_port(url: &str, port: u16) -> Option<String> {
    let mut url = reqwest::Url::parse(&url.replacen("http", "ws", 1)).ok()?;
    url.set_port(Some(port)).ok()?;
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a token has the three parts of a real one: an id, a time and a signature.
fn looks_real(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let is_base64 = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    matches!(parts.as_slice(), [id, time, signature]
        if (22..=30).contains(&id.len()) && (5..=8).contains(&time.len()) && signature.len() >= 25 && parts.iter().all(|part| is_base64(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_port_is_at_the_same_host() {
        assert_eq!(at_port("http://192.168.1.5:8090", 41234).as_deref(), Some("ws://192.168.1.5:41234"));
        assert_eq!(at_port("http://[::1]:8090", 7).as_deref(), Some("ws://[::1]:7"));
        assert_eq!(at_port("http://bots.lan", 7).as_deref(), Some("ws://bots.lan:7"));
    }

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
