//! Everything that knows how Discord is spoken to: serenity and its traps stay in here (and in the commands and buttons).

pub mod ask;
mod call;
mod client;
mod convert;
mod delivery;
mod endpoint;
mod invite;
mod link;
mod messenger;
pub mod permits;
pub mod places;
mod responder;
mod seen;
mod send_error;
mod shared;
pub mod token;
pub mod unreachable;
mod venue;
mod wait;
mod whereabouts;

pub use ask::{Caller, file_carrier};
pub use client::connect;
pub use convert::{buttons_alone, form, sent, values};
pub use delivery::delivery;
pub use endpoint::{Access, BuildError, Endpoint, FILE_HOSTS, Front, check_stand_in};
pub use invite::{NEEDS, Need, invite_url};
pub use link::{Link, Waits};
pub use messenger::{Messenger, Way};
pub use poise::serenity_prelude::Error as SerenityError;
pub use responder::{Acknowledged, Key, Original, Responder};
pub use seen::Seen;
pub use send_error::{Later, SendError};
pub use shared::{Attached, Shared};
pub use venue::{venue_of, venue_of_form};
pub use whereabouts::Whereabouts;
