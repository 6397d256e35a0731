//! What each word of a prompt did, laid over the picture.

use image::{GrayImage, Rgb, RgbImage, imageops::FilterType};

use super::board::{board, within};
use crate::pictures::grid;

/// Words that are shown.
pub const MAX_WORDS: usize = 11;
/// Side of a picture in pixels.
const CELL: u32 = 168;
const COLUMNS: u32 = 4;
/// Words that say little of what is seen, and go first where there are many.
const SMALL: [&str; 16] = ["a", "an", "the", "of", "in", "on", "at", "by", "to", "and", "or", "with", "for", "from", "is", "as"];
/// From where nothing was looked at to where most was.
const COLOURS: [[f32; 3]; 5] = [[8.0, 8.0, 40.0], [92.0, 18.0, 120.0], [205.0, 60.0, 70.0], [250.0, 160.0, 30.0], [255.0, 250.0, 170.0]];

/// Which words are shown, in their order: all of them, or without the small ones, or the first.
pub fn chosen(words: &[String]) -> Vec<usize> {
    let all: Vec<usize> = (0..words.len()).collect();
    let large = |place: &usize| !SMALL.contains(&words[*place].to_lowercase().as_str());
    let mut chosen = if words.len() > MAX_WORDS { all.into_iter().filter(large).collect() } else { all };
    chosen.truncate(MAX_WORDS);
    chosen
}

/// The picture, and then for each word the picture under its heat. Letters that cannot be written leave the number alone.
pub fn words(heats: &[(&str, &GrayImage)], picture: &RgbImage) -> RgbImage {
    let picture = within(picture, CELL);
    let mut cells = vec![(picture.clone(), "PICTURE".to_owned())];
    cells.extend((1_u32..).zip(heats).map(|(number, (word, heat))| {
        let is_plain = word.chars().all(|character| character.is_ascii_alphanumeric() || "-.".contains(character));
        let words = if is_plain { format!("{number} {word}") } else { number.to_string() };
        (laid_over(&picture, heat), words)
    }));
    board(&cells, COLUMNS)
}

/// A picture without its colours, under those of a heat.
fn laid_over(picture: &RgbImage, heat: &GrayImage) -> RgbImage {
    let gray = RgbImage::from_fn(heat.width(), heat.height(), |x, y| Rgb([heat.get_pixel(x, y)[0]; 3]));
    let heat = grid::resized(&gray, picture.dimensions(), FilterType::CatmullRom);
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let Rgb([red, green, blue]) = *picture.get_pixel(x, y);
        let light = 0.3 * f32::from(red) + 0.59 * f32::from(green) + 0.11 * f32::from(blue);
        Rgb(colour(heat.get_pixel(x, y)[0]).map(|colour| (0.4 * light + 0.6 * colour).round() as u8))
    })
}

fn colour(heat: u8) -> [f32; 3] {
    let place = f32::from(heat) / 255.0 * (COLOURS.len() - 1) as f32;
    let below = (place as usize).min(COLOURS.len() - 2);
    std::array::from_fn(|i| COLOURS[below][i] + (COLOURS[below + 1][i] - COLOURS[below][i]) * (place - below as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_words_go_first_where_there_are_many() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(chosen(&words("a frog on a leaf")), [0, 1, 2, 3, 4]);
        let many = words("a red frog on a leaf in the rain with an umbrella and a hat of gold by night at noon");
        let shown: Vec<&str> = chosen(&many).into_iter().map(|place| many[place].as_str()).collect();
        assert_eq!(shown, ["red", "frog", "leaf", "rain", "umbrella", "hat", "gold", "night", "noon"]);
        assert_eq!(chosen(&words(&"word ".repeat(40))).len(), MAX_WORDS);
    }

    #[test]
    fn a_picture_is_brightest_where_its_word_was_looked_at() {
        let picture = RgbImage::from_pixel(64, 64, Rgb([90, 120, 60]));
        let heat = GrayImage::from_fn(4, 4, |x, _| image::Luma([if x < 2 { 255 } else { 0 }]));
        let found = laid_over(&picture, &heat);
        let light = |x: u32| found.get_pixel(x, 32).0.iter().map(|value| u32::from(*value)).sum::<u32>();
        assert!(light(8) > light(32) && light(32) > light(56), "{} {} {}", light(8), light(32), light(56));
        for (one, other) in (0..255_u8).map(|heat| (colour(heat), colour(heat + 1))) {
            assert!(one.iter().sum::<f32>() < other.iter().sum::<f32>(), "{one:?} {other:?}");
        }
    }
}
