//! The steps of a picture, side by side.

use image::RgbImage;
use inference::engine::Explained;

use super::board::{board, marked, stacked, within};

/// Side of a picture in pixels.
const CELL: u32 = 168;
const COLUMNS: u32 = 4;

/// For each step that was looked at three pictures, with the noise below: **A** the forward process, **B** the reverse process, **C** what the network
/// takes for the clean picture; the finished picture comes last.
pub fn strip(explained: &Explained, picture: &RgbImage) -> RgbImage {
    let mut cells = Vec::new();
    for (place, glimpse) in explained.glimpses.iter().enumerate() {
        let shown = [(&glimpse.forward, "A"), (&glimpse.reverse, "B"), (&glimpse.guess, "C")].map(|(picture, letter)| {
            let small = within(picture, CELL);
            if (place as u32).is_multiple_of(COLUMNS) { marked(small, letter) } else { small }
        });
        cells.push((stacked(&shown), sigma(glimpse.sigma)));
    }
    let last = within(picture, CELL);
    cells.push((stacked(&[last.clone(), last.clone(), last]), "σ 0".to_owned()));
    board(&cells, COLUMNS)
}

/// As short as it can be told apart from its neighbours.
pub fn sigma(sigma: f64) -> String {
    let decimals = match sigma {
        _ if sigma >= 100.0 => 0,
        _ if sigma >= 1.0 => 1,
        _ if sigma >= 0.1 => 2,
        _ => 3,
    };
    format!("σ {sigma:.decimals$}")
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use inference::engine::Glimpse;

    use super::*;

    #[test]
    fn every_step_has_its_three_pictures_and_the_finished_one_is_last() {
        let shade = |n: u8| RgbImage::from_pixel(CELL, CELL, Rgb([n, 0, 0]));
        let glimpses: Vec<Glimpse> = (0..7)
            .map(|n| Glimpse {
                step: n.into(),
                sigma: 14.6,
                forward: shade(10 * n + 1),
                reverse: shade(10 * n + 2),
                guess: shade(10 * n + 3),
            })
            .collect();
        let explained = Explained { glimpses, sigmas: Vec::new(), channels: Vec::new(), words: Vec::new() };
        let found = strip(&explained, &shade(200));
        let count = |n: u8| found.pixels().filter(|pixel| **pixel == Rgb([n, 0, 0])).count() as u32;
        for n in (0..7).flat_map(|n| [10 * n + 1, 10 * n + 2, 10 * n + 3]) {
            // Letters lie on the first of each row.
            assert!(count(n) > CELL * CELL * 9 / 10, "{n}: {}", count(n));
        }
        assert_eq!(count(200), 3 * CELL * CELL);
        assert_eq!(found.width(), 4 * (CELL + 8) + 8);
    }

    #[test]
    fn noise_is_told_shortly() {
        let told = [157.4, 14.615, 1.04, 0.71, 0.029, 0.0].map(sigma);
        assert_eq!(told, ["σ 157", "σ 14.6", "σ 1.0", "σ 0.71", "σ 0.029", "σ 0.000"]);
    }
}
