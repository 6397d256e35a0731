//! Pictures side by side, and their bytes.

use image::{
    DynamicImage, Rgb, RgbImage,
    codecs::jpeg::JpegEncoder,
    imageops::{self, FilterType},
};
use inference::task::ImageSize;

use crate::pictures::shown::MIN_GRID_WIDTH;

/// Where a picture is missing: a soft dark neutral that suits Discord's dark and light themes.
const BACKGROUND: Rgb<u8> = Rgb([43, 45, 49]);
/// The name of a preview's file; its extension is that of [`preview_bytes`].
pub const PREVIEW_FILE_NAME: &str = "preview.jpg";
const PREVIEW_QUALITY: u8 = 85;

/// Pictures of one job side by side with nothing between them: one alone, two in a row, three and four in two rows. Without pictures, a single
/// empty cell.
pub fn grid(images: &[RgbImage], cell: ImageSize) -> RgbImage {
    let cells: Vec<_> = images.iter().map(Some).collect();
    compose(&cells, images.len(), cell)
}

/// The grid of a job's `n` pictures while some are missing; what is there fills its cell, smoothly enlarged.
pub fn preview_grid(images: &[Option<RgbImage>], cell: ImageSize) -> RgbImage {
    let cells: Vec<_> = images.iter().map(Option::as_ref).collect();
    compose(&cells, images.len(), cell)
}

/// A cell of the preview of a job's `n` pictures of a size: their shape, in a grid about as wide as a small model's finished one.
pub fn preview_cell(image: ImageSize, n: usize) -> ImageSize {
    let width = MIN_GRID_WIDTH.div_ceil(layout(n).0);
    ImageSize::new(width, height_at(image, width))
}

/// The size of a cell in a grid of `n` pictures of a size, such that the grid is at least `min_width` wide; never below the picture's.
pub fn cell_size(image: ImageSize, n: usize, min_width: u32) -> ImageSize {
    let (columns, _) = layout(n);
    let needed = min_width.div_ceil(columns);
    if image.width >= needed { image } else { ImageSize::new(needed, height_at(image, needed)) }
}

fn height_at(image: ImageSize, width: u32) -> u32 {
    ((f64::from(image.height) * f64::from(width) / f64::from(image.width.max(1))).round() as u32).max(1)
}

/// A picture in the size of its cell, smoothly enlarged or made smaller.
pub fn fitted(image: &RgbImage, cell: ImageSize) -> RgbImage {
    if size_of(image) == cell { image.clone() } else { resized(image, (cell.width, cell.height), FilterType::CatmullRom) }
}

/// A picture in another size. The library's function for this kind is generic, and would be compiled here, where builds for tests do not optimise.
pub fn resized(image: &RgbImage, (width, height): (u32, u32), filter: FilterType) -> RgbImage {
    DynamicImage::from(image.clone()).resize_exact(width, height, filter).into_rgb8()
}

/// A preview or thumbnail as JPEG: nobody keeps these, and the crate's WebP (lossless only) is four to six times larger, as the test
/// `a_preview_is_smallest_as_jpeg` measures.
pub fn preview_bytes(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, PREVIEW_QUALITY))
        .expect("a picture of 1 to 65535 pixels a side is written to memory");
    bytes
}

/// A picture at most `side` wide and tall, its aspect kept; a smaller one stays as it is.
pub fn thumbnail(image: &RgbImage, side: u32) -> RgbImage {
    let longest = image.width().max(image.height());
    if longest <= side {
        return image.clone();
    }
    let scaled = |length: u32| ((f64::from(length) * f64::from(side) / f64::from(longest)).round() as u32).max(1);
    resized(image, (scaled(image.width()), scaled(image.height())), FilterType::Lanczos3)
}

fn compose(images: &[Option<&RgbImage>], n: usize, cell: ImageSize) -> RgbImage {
    let (columns, rows) = layout(n);
    let mut canvas = RgbImage::from_pixel(columns * cell.width, rows * cell.height, BACKGROUND);
    for (index, image) in (0..columns * rows).zip(images) {
        let Some(image) = image else { continue };
        let (x, y) = ((index % columns) * cell.width, (index / columns) * cell.height);
        imageops::replace(&mut canvas, &fitted(image, cell), x.into(), y.into());
    }
    canvas
}

/// Columns and rows, as square as can be and never taller than wide.
fn layout(n: usize) -> (u32, u32) {
    let n = u32::try_from(n).unwrap_or(u32::MAX).max(1);
    let columns = (1..=n).find(|columns| columns.saturating_mul(*columns) >= n).unwrap_or(n);
    (columns, n.div_ceil(columns))
}

fn size_of(image: &RgbImage) -> ImageSize {
    ImageSize::new(image.width(), image.height())
}

#[cfg(test)]
mod tests {
    use image::codecs::{
        png::{CompressionType, FilterType as PngFilter, PngEncoder},
        webp::WebPEncoder,
    };

    use super::*;

    const COLOURS: [Rgb<u8>; 4] = [Rgb([200, 0, 0]), Rgb([0, 200, 0]), Rgb([0, 0, 200]), Rgb([200, 200, 0])];

    fn images(n: usize, width: u32, height: u32) -> Vec<RgbImage> {
        COLOURS[..n].iter().map(|colour| RgbImage::from_pixel(width, height, *colour)).collect()
    }

    fn grid_of(images: &[RgbImage], min_width: u32) -> RgbImage {
        grid(images, cell_size(images.first().map_or(ImageSize::new(1, 1), size_of), images.len(), min_width))
    }

