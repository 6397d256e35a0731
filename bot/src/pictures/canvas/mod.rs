//! A picture on a larger canvas, of which the rest is drawn: pure, and the same for the same picture.

mod cells;
mod fill;
mod layout;

use image::{
    GrayImage, Luma, RgbImage,
    imageops::{self, FilterType},
};

pub use cells::{Cells, lettered};
pub use layout::{Layout, Room, Side};

/// A picture's file and the mask's.
pub struct Canvas {
    /// The kept picture, and around it what the rest begins with.
    pub picture: RgbImage,
    /// White where it is drawn.
    pub mask: GrayImage,
}

/// A picture where a layout puts it. Of its pixels those in the layout's place are the picture's own, or, where it is shown smaller, made of them by a
/// Lanczos filter of three lobes. The mask has all others, and of these a seam of [`Layout::seam`] pixels along each edge that the canvas goes on from.
pub fn compose(picture: &RgbImage, layout: &Layout) -> Canvas {
    let Layout { size, scaled, from, at, kept } = *layout;
    let is_whole = picture.dimensions() == (scaled.width, scaled.height);
    let resized = if is_whole { picture.clone() } else { imageops::resize(picture, scaled.width, scaled.height, FilterType::Lanczos3) };
    let shown = imageops::crop_imm(&resized, from.0, from.1, kept.width, kept.height).to_image();
    let (seam, end) = (layout.seam(), (at.0 + kept.width, at.1 + kept.height));
    // Where the picture reaches the canvas's edge nothing goes on.
    let inner = |start: u32, end: u32, side: u32| {
        let start = if start == 0 { 0 } else { start + seam };
        (start, if end == side { end } else { end - seam })
    };
    let (columns, rows) = (inner(at.0, end.0, size.width), inner(at.1, end.1, size.height));
    let stays = |x: u32, y: u32| (columns.0..columns.1).contains(&x) && (rows.0..rows.1).contains(&y);
    let mask = GrayImage::from_fn(size.width, size.height, |x, y| Luma([if stays(x, y) { 0 } else { u8::MAX }]));
    Canvas { picture: fill::around(&shown, at, size), mask }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use inference::task::ImageSize;

    use super::*;

    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, ((x * y) % 251) as u8]))
    }

    /// Every layout of some sizes.
    fn layouts() -> Vec<(RgbImage, Layout)> {
        let mut all = Vec::new();
        for (native, multiple, sizes) in [
            (64, 16, [(64, 64), (80, 48), (224, 16), (16, 224), (128, 128), (256, 256)]),
            (96, 32, [(96, 96), (128, 64), (64, 128), (320, 32), (192, 192), (384, 160)]),
        ] {
            let room = Room { multiple, max_side: native * 4, max_pixels: u64::from(native * native * 2) };
            for (width, height) in sizes {
                let own = ImageSize::new(width, height);
                let zooms = [1.0, 1.1, 1.5, 2.0].map(|factor| Layout::zoom(own, own, factor));
                let others = [ImageSize::new(native, native), ImageSize::new(native * 2, native)].map(|size| Layout::zoom(own, size, 1.0));
                let pans = Side::ALL.map(|side| Layout::pan(own, side, room));
                let found = zooms.into_iter().chain(others).chain(pans).chain([Layout::square(own, room)]).flatten();
                all.extend(found.map(|layout| (picture(width, height), layout)));
            }
        }
        assert!(all.len() > 80, "{}", all.len());
        all
    }

    #[test]
    fn the_kept_part_is_the_picture_and_the_mask_is_the_rest_with_its_seam() {
        for (picture, layout) in layouts() {
            let Layout { size, scaled, from, at, kept } = layout;
            let canvas = compose(&picture, &layout);
            assert_eq!((canvas.picture.dimensions(), canvas.mask.dimensions()), ((size.width, size.height), (size.width, size.height)));
            let expected = if (scaled.width, scaled.height) == picture.dimensions() {
                picture.clone()
            } else {
                imageops::resize(&picture, scaled.width, scaled.height, FilterType::Lanczos3)
            };
            let seam = layout.seam();
            for (x, y, masked) in canvas.mask.enumerate_pixels() {
                let inside = |at: u32, place: u32, length: u32| (place..place + length).contains(&at);
                let is_kept = inside(x, at.0, kept.width) && inside(y, at.1, kept.height);
                if is_kept {
                    let source = expected.get_pixel(x - at.0 + from.0, y - at.1 + from.1);
                    assert_eq!(canvas.picture.get_pixel(x, y), source, "{layout:?} at {x}, {y}");
                }
                // So far from every pixel that is new along both axes.
                let is_far = |at: u32, place: u32, length: u32, side: u32| {
                    (place == 0 || at >= place + seam) && (place + length == side || at + seam < place + length)
                };
                let stays = is_kept && is_far(x, at.0, kept.width, size.width) && is_far(y, at.1, kept.height, size.height);
                assert_eq!(masked.0[0], if stays { 0 } else { 255 }, "{layout:?} at {x}, {y}");
            }
            let drawn = canvas.mask.pixels().filter(|pixel| pixel.0[0] == 255).count();
            assert!(drawn > 0 && drawn < (size.width * size.height) as usize, "{layout:?}");
        }
    }

    #[test]
    fn the_same_picture_makes_the_same_canvas() {
        let own = ImageSize::new(64, 64);
        let layout = Layout::zoom(own, own, 1.5).expect("something is drawn");
        let (first, second) = (compose(&picture(64, 64), &layout), compose(&picture(64, 64), &layout));
        assert!(first.picture == second.picture && first.mask == second.mask);
    }

    #[test]
    fn the_rest_begins_with_the_colours_of_the_nearest_edge() {
        let own = ImageSize::new(64, 64);
        let halves = RgbImage::from_fn(64, 64, |x, _| if x < 32 { Rgb([220, 30, 30]) } else { Rgb([30, 30, 220]) });
        let canvas = compose(&halves, &Layout::zoom(own, own, 2.0).expect("something is drawn"));
        for (x, y) in [(0, 0), (4, 32), (4, 63), (20, 0)] {
            let [red, _, blue] = canvas.picture.get_pixel(x, y).0;
            assert!(red > blue, "at {x}, {y}: {red} {blue}");
            let [red, _, blue] = canvas.picture.get_pixel(63 - x, y).0;
            assert!(blue > red, "at {}, {y}: {red} {blue}", 63 - x);
        }
    }
}
