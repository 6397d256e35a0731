//! Parts of a picture that people can name: five columns, A to E, and five rows, 1 to 5 from above.

use image::{GrayImage, Luma, Rgb, RgbImage};
use inference::task::ImageSize;
use serde::{Deserialize, Serialize};

use crate::pictures::lettering;

/// Columns, and rows.
const SIDE: u32 = 5;
/// How far the mask fades out around a cell: the shorter side through this. What is drawn reaches to the middle of that.
const FADE: f64 = 16.0;

/// Some of a picture's 25 cells, row by row from A1: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells(u32);

impl Cells {
    /// The names of all cells: A1, B1, …
    pub fn names() -> impl Iterator<Item = String> {
        (0..SIDE * SIDE).map(name)
    }

    /// The cells of these names; what is none is left out.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let bit = |wanted: &str| (0..SIDE * SIDE).find(|cell| name(*cell) == wanted).map_or(0, |cell| 1 << cell);
        Self(names.into_iter().fold(0, |cells, wanted| cells | bit(wanted)))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// White in the cells, and around them less and less.
    pub fn mask(self, size: ImageSize) -> GrayImage {
        let fade = f64::from(size.width.min(size.height)) / FADE;
        let cells: Vec<[(u32, u32); 2]> = (0..SIDE * SIDE).filter(|cell| self.0 >> cell & 1 == 1).map(|cell| place(cell, size)).collect();
        let beside = |at: u32, (start, end): (u32, u32)| f64::from(start.saturating_sub(at).max((at + 1).saturating_sub(end)));
        GrayImage::from_fn(size.width, size.height, |x, y| {
            let distance = |[columns, rows]: &[(u32, u32); 2]| beside(x, *columns).hypot(beside(y, *rows));
            let nearest = cells.iter().map(distance).fold(f64::INFINITY, f64::min);
            Luma([((1.0 - nearest / fade).clamp(0.0, 1.0) * 255.0).round() as u8])
        })
    }
}

/// The picture under lines between its cells, with their names.
pub fn lettered(picture: &RgbImage) -> RgbImage {
    let size = ImageSize::new(picture.width(), picture.height());
    let mut lettered = picture.clone();
    let shorter = size.width.min(size.height);
    let (line, dot) = ((shorter / 400).max(1), (shorter / 240).max(1));
    let (dark, light) = (Rgb([0; 3]), Rgb([255; 3]));
    for cell in 0..SIDE * SIDE {
        let [(left, right), (top, bottom)] = place(cell, size);
        for y in top..bottom {
            for x in left..right {
                let at_edge = (x - left).min(y - top);
                if at_edge < 2 * line && (x - left < 2 * line && left > 0 || y - top < 2 * line && top > 0) {
                    lettered.put_pixel(x, y, if at_edge < line { dark } else { light });
                }
            }
        }
        let text = name(cell);
        let (width, height) = (lettering::width(&text, dot), lettering::height(dot));
        let corner = (left + 5 * dot, top + 5 * dot);
        // On a dark plate, so that it is read on every picture.
        for y in corner.1 - 2 * dot..(corner.1 + height + 2 * dot).min(bottom) {
            for x in corner.0 - 2 * dot..(corner.0 + width + 2 * dot).min(right) {
                lettered.put_pixel(x, y, dark);
            }
        }
        lettering::write(&mut lettered, corner, &text, dot, light);
    }
    lettered
}

fn name(cell: u32) -> String {
    let column = char::from(b'A' + (cell % SIDE) as u8);
    format!("{column}{}", cell / SIDE + 1)
}

/// A cell's columns and rows, each from and up to: all cells together are the picture.
fn place(cell: u32, size: ImageSize) -> [(u32, u32); 2] {
    let along = |side: u32, number: u32| (side * number / SIDE, side * (number + 1) / SIDE);
    [along(size.width, cell % SIDE), along(size.height, cell / SIDE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size() -> ImageSize {
        ImageSize::new(80, 48)
    }

    #[test]
    fn every_cell_has_a_name_and_a_place_of_its_own() {
        let names: Vec<_> = Cells::names().collect();
        assert_eq!((names.len(), names[0].as_str(), names[1].as_str(), names[24].as_str()), (25, "A1", "B1", "E5"));
        let mut seen = GrayImage::new(80, 48);
        for name in &names {
            let one = Cells::of([name.as_str()]);
            assert!(!one.is_empty(), "{name}");
            for (x, y, white) in one.mask(size()).enumerate_pixels() {
                seen.get_pixel_mut(x, y).0[0] += u8::from(white.0[0] == 255);
            }
        }
        assert!(seen.pixels().all(|times| times.0[0] == 1), "together they are the picture, and none twice");
        assert!(Cells::of(["F1", "A6", "a1", ""]).is_empty());
    }

    #[test]
    fn a_mask_is_white_in_its_cells_and_fades_out_around_them() {
        let cells = Cells::of(["B2", "C2"]);
        let mask = cells.mask(size());
        let at = |x: u32, y: u32| mask.get_pixel(x, y).0[0];
        // B and C are columns 16 to 48, row 2 is rows 9 to 19; a sixteenth of 48 is 3.
        for (x, y, expected) in
            [(16, 9, 255), (47, 18, 255), (31, 14, 255), (15, 14, 170), (14, 14, 85), (13, 14, 0), (48, 12, 170), (30, 6, 0), (30, 7, 85)]
        {
            assert_eq!(at(x, y), expected, "at {x}, {y}");
        }
        let drawn = |x: u32, y: u32| at(x, y) >= 128;
        assert!(drawn(15, 14) && !drawn(14, 14), "what is drawn reaches to the middle of the fading");
        assert_eq!(cells, Cells::of(["C2", "B2", "B2"]));
        assert!(Cells::default().mask(size()).pixels().all(|pixel| pixel.0[0] == 0));
    }

    #[test]
    fn letters_and_lines_leave_most_of_the_picture() {
        for (width, height) in [(64, 64), (1024, 1024), (300, 40)] {
            let picture = RgbImage::from_pixel(width, height, Rgb([90, 120, 30]));
            let lettered = lettered(&picture);
            let same = picture.pixels().zip(lettered.pixels()).filter(|(own, other)| own == other).count();
            assert!(lettered != picture && (width < 1024 || same * 4 > (width * height * 3) as usize), "{same} of {width}×{height}");
        }
    }
}
