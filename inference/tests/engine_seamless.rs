//! Seamless pictures with the starter model.

use crate::engine_common::{Outcome, drawn, engine, finish, submit, text_to_image};
use image::RgbImage;
use inference::task::{ImageSize, TextToImage};

/// How much larger the step across the former edges of a picture rolled by half its width is than its usual step between neighbours.
fn seam(picture: &RgbImage, is_rolled_down: bool) -> f64 {
    let (width, height) = picture.dimensions();
    let rolled = RgbImage::from_fn(width, height, |x, y| {
        if is_rolled_down { *picture.get_pixel(x, (y + height / 2) % height) } else { *picture.get_pixel((x + width / 2) % width, y) }
    });
    let line = |i: u32| -> Vec<u8> {
        if is_rolled_down {
            (0..width).flat_map(|x| rolled.get_pixel(x, i).0).collect()
        } else {
            (0..height).flat_map(|y| rolled.get_pixel(i, y).0).collect()
        }
    };
    let step = |i: u32| -> f64 {
        let (one, next) = (line(i), line(i + 1));
        one.iter().zip(&next).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.len() as f64
    };
    let n_lines = if is_rolled_down { height } else { width };
    let edge = n_lines - n_lines / 2 - 1;
    let others: Vec<f64> = (0..n_lines - 1).filter(|&i| i != edge).map(step).collect();
    step(edge) / (others.iter().sum::<f64>() / others.len() as f64)
}

#[test]
fn a_rolled_picture_shows_a_seam_only_without_seamless() {
    let engine = engine(16, 0);
    let task = |seamless: bool| {
        let base = TextToImage { size: ImageSize::new(64, 48), seamless, ..text_to_image("a red apple on a blue background", 30, 15, 6) };
        submit(&engine, &drawn(base))
    };
    let [with, without] = [true, false].map(task).map(finish);
    let seams = |outcome: &Outcome| -> Vec<f64> {
        outcome.images.iter().flat_map(|image| [false, true].map(|is_rolled_down| seam(image, is_rolled_down))).collect()
    };
    let mean = |seams: &[f64]| seams.iter().sum::<f64>() / seams.len() as f64;
    let (with, without) = (seams(&with), seams(&without));
    assert!(mean(&with) <= 1.0, "{with:.2?}");
    assert!(mean(&without) >= 2.0 * mean(&with), "{with:.2?} against {without:.2?}");
}
