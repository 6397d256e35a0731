//! Pictures outside the engine: read from strangers, laid into grids, made large enough to be shown, and told how they were made.

pub mod canvas;
pub mod explain;
pub mod film;
pub mod grid;
pub mod guess;
pub mod hashes;
pub mod lettering;
pub mod metadata;
mod outside;
pub mod render;
pub mod sheet;
mod shortened;
pub mod shown;
mod stored;
pub mod tree;

pub use outside::*;
pub use stored::{input, is_lost, stored};
