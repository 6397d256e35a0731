use super::intents::{INTENT_GUILD_MEMBERS, INTENT_GUILD_PRESENCES, INTENT_MESSAGE_CONTENT, PRIVILEGED};
use std::time::Duration;

/// What the gateway asks of its clients. The default is what Discord asks of a small bot.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// How often a client must send a heartbeat.
    pub heartbeat_interval: Duration,
    /// The privileged intents that are switched on for the application; another one closes with 4014.
    pub privileged_intents: u64,
    /// `shards` of `GET /gateway/bot`; fewer in an IDENTIFY close with 4011.
    pub min_shards: u64,
    /// Shards that may identify at the same time.
    pub max_concurrency: u64,
    /// The time between two IDENTIFYs of shards with the same rest by `max_concurrency`. Zero turns the limit off.
    pub identify_interval: Duration,
    /// IDENTIFYs in 24 hours. One more revokes the token, as on Discord.
    pub session_starts: u64,
    /// A session without a connection can be resumed for this long.
    pub session_life: Duration,
    /// Whether clients that ask for compressed payloads get them.
    pub allows_compression: bool,
    /// Whether `resume_gateway_url` has a port of its own, so that a library that ignores it is found.
    pub has_resume_port: bool,
}

impl GatewayConfig {
    /// The application's flags: those of an application in fewer than 100 guilds with its privileged intents.
    pub(crate) fn application_flags(&self) -> u64 {
        let flags = [(INTENT_GUILD_PRESENCES, 1 << 13), (INTENT_GUILD_MEMBERS, 1 << 15), (INTENT_MESSAGE_CONTENT, 1 << 19)];
        flags.iter().filter(|(intent, _)| self.privileged_intents & intent != 0).fold(0, |flags, (_, flag)| flags | flag)
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_millis(41_250),
            privileged_intents: PRIVILEGED,
            min_shards: 1,
            max_concurrency: 1,
            identify_interval: Duration::from_secs(5),
            session_starts: 1000,
            session_life: Duration::from_secs(300),
            allows_compression: true,
            has_resume_port: true,
        }
    }
}
