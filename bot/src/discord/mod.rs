//! Everything that knows how Discord is spoken to: serenity and its traps stay in here (and in the commands and buttons).

mod client;
mod convert;
mod messenger;
pub mod permits;
pub mod places;
mod venue;

pub use client::{Access, BuildError, Endpoint, Front, build, check_stand_in, on_event};
pub use convert::{buttons_alone, first_reply, form, later_reply, reply, sent};
pub use messenger::{Messenger, SendError};
pub use poise::serenity_prelude::Error as SerenityError;
pub use venue::{venue_of, venue_of_form};
