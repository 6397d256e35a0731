//! Stable Diffusion 1, 2 and XL: CLIP text encoders, a U-Net, an autoencoder.

mod attention;
pub mod config;
mod denoiser;
mod embeddings;
mod family;
mod model;
mod prompt;
mod text;
mod unet;

pub(crate) use self::family::StableDiffusion;
pub use self::{config::ModelConfig, model::Model, prompt::PromptState};
pub use crate::{ops::Padding, text::encode::Conditioning};
