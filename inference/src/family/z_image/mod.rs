//! Z-Image and Z-Image-Turbo (Tongyi-MAI): a transformer over picture and caption together, with Qwen3 as its text encoder.

mod block;
mod config;
mod transformer;

pub use self::{
    config::TransformerConfig,
    transformer::{Caption, Transformer},
};
