//! How a picture came from noise, as pictures.

mod board;
mod heat;
pub mod kept;
mod message;
pub mod strip;
pub mod ways;

pub use heat::{MAX_WORDS, chosen, words};
