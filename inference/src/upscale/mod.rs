//! Enlarging finished pictures.

mod compact;
mod layout;
mod rrdb;
mod upscaler;

pub use upscaler::Upscaler;
