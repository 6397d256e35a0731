//! Enlarging finished pictures.

pub mod srvgg;

pub use srvgg::Upscaler;
