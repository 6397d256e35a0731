//! A stand-in for Discord on this machine: the REST API, the gateway and the file server that a bot talks to, and a page
//! with an API of its own (`PAGE_API.md`) for the people who talk to the bot. It imports nothing of Atelier's other parts.

#![warn(missing_docs)]

mod announce;
mod archive;
mod attachment;
mod cdn;
mod clock;
mod command_permission;
mod components;
mod connect;
mod embeds;
mod entitlement;
mod error;
mod events;
mod faults;
mod files;
mod gateway;
mod guard;
mod http;
mod inflow;
mod interact;
mod journal;
mod message;
mod oracle;
mod page_api;
mod pin;
mod privacy;
mod reaction;
mod replaced;
mod rest;
mod server;
mod standing;
mod state;
mod store;
mod thread;
mod timeout;
mod upload;
mod validate;
mod visitor;
mod world;

pub use clock::{Clock, ManualClock};
pub use connect::Guide;
pub use faults::{Fault, FaultKind};
pub use gateway::{EVENT_KINDS, GatewayConfig, GatewayFaults};
pub use http::ConnectionLimits;
pub use oracle::{OnViolation, Violation};
pub use page_api::ideas::Idea;
pub use rest::rate_limit::{RateLimitConfig, Scope};
pub use server::{Sandbox, SandboxConfig, SandboxError};
pub use visitor::{InteractionId, Reaction, Visitor, VisitorError};
pub use world::{BotProfile, WorldFaults};
