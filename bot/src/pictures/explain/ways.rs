//! One picture, guided in several ways.

use image::RgbImage;
use inference::task::Way;

use super::board::{board, within};

/// Side of a picture in pixels.
pub const CELL: u32 = 344;

/// Two in a row, with the guidance below each.
pub fn ways(pictures: &[(Way, RgbImage)]) -> RgbImage {
    let cells: Vec<_> = pictures.iter().map(|(way, picture)| (within(picture, CELL), label(way))).collect();
    board(&cells, 2)
}

fn label(Way { guidance_scale, has_negative }: &Way) -> String {
    if *has_negative { format!("GUIDANCE {guidance_scale}") } else { "NO NEGATIVE".to_owned() }
}
