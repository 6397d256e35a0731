//! Model files: where they are and what they hold.

pub mod hf_folder;
pub mod weights;

pub use hf_folder::HfFolder;
pub use weights::Weights;
