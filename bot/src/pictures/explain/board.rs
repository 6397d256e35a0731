//! Pictures in rows, each with words below it.

use image::{
    Rgb, RgbImage,
    imageops::{self, FilterType},
};

use crate::pictures::{grid, lettering};

/// Between pictures.
const GAP: u32 = 8;
pub const BACKGROUND: Rgb<u8> = Rgb([43, 45, 49]);
pub const INK: Rgb<u8> = Rgb([242, 243, 245]);
/// Pixels of a dot of the letters: they can be read on a telephone too.
pub const DOT: u32 = 3;

/// Pictures in rows of so many, each in a field as wide and tall as the largest, with its words below.
pub fn board(cells: &[(RgbImage, String)], columns: u32) -> RgbImage {
    let columns = columns.min(cells.len() as u32).max(1);
    let rows = (cells.len() as u32).div_ceil(columns);
    let side = |length: fn(&RgbImage) -> u32| cells.iter().map(|(picture, _)| length(picture)).max().unwrap_or(1);
    let (width, height) = (side(RgbImage::width), side(RgbImage::height));
    let (across, down) = (width + GAP, height + lettering::height(DOT) + 3 * GAP);
    let mut canvas = RgbImage::from_pixel(columns * across + GAP, rows * down + GAP, BACKGROUND);
    for (place, (picture, words)) in (0..).zip(cells) {
        let (x, y) = (GAP + place % columns * across, GAP + place / columns * down);
        let (left, above) = ((width - picture.width()) / 2, (height - picture.height()) / 2);
        imageops::replace(&mut canvas, picture, (x + left).into(), (y + above).into());
        let dot = (1..=DOT).rev().find(|dot| lettering::width(words, *dot) <= width).unwrap_or(1);
        let middle = x + width.saturating_sub(lettering::width(words, dot)) / 2;
        lettering::write(&mut canvas, (middle, y + height + GAP), words, dot, INK);
    }
    canvas
}

/// Pictures of one width below each other.
pub fn stacked(pictures: &[RgbImage]) -> RgbImage {
    let width = pictures.iter().map(RgbImage::width).max().unwrap_or(1);
    let heights = pictures.iter().map(|picture| picture.height() + GAP / 2).sum::<u32>().max(1);
    let mut canvas = RgbImage::from_pixel(width, heights - GAP / 2, BACKGROUND);
    let mut y = 0;
    for picture in pictures {
        imageops::replace(&mut canvas, picture, ((width - picture.width()) / 2).into(), y.into());
        y += picture.height() + GAP / 2;
    }
    canvas
}

/// A picture made as large as fits into a square, smoothly.
pub fn within(picture: &RgbImage, side: u32) -> RgbImage {
    let longest = picture.width().max(picture.height()).max(1);
    let scaled = |length: u32| ((f64::from(length) * f64::from(side) / f64::from(longest)).round() as u32).max(1);
    let filter = if longest > side { FilterType::Lanczos3 } else { FilterType::CatmullRom };
    grid::resized(picture, (scaled(picture.width()), scaled(picture.height())), filter)
}

/// A letter in the upper left corner, on a ground of its own.
pub fn marked(mut picture: RgbImage, letter: &str) -> RgbImage {
    let (width, height) = (lettering::width(letter, DOT) + 2 * GAP, lettering::height(DOT) + 2 * GAP);
    for y in 0..height.min(picture.height()) {
        for x in 0..width.min(picture.width()) {
            picture.put_pixel(x, y, BACKGROUND);
        }
    }
    lettering::write(&mut picture, (GAP, GAP), letter, DOT, INK);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_lies_in_its_field_with_its_words_below() {
        let colour = |n: u8| Rgb([n * 30, 200, 7]);
        let cells: Vec<(RgbImage, String)> = [(96, 96), (96, 40), (30, 96), (96, 96), (50, 50)]
            .into_iter()
            .zip(0..)
            .map(|((width, height), n)| (RgbImage::from_pixel(width, height, colour(n)), format!("σ {n}.5")))
            .collect();
        let found = board(&cells, 4);
        assert_eq!(found.dimensions(), (4 * 104 + 8, 2 * (96 + 21 + 24) + 8));
        for (n, (picture, _)) in (0..5_u32).zip(&cells) {
            let (x, y) = (8 + n % 4 * 104, 8 + n / 4 * 141);
            assert_eq!(*found.get_pixel(x + 48, y + 48), colour(n as u8), "{n}");
            assert_eq!(found.pixels().filter(|pixel| **pixel == colour(n as u8)).count() as u32, picture.width() * picture.height());
            let below = found
                .enumerate_pixels()
                .filter(|(at_x, at_y, pixel)| (x..x + 96).contains(at_x) && (y + 96..y + 96 + 29).contains(at_y) && **pixel == INK);
            assert!(below.count() > 100, "the words of {n}");
        }
        let long = board(&[(RgbImage::new(100, 9), "VERY LONG WORDS".into())], 4);
        assert_eq!(long.width(), 116);
        assert_eq!(board(&[], 4).dimensions(), (17, 8));
    }

    #[test]
    fn a_picture_fills_its_square_whatever_its_size() {
        let size = |width, height| within(&RgbImage::new(width, height), 160).dimensions();
        assert_eq!([size(64, 32), size(320, 160), size(10, 1000), size(160, 160)], [(160, 80), (160, 80), (2, 160), (160, 160)]);
        assert_eq!(stacked(&[RgbImage::new(9, 4), RgbImage::new(5, 6)]).dimensions(), (9, 14));
    }
}
