//! Who may use the bot and for what, where and how often: computed from what was read before, without Discord's library and without I/O.

pub mod book;
pub mod decide;
mod looks;
pub mod permissions;
pub mod permits;
mod venue;
pub mod words;

pub use looks::Looks;
pub use venue::{Venue, check_guild};
