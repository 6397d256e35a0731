//! What the person who runs the bot reads of its way to Discord.

use std::time::Duration;

/// In place of a reason: questions are answered, and nothing else.
pub const NO_GATEWAY: &str = "it answers questions, but its gateway does not let me in";

/// Who the bot is, once it is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The bot's name.
    pub name: String,
    /// Its application's id.
    pub id: u64,
    /// Servers that it is in; `None` if nobody said.
    pub n_guilds: Option<u64>,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, id, n_guilds } = self;
        write!(f, "{name} (id {id})")?;
        match n_guilds {
            None => Ok(()),
            Some(0) => f.write_str(", in no server yet"),
            Some(1) => f.write_str(", in 1 server"),
            Some(n) => write!(f, ", in {n} servers"),
        }
    }
}

/// A try to reach `place` has failed.
pub fn cannot_reach(place: &str, why: &str, wait: Duration) -> String {
    format!("I cannot reach {place} ({why}); trying again in {} s, later less often.", wait.as_secs())
}

/// The end of what [`cannot_reach`] told.
pub fn reached_again(place: &str) -> String {
    format!("I reach {place} again.")
}

/// Something on this machine stands in the way of the start and may pass.
pub fn cannot_start_yet(why: &str, wait: Duration) -> String {
    format!("I cannot start yet ({why}); trying again in {} s, later less often.", wait.as_secs())
}

/// Discord has not taken the commands.
pub fn not_registered(why: &str, wait: Duration) -> String {
    format!("The commands are not registered yet ({why}); trying again in {} s, later less often.", wait.as_secs())
}

/// As whom the bot is connected.
pub fn connected(place: &str, identity: &Identity) -> String {
    format!("Connected to {place} as {identity}.")
}

/// How to get the bot into a server.
pub fn invite(url: &str) -> String {
    format!("To add the bot to a server, open {url}")
}

/// The bot is at work.
pub fn ready(model: &str, device: &str) -> String {
    format!("Ready: drawing with {model} on {device}. Type /imagine in Discord; Ctrl-C ends the bot.")
}
