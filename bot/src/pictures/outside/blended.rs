//! Several pictures laid over each other.

use std::array;

use image::{DynamicImage, Rgb, RgbImage};
use inference::task::{ImageSize, Role};

use super::{
    MAX_SIDE, PictureError,
    brought::{Brought, as_png, upright},
    fitted,
};

/// What jobs are asked for with that begin so.
pub const BLEND: &str = "blend";

/// Lays pictures over each other, all as strong: the mean of their light, as if they were slides on one screen. What comes of it has the shape of the
/// first and as many pixels as the largest; of pictures of other shapes the middle is taken. Blocks while it works.
///
/// # Errors
/// One of them is too large, cut off or no picture.
pub fn blend(files: &[Vec<u8>]) -> Result<Brought, PictureError> {
    let pictures = files.iter().map(|bytes| upright(bytes, &Role::Init)).collect::<Result<Vec<_>, _>>()?;
    as_png(&blended(&pictures).into())
}

fn blended(pictures: &[DynamicImage]) -> RgbImage {
    let size = canvas(pictures);
    let light: [f32; 256] = array::from_fn(|value| to_light(value as f32 / 255.0));
    let mut sums = vec![0.0; size.width as usize * size.height as usize * 3];
    for picture in pictures {
        let values = fitted(picture, size).into_rgb8().into_raw();
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += light[usize::from(value)]);
    }
    let n = pictures.len().max(1) as f32;
    let value = |sum: f32| (from_light(sum / n) * 255.0).round() as u8;
    let pixel = |x: u32, y: u32| {
        let place = (y as usize * size.width as usize + x as usize) * 3;
        Rgb(array::from_fn(|channel| value(sums[place + channel])))
    };
    RgbImage::from_fn(size.width, size.height, pixel)
}

/// The shape of the first, with as many pixels as the largest.
fn canvas(pictures: &[DynamicImage]) -> ImageSize {
    let n_pixels = |picture: &DynamicImage| f64::from(picture.width()) * f64::from(picture.height());
    let Some(first) = pictures.first() else { return ImageSize::new(1, 1) };
    let longest = f64::from(first.width().max(first.height()));
    let most = pictures.iter().map(n_pixels).fold(0.0, f64::max);
    let factor = (most / n_pixels(first)).sqrt().min(f64::from(MAX_SIDE) / longest).max(1.0);
    let side = |side: u32| (f64::from(side) * factor).round() as u32;
    ImageSize::new(side(first.width()), side(first.height()))
}

/// sRGB (IEC 61966-2-1) from 0 to 1 as light.
fn to_light(value: f32) -> f32 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The inverse of [`to_light`].
fn from_light(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: u32, height: u32, shade: [u8; 3]) -> DynamicImage {
        RgbImage::from_pixel(width, height, Rgb(shade)).into()
    }

    #[test]
    fn light_is_averaged_and_not_the_numbers_that_stand_for_it() {
        let check = |shades: &[u8], expected: u8| {
            let pictures: Vec<_> = shades.iter().map(|shade| plain(2, 2, [*shade, 9, 200])).collect();
            assert_eq!(blended(&pictures).get_pixel(1, 1).0, [expected, 9, 200], "{shades:?}");
        };
        check(&[0, 255], 188);
        check(&[255, 0], 188);
        check(&[255, 255, 0, 0], 188);
        check(&[255, 0, 0, 0, 0], 124);
        (0..=255).for_each(|shade| check(&[shade; 5], shade));
    }

    #[test]
    fn the_first_gives_the_shape_and_the_largest_the_pixels() {
        let check = |sizes: &[(u32, u32)], expected: (u32, u32)| {
            let pictures: Vec<_> = sizes.iter().map(|(width, height)| plain(*width, *height, [7; 3])).collect();
            assert_eq!(blended(&pictures).dimensions(), expected, "{sizes:?}");
        };
        check(&[(30, 20), (30, 20)], (30, 20));
        check(&[(30, 20), (20, 30)], (30, 20));
        check(&[(30, 20), (60, 40), (3, 3)], (60, 40));
        check(&[(30, 20), (40, 60)], (60, 40));
        check(&[(MAX_SIDE, 1), (200, 200)], (MAX_SIDE, 1));
        check(&[(1, 1), (90, 10)], (30, 30));
    }

    #[test]
    fn one_file_that_is_none_is_a_refusal() {
        let bytes = as_png(&plain(3, 3, [7; 3])).expect("a PNG file").png;
        assert!(blend(&[bytes.clone(), bytes.clone()]).is_ok());
        assert!(blend(&[bytes, b"not a picture".to_vec()]).is_err());
    }
}
