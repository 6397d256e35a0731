//! Models from elsewhere: pulling them from the Hugging Face Hub or an address, and the folder they are kept in.
//!
//! On reqwest and not on the crate `hf-hub`: 1.0 begins a broken file again from its start, does not compare it with the sha256 that the hub
//! knows, and keeps a cache of links instead of plain folders that a person can look into.

mod choose;
mod client;
pub mod describe;
mod download;
mod fill;
pub mod folder;
mod listing;
mod part;
mod pull;
mod reach;
mod refusal;
pub mod refuse;
pub mod sha256;
pub mod source;

pub use client::{Client, Retries, Token, parse_endpoint};
pub use folder::ModelsFolder;
pub use pull::{Pull, Pulled};
pub use source::Source;
