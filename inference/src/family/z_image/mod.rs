//! Z-Image and Z-Image-Turbo (Tongyi-MAI): a transformer over picture and caption together, with Qwen3 as its text encoder.

mod block;
mod config;
mod family;
mod text;
mod transformer;

pub(super) use self::family::ZImage;
pub use self::{
    config::TransformerConfig,
    transformer::{Caption, Transformer},
};
pub use crate::ops::Batch;
