//! Pictures in a terminal: how it can show them, where they go, and the bytes that do it. Pure but for what asks the terminal.

mod ability;
mod area;
mod blocks;
mod kitty;
mod layout;
mod sixel;

pub use ability::{Facts, Preview, Way};
pub use area::Area;

use image::{RgbImage, imageops::FilterType};

use crate::pictures::grid;

/// A picture at a size in pixels.
fn sized(picture: &RgbImage, (width, height): (u32, u32)) -> RgbImage {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    grid::resized(picture, (width, height), FilterType::CatmullRom)
}
