//! How a picture came from noise, as pictures.

mod board;
mod curve;
mod heat;
pub mod kept;
mod message;
mod pages;
pub mod strip;
pub mod tour;
pub mod ways;

pub use heat::{MAX_WORDS, chosen, words};
