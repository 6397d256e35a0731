//! The pictures of the tour's pages.

use image::{Rgb, RgbImage};
use inference::{engine::Explained, task::Way};

use super::{
    board::{board, within},
    curve::curve,
    heat::{chosen, words},
    strip::sigma,
    ways::ways,
};
use crate::messages::TourPage;

/// Sides of the pictures in rows of two, three and four.
const CELLS: [u32; 3] = [344, 228, 168];

/// What the engine drew for the tour.
pub struct Material {
    /// How the picture came from noise.
    pub explained: Explained,
    /// The picture with each guidance, its own first.
    pub guided: Vec<(Way, RgbImage)>,
    /// The same noise by several samplers, with their names.
    pub sampled: Vec<(&'static str, RgbImage)>,
}

/// The picture of a page; `None` where there is nothing to show.
pub fn picture_of(page: TourPage, material: &Material) -> Option<RgbImage> {
    let Material { explained, guided, sampled } = material;
    let (_, picture) = guided.first()?;
    let cell = |picture: &RgbImage, side: u32, words: String| (within(picture, side), words);
    let [two, three, four] = CELLS;
    match page {
        TourPage::Noise => {
            let first = explained.glimpses.first()?;
            Some(board(&[cell(&first.reverse, two, sigma(first.sigma)), cell(picture, two, "σ 0".to_owned())], 2))
        }
        TourPage::Forward => {
            let mut cells = vec![cell(picture, four, "σ 0".to_owned())];
            cells.extend(explained.glimpses.iter().rev().map(|glimpse| cell(&glimpse.forward, four, sigma(glimpse.sigma))));
            Some(board(&cells, 4))
        }
        TourPage::Schedule => Some(curve(&explained.sigmas)),
        TourPage::Samplers => {
            let cells: Vec<_> = sampled.iter().map(|(name, picture)| cell(picture, three, (*name).to_owned())).collect();
            (!cells.is_empty()).then(|| board(&cells, 3))
        }
        TourPage::Latents => {
            let (side, columns) = if explained.channels.len() > 6 { (four, 4) } else { (three, 3) };
            let mut cells: Vec<_> = (1..)
                .zip(&explained.channels)
                .map(|(number, gray)| {
                    let colours = RgbImage::from_fn(gray.width(), gray.height(), |x, y| Rgb([gray.get_pixel(x, y)[0]; 3]));
                    cell(&colours, side, format!("CHANNEL {number}"))
                })
                .collect();
            cells.push(cell(picture, side, "DECODED".to_owned()));
            Some(board(&cells, columns))
        }
        TourPage::Guidance => Some(ways(guided)),
        TourPage::Words => {
            let all: Vec<String> = explained.words.iter().map(|map| map.word.clone()).collect();
            let heats: Vec<_> = chosen(&all).into_iter().map(|place| (all[place].as_str(), &explained.words[place].heat)).collect();
            (!heats.is_empty()).then(|| words(&heats, picture))
        }
        TourPage::Next => None,
    }
}

#[cfg(test)]
mod tests {
    use image::GrayImage;
    use inference::engine::{Glimpse, WordMap};

    use super::*;

    #[test]
    fn every_page_has_a_picture_that_is_wide_enough_to_read() {
        let picture = || RgbImage::from_pixel(64, 48, Rgb([90, 9, 9]));
        let glimpse = |step: u32| Glimpse { step, sigma: 3.0, forward: picture(), reverse: picture(), guess: picture() };
        for n_channels in [4, 16] {
            let material = Material {
                explained: Explained {
                    glimpses: (1..8).map(glimpse).collect(),
                    sigmas: vec![3.0, 2.0, 1.0],
                    channels: vec![GrayImage::new(16, 12); n_channels],
                    words: vec![WordMap { word: "frog".into(), heat: GrayImage::new(16, 12) }],
                },
                guided: vec![(Way { guidance_scale: 4.0, has_negative: true }, picture()); 4],
                sampled: vec![("Euler", picture()); 3],
            };
            for page in TourPage::ALL {
                let found = picture_of(page, &material);
                assert_eq!(found.is_some(), page != TourPage::Next, "{page:?}");
                assert!(found.is_none_or(|found| found.width() >= 350 && found.width() <= 800), "{page:?}");
            }
        }
    }
}
