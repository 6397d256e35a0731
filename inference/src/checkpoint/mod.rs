//! Model files: where they are and what they hold.

pub mod adapter;
pub mod hf_folder;
pub mod names;
pub mod patch;
pub mod weights;

pub use adapter::Adapters;
pub use hf_folder::HfFolder;
pub use names::{UnetLayout, ldm_unet_name, ldm_vae_name, open_clip_name};
pub use patch::{Part, Patch};
pub use weights::Weights;
