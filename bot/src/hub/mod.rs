//! Models from elsewhere: pulling them from the Hugging Face Hub or an address, and the folder they are kept in.
//!
//! On reqwest and not on the crate `hf-hub`: 1.0 begins a broken file again from its start, does not compare it with the sha256 that the hub
//! knows, and keeps a cache of links instead of plain folders that a person can look into.

mod address;
mod attempts;
mod by_hand;
mod choose;
mod client;
pub mod describe;
mod download;
mod fill;
pub mod folder;
mod listing;
mod offline;
mod part;
mod pull;
mod reach;
mod refusal;
pub mod refuse;
pub mod sha256;
pub mod source;
mod token;

pub use address::{Hub, parse_endpoint};
pub use attempts::Retries;
pub use client::Client;
pub use folder::ModelsFolder;
pub use offline::Offline;
pub use pull::{Pull, Pulled};
pub use source::Source;
pub use token::Token;
