//! The noise schedule as a curve.

use image::{Rgb, RgbImage};

use super::{
    board::{BACKGROUND, DOT, INK},
    strip::sigma,
};
use crate::pictures::lettering;

const SIZE: (u32, u32) = (720, 440);
/// Room around the curve: left and right, above and below.
const MARGIN: (u32, u32) = (40, 60);
const AXIS: Rgb<u8> = Rgb([128, 132, 142]);
const LINE: Rgb<u8> = Rgb([250, 160, 30]);

/// How noisy a picture is before each of its steps, and after the last.
pub fn curve(sigmas: &[f64]) -> RgbImage {
    let mut canvas = RgbImage::from_pixel(SIZE.0, SIZE.1, BACKGROUND);
    let (right, bottom) = (SIZE.0 - MARGIN.0, SIZE.1 - MARGIN.1);
    square(&mut canvas, (MARGIN.0, MARGIN.1), (2, bottom - MARGIN.1), AXIS);
    square(&mut canvas, (MARGIN.0, bottom), (right - MARGIN.0, 2), AXIS);
    let most = sigmas.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let n = sigmas.len().max(1) as f64;
    let place = |(step, sigma): (usize, f64)| {
        let x = f64::from(MARGIN.0) + step as f64 / n * f64::from(right - MARGIN.0);
        let y = f64::from(bottom) - sigma / most * f64::from(bottom - MARGIN.1);
        (x, y)
    };
    let places: Vec<(f64, f64)> = sigmas.iter().copied().chain([0.0]).enumerate().map(place).collect();
    for two in places.windows(2) {
        let n_dots = (two[1].0 - two[0].0).hypot(two[1].1 - two[0].1).ceil().max(1.0) as u32;
        for dot in 0..=n_dots {
            let share = f64::from(dot) / f64::from(n_dots);
            let at = |from: f64, to: f64| (from + (to - from) * share) as u32 - 1;
            square(&mut canvas, (at(two[0].0, two[1].0), at(two[0].1, two[1].1)), (3, 3), LINE);
        }
    }
    for (x, y) in &places {
        square(&mut canvas, (*x as u32 - 4, *y as u32 - 4), (9, 9), INK);
    }
    let (first, last) = (sigma(most), format!("{} STEPS", sigmas.len()));
    lettering::write(&mut canvas, (MARGIN.0 + 16, MARGIN.1 - 12), &first, DOT, INK);
    lettering::write(&mut canvas, (MARGIN.0, bottom + 16), "NOISE", DOT, INK);
    let ending = format!("{last}  σ 0");
    lettering::write(&mut canvas, (right - lettering::width(&ending, DOT), bottom + 16), &ending, DOT, INK);
    canvas
}

fn square(canvas: &mut RgbImage, (left, top): (u32, u32), (width, height): (u32, u32), ink: Rgb<u8>) {
    for y in top..(top + height).min(canvas.height()) {
        for x in left..(left + width).min(canvas.width()) {
            canvas.put_pixel(x, y, ink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_falls_from_the_most_noise_to_none() {
        let sigmas: Vec<f64> = (0..12).map(|step| 14.6 * 0.6_f64.powi(step)).collect();
        let found = curve(&sigmas);
        let height = |x: u32| (0..SIZE.1).find(|y| *found.get_pixel(x, *y) == LINE);
        let heights: Vec<u32> = (50..670).filter_map(height).collect();
        assert!(heights.len() > 400 && heights[0] < heights[heights.len() - 1]);
        assert!(heights.windows(2).all(|two| two[0] <= two[1] + 6), "{heights:?}");
        for odd in [&[][..], &[1.0], &[0.0, 0.0], &[f64::MAX, 1.0]] {
            assert_eq!(curve(odd).dimensions(), SIZE);
        }
    }
}
