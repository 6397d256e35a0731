//! Model files: where they are and what they hold.

pub mod hf_folder;
pub mod patch;
pub mod weights;

pub use hf_folder::HfFolder;
pub use patch::{Part, Patch};
pub use weights::Weights;
