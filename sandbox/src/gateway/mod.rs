//! The gateway: who is connected, what each has been sent, what a resume must replay, and what goes wrong on demand.
//! Source: discord-api-docs, events/gateway and events/gateway-events.

mod compress;
mod config;
mod faults;
mod handshake;
mod hub;
mod intents;
mod kinds;
mod limits;
mod members;
mod record;
mod session;
pub(crate) mod socket;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use crate::world::Id;
pub use config::GatewayConfig;
pub use faults::GatewayFaults;
pub(crate) use hub::{Hub, release_late_events};
pub(crate) use intents::*;
pub use kinds::EVENT_KINDS;
pub(crate) use members::guild_created;
use serde_json::Value;

/// An event for the bots.
#[derive(Clone)]
pub(crate) struct Dispatch {
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
    /// The intent bit that a session needs for a kind that Discord's table does not name.
    pub(crate) intent: u64,
    pub(crate) guild: Option<Id>,
    /// Text, files and components are blanked for sessions without the message content intent.
    pub(crate) is_private: bool,
}