    fn check(n: usize, image: (u32, u32), expected: (u32, u32), at: &[(u32, u32)]) {
        let grid = grid_of(&images(n, image.0, image.1), 512);
        assert_eq!(grid.dimensions(), expected, "{n} of {image:?}");
        for (colour, (x, y)) in COLOURS.iter().zip(at) {
            assert_eq!(grid.get_pixel(*x, *y), colour, "{n} of {image:?} at {x}, {y}");
        }
    }

    #[test]
    fn grids_are_wide_enough_and_in_reading_order() {
        check(1, (64, 64), (512, 512), &[(256, 256)]);
        check(2, (64, 64), (512, 256), &[(0, 0), (511, 255)]);
        check(3, (64, 64), (512, 512), &[(0, 0), (511, 0), (0, 511)]);
        check(4, (80, 48), (512, 308), &[(0, 0), (511, 0), (0, 307), (511, 307)]);
    }

    #[test]
    fn nothing_lies_between_pictures() {
        for (n, (columns, rows)) in [(1, (1, 1)), (2, (2, 1)), (3, (2, 2)), (4, (2, 2))] {
            for image in [(64, 64), (80, 48), (48, 80), (255, 100), (256, 256), (257, 511), (512, 512), (640, 448), (64, 256)] {
                let cell = cell_size(ImageSize::new(image.0, image.1), n, 512);
                let grid = grid_of(&images(n, image.0, image.1), 512);
                assert_eq!(grid.dimensions(), (columns * cell.width, rows * cell.height), "{n} of {image:?}");
                for (x, y, pixel) in grid.enumerate_pixels() {
                    let expected = COLOURS[..n].get((y / cell.height * columns + x / cell.width) as usize).unwrap_or(&BACKGROUND);
                    assert_eq!(pixel, expected, "{n} of {image:?} at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn large_pictures_keep_their_pixels() {
        check(1, (512, 384), (512, 384), &[(0, 0)]);
        check(4, (512, 512), (1024, 1024), &[(511, 511), (512, 511), (511, 512), (512, 512)]);
    }

    #[test]
    fn an_empty_cell_is_dark() {
        assert_eq!(grid_of(&images(3, 64, 64), 512).get_pixel(400, 400), &BACKGROUND);
        assert_eq!(grid_of(&[], 512).dimensions(), (512, 512));
    }

    #[test]
    fn previews_stand_where_the_pictures_will() {
        let latents = images(2, 16, 16);
        let cell = preview_cell(ImageSize::new(64, 64), 4);
        let preview = preview_grid(&[None, Some(latents[0].clone()), Some(latents[1].clone()), None], cell);
        for n in 1..=4 {
            for (width, height) in [(64, 64), (80, 48), (48, 80), (64, 256)] {
                let size = ImageSize::new(width, height);
                assert_eq!(preview_cell(size, n), cell_size(size, n, MIN_GRID_WIDTH), "{n} of {size}");
            }
            assert!(preview_cell(ImageSize::new(1024, 512), n).width <= MIN_GRID_WIDTH, "previews of large pictures are small");
        }
        assert_eq!(
            [(10, 10), (400, 10), (10, 400), (400, 400)].map(|(x, y)| *preview.get_pixel(x, y)),
            [BACKGROUND, COLOURS[0], COLOURS[1], BACKGROUND]
        );
    }

    #[test]
    fn thumbnails_keep_the_aspect_and_never_grow() {
        let size = |width, height| thumbnail(&RgbImage::new(width, height), 128).dimensions();
        assert_eq!([size(512, 512), size(640, 448), size(128, 1792), size(64, 64)], [(128, 128), (128, 90), (9, 128), (64, 64)]);
        assert_eq!(thumbnail(&RgbImage::new(2000, 1), 128).dimensions(), (128, 1));
    }

    /// Pictures of the starter model as the engine previews them (16×16 latents enlarged to their cells) and as a thumbnail.
    #[test]
    fn a_preview_is_smallest_as_jpeg() {
        let pictures = [0, 1, 2, 3].map(|index| {
            let path = format!("{}/../models/starter/reference/{index}.png", env!("CARGO_MANIFEST_DIR"));
            image::open(path).expect("the reference picture").into_rgb8()
        });
        let latents = pictures.each_ref().map(|picture| Some(imageops::resize(picture, 16, 16, FilterType::Triangle)));
        for picture in [preview_grid(&latents, ImageSize::new(256, 256)), thumbnail(&grid_of(&pictures, 512), 128)] {
            let (mut webp, mut png) = (Vec::new(), Vec::new());
            let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, PngFilter::Adaptive);
            picture.write_with_encoder(encoder).expect("a PNG file");
            picture.write_with_encoder(WebPEncoder::new_lossless(&mut webp)).expect("a WebP file");
            let jpeg = preview_bytes(&picture);
            let (n_jpeg, n_other) = (jpeg.len(), webp.len().min(png.len()));
            assert!(n_jpeg * 3 < n_other, "{:?}: {n_jpeg} bytes as JPEG, {n_other} without loss", picture.dimensions());
            let read = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).expect("a JPEG file").into_rgb8();
            let off = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
            let mean = read.iter().zip(picture.iter()).map(off).sum::<f64>() / read.len() as f64;
            assert!(read.dimensions() == picture.dimensions() && mean < 4.0, "{mean} of 255 off");
        }
    }
}
