//! What the part of a canvas begins with that is drawn: the picture's edges stretched over it, blurred, with noise. Colours go on so, and of what is drawn
//! over it with a strength below 1 the rest is detail. Mirrored pictures were tried too: they begin a second one beside the first.

use image::{Rgb, RgbImage, imageops};
use inference::task::ImageSize;

/// The blur's sigma is the longer side of the kept part through this.
const BLUR: f32 = 8.0;
/// Most that noise adds or takes, in shades of 256: without any, a flat part stays flat.
const NOISE: i32 = 30;

/// A canvas with the picture at a place.
pub(super) fn around(picture: &RgbImage, at: (u32, u32), size: ImageSize) -> RgbImage {
    let (width, height) = picture.dimensions();
    let nearest = |x: u32, at: u32, length: u32| x.clamp(at, at + length - 1) - at;
    let stretched =
        RgbImage::from_fn(size.width, size.height, |x, y| *picture.get_pixel(nearest(x, at.0, width), nearest(y, at.1, height)));
    let mut canvas = imageops::fast_blur(&stretched, width.max(height) as f32 / BLUR);
    for (place, Rgb(colours)) in canvas.pixels_mut().enumerate() {
        for (channel, colour) in colours.iter_mut().enumerate() {
            *colour = (i32::from(*colour) + noise(place * 3 + channel)).clamp(0, 255) as u8;
        }
    }
    imageops::replace(&mut canvas, picture, at.0.into(), at.1.into());
    canvas
}

/// The noise of a place: the same for every canvas, so that a canvas follows from its picture (splitmix64, two draws added).
fn noise(place: usize) -> i32 {
    let mut bits = (place as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let draw = |bits: u64| (bits % (NOISE as u64 + 1)) as i32;
    draw(bits & 0xffff_ffff) - draw(bits >> 32)
}
