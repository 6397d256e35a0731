//! A contact sheet: small pictures in rows, each with its number.

use image::{
    Rgb, RgbImage,
    imageops::{self, FilterType},
};
use storage::NewImage;

use super::{grid, lettering, render::Renderer, stored};

/// Most of a small picture's width and height in pixels.
pub const CELL: u32 = 192;
/// Small pictures in a row.
const COLUMNS: u32 = 5;
/// Between them.
const GAP: u32 = 8;
/// Room for a number under each.
const NUMBER: u32 = 24;
const BACKGROUND: Rgb<u8> = Rgb([43, 45, 49]);
const INK: Rgb<u8> = Rgb([219, 222, 225]);
const MISSING: Rgb<u8> = Rgb([30, 31, 34]);

/// A sheet as JPEG. Numbers count from `first` + 1; what is missing is a dark field.
pub fn sheet(pictures: &[Option<RgbImage>], first: usize) -> Vec<u8> {
    grid::preview_bytes(&composed(pictures, first))
}

fn composed(pictures: &[Option<RgbImage>], first: usize) -> RgbImage {
    let columns = (pictures.len() as u32).clamp(1, COLUMNS);
    let rows = (pictures.len() as u32).div_ceil(columns).max(1);
    let (across, down) = (CELL + GAP, CELL + NUMBER + GAP);
    let mut canvas = RgbImage::from_pixel(columns * across + GAP, rows * down + GAP, BACKGROUND);
    for (place, picture) in (0..).zip(pictures) {
        let (x, y) = (GAP + place % columns * across, GAP + place / columns * down);
        let small = picture.as_ref().map_or_else(|| RgbImage::from_pixel(CELL, CELL, MISSING), |picture| grid::thumbnail(picture, CELL));
        let (left, above) = ((CELL - small.width()) / 2, (CELL - small.height()) / 2);
        imageops::replace(&mut canvas, &small, (x + left).into(), (y + above).into());
        let number = (first + place as usize + 1).to_string();
        let middle = x + CELL.saturating_sub(lettering::width(&number, 2)) / 2;
        lettering::write(&mut canvas, (middle, y + CELL + 5), &number, 2, INK);
    }
    canvas
}

impl Renderer {
    /// A stored picture, at most `side` pixels wide and tall, as it would be shown there; `None` if it is gone.
    pub async fn small(&self, image: &NewImage, side: u32) -> Option<RgbImage> {
        let drawn = stored(&*self.blobs, image.blob.as_str()).await.ok()?;
        let shown = self.shown.picture(image.blob.to_string(), drawn, side).await.ok()?;
        let fit = move || {
            let (width, height) = shown.dimensions();
            if width.max(height) > side { grid::thumbnail(&shown, side) } else { enlarged(&shown, side) }
        };
        tokio::task::spawn_blocking(fit).await.ok()
    }
}

/// A smaller picture as large as its place.
fn enlarged(picture: &RgbImage, side: u32) -> RgbImage {
    let longest = picture.width().max(picture.height()).max(1);
    let scaled = |length: u32| (length * side / longest).max(1);
    grid::resized(picture, (scaled(picture.width()), scaled(picture.height())), FilterType::CatmullRom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_lies_in_its_field_whatever_its_shape_with_a_number_below() {
        let colour = |n: u8| Rgb([n * 20, 255 - n * 20, 7]);
        let shapes = [(192, 192), (300, 100), (100, 300), (50, 50), (192, 108), (10, 192)];
        let pictures: Vec<_> =
            shapes.iter().zip(0..).map(|((width, height), n)| Some(RgbImage::from_pixel(*width, *height, colour(n)))).collect();
        let sheet = composed(&pictures, 10);
        assert_eq!(sheet.dimensions(), (5 * 200 + 8, 2 * 224 + 8));
        for (n, _) in shapes.iter().enumerate() {
            let (x, y) = (8 + n as u32 % 5 * 200, 8 + n as u32 / 5 * 224);
            assert_eq!(*sheet.get_pixel(x + 96, y + 96), colour(n as u8), "{n}");
            let below = sheet
                .enumerate_pixels()
                .filter(|(at_x, at_y, pixel)| (x..x + 192).contains(at_x) && (y + 192..y + 216).contains(at_y) && **pixel == INK);
            assert!(below.count() > 20, "the number of {n}");
        }
        assert_eq!(composed(&[None], 0).get_pixel(100, 100), &MISSING);
    }

    #[test]
    fn what_is_small_fills_its_place() {
        assert_eq!(enlarged(&RgbImage::new(64, 32), 192).dimensions(), (192, 96));
        assert_eq!(enlarged(&RgbImage::new(1, 500), 192).dimensions(), (1, 192));
    }
}
