//! What the `config.json` files of a Stable Diffusion model say.

mod model;
mod unet;

pub use model::ModelConfig;
pub use unet::{AddedConfig, AttentionConfig, BlockConfig, MidConfig, UnetConfig};
