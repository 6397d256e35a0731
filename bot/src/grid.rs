//! Pictures side by side, and their bytes.

use image::{
    Rgb, RgbImage,
    codecs::jpeg::JpegEncoder,
    imageops::{self, FilterType},
};
use inference::task::ImageSize;

/// Pixels between two pictures.
const GAP: u32 = 4;
/// Between pictures and where one is missing: a soft dark neutral that suits Discord's dark and light themes.
const BACKGROUND: Rgb<u8> = Rgb([43, 45, 49]);
/// The name of a preview's file; its extension is that of [`preview_bytes`].
pub const PREVIEW_FILE_NAME: &str = "preview.jpg";
const PREVIEW_QUALITY: u8 = 85;

/// Pictures of one job in a grid at least `min_width` wide: one alone, two side by side, three and four in two rows.
///
/// Every cell is as large as [`cell_size`] says for the first picture. Without pictures, a single empty cell.
pub fn grid(images: &[RgbImage], min_width: u32) -> RgbImage {
    let size = images.first().map_or(ImageSize::new(1, 1), size_of);
    let cells: Vec<_> = images.iter().map(Some).collect();
    compose(&cells, images.len(), cell_size(size, images.len(), min_width))
}

/// The grid of a job's `n` pictures while some are missing; what is there fills its cell, smoothly enlarged.
pub fn preview_grid(images: &[Option<RgbImage>], n: usize, cell: ImageSize) -> RgbImage {
    let cells: Vec<_> = images.iter().map(Option::as_ref).collect();
    compose(&cells, n, cell)
}

/// The size of a cell in a grid of `n` pictures of a size, such that the grid is at least `min_width` wide; never below the picture's.
pub fn cell_size(image: ImageSize, n: usize, min_width: u32) -> ImageSize {
    let (columns, _) = layout(n);
    let needed = min_width.saturating_sub(GAP * (columns - 1)).div_ceil(columns);
    if image.width == 0 || image.width >= needed {
        return image;
    }
    let height = (f64::from(image.height) * f64::from(needed) / f64::from(image.width)).round() as u32;
    ImageSize::new(needed, height.max(1))
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
    imageops::resize(image, scaled(image.width()), scaled(image.height()), FilterType::Lanczos3)
}

fn compose(images: &[Option<&RgbImage>], n: usize, cell: ImageSize) -> RgbImage {
    let (columns, rows) = layout(n);
    let length = |cells: u32, side: u32| cells * side + (cells - 1) * GAP;
    let mut canvas = RgbImage::from_pixel(length(columns, cell.width), length(rows, cell.height), BACKGROUND);
    for (index, image) in (0..columns * rows).zip(images) {
        let Some(image) = image else { continue };
        let (x, y) = ((index % columns) * (cell.width + GAP), (index / columns) * (cell.height + GAP));
        if size_of(image) == cell {
            imageops::replace(&mut canvas, *image, x.into(), y.into());
        } else {
            let resized = imageops::resize(*image, cell.width, cell.height, FilterType::CatmullRom);
            imageops::replace(&mut canvas, &resized, x.into(), y.into());
        }
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

    fn check(n: usize, image: (u32, u32), expected: (u32, u32), at: &[(u32, u32)]) {
        let grid = grid(&images(n, image.0, image.1), 512);
        assert_eq!(grid.dimensions(), expected, "{n} of {image:?}");
        for (colour, (x, y)) in COLOURS.iter().zip(at) {
            assert_eq!(grid.get_pixel(*x, *y), colour, "{n} of {image:?} at {x}, {y}");
        }
    }

    #[test]
    fn grids_are_wide_enough_and_in_reading_order() {
        check(1, (64, 64), (512, 512), &[(256, 256)]);
        check(2, (64, 64), (512, 254), &[(0, 0), (511, 253)]);
        check(3, (64, 64), (512, 512), &[(0, 0), (511, 0), (0, 511)]);
        check(4, (64, 64), (512, 512), &[(253, 253), (258, 253), (253, 258), (258, 258)]);
        check(4, (80, 48), (512, 308), &[(0, 0), (511, 0), (0, 307), (511, 307)]);
    }

    #[test]
    fn large_pictures_keep_their_pixels() {
        check(1, (512, 384), (512, 384), &[(0, 0)]);
        check(4, (512, 512), (1028, 1028), &[(0, 0), (1027, 0), (0, 1027), (1027, 1027)]);
        assert_eq!(grid(&images(4, 512, 512), 512).get_pixel(513, 513), &BACKGROUND);
    }

    #[test]
    fn an_empty_cell_is_dark() {
        assert_eq!(grid(&images(3, 64, 64), 512).get_pixel(400, 400), &BACKGROUND);
        assert_eq!(grid(&[], 512).dimensions(), (512, 512));
    }

    #[test]
    fn previews_stand_where_the_pictures_will() {
        let cell = cell_size(ImageSize::new(64, 64), 4, 512);
        let latents = images(2, 16, 16);
        let preview = preview_grid(&[None, Some(latents[0].clone()), Some(latents[1].clone())], 4, cell);
        assert_eq!(preview.dimensions(), grid(&images(4, 64, 64), 512).dimensions());
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
        for picture in [preview_grid(&latents, 4, ImageSize::new(254, 254)), thumbnail(&grid(&pictures, 512), 128)] {
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
