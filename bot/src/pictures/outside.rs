//! Pictures that come from outside, read without trusting what they declare, and brought to a size.

mod blended;
mod brought;
mod whole;

use std::{
    fs::File,
    io::{self, BufRead, Cursor, Read, Seek, SeekFrom},
    panic::{self, AssertUnwindSafe},
    path::Path,
};

use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage,
    error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind},
    imageops::FilterType,
};
use inference::task::ImageSize;

pub use blended::{BLEND, blend};
pub use brought::{Brought, MAX_BROUGHT_BYTES, bring};

/// Largest picture that is read, in megapixels (10⁶ pixels).
pub const MAX_MEGAPIXELS: u64 = 64;
/// Longest side that is read.
pub const MAX_SIDE: u32 = 16_384;
/// Largest file that is read, in bytes: a picture of the largest size without any compression.
pub const MAX_BYTES: u64 = 512 << 20;
/// Most bytes that a decoder may take: a picture of that size with 16 bits for each of four channels, and as much to work with.
const MAX_DECODER_BYTES: u64 = MAX_MEGAPIXELS * 1_000_000 * 16;

/// Why a picture is not read.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Its file is too long; nothing of it was read.
    #[error("it has {found} bytes, and more than {most} are not read")]
    TooManyBytes {
        /// The file's length.
        found: u64,
        /// The most.
        most: u64,
    },
    /// It declares too many pixels; nothing was allocated for them.
    #[error("{width}×{height} are more than {MAX_MEGAPIXELS} megapixels")]
    TooLarge {
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
    },
    /// It declares a side that is too long; nothing was allocated for it.
    #[error("a side of {width}×{height} is longer than {MAX_SIDE} pixels")]
    TooLong {
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
    },
    /// It moves; decoders of such files are also the least tried.
    #[error("it is an animation, or of a kind for animations: save one picture of it as PNG")]
    Animated,
    /// Its end is missing, which some decoders fill up.
    #[error("it is cut off: its end is missing")]
    CutOff,
    /// Its decoder panicked: it believed what the file says.
    #[error("its file is damaged, and its decoder gave up on it")]
    Damaged,
    /// The file cannot be read or is no picture.
    #[error(transparent)]
    Unreadable(#[from] ImageError),
}

/// Reads a picture's file, and gives its bytes too.
///
/// # Errors
/// It is no file, too long, or no picture that is read.
pub fn read_file(path: &Path) -> Result<(DynamicImage, Vec<u8>), PictureError> {
    let mut bytes = Vec::new();
    let file = open(path).map_err(ImageError::IoError)?;
    let found = file.metadata().map_err(ImageError::IoError)?.len();
    if found > MAX_BYTES {
        return Err(PictureError::TooManyBytes { found, most: MAX_BYTES });
    }
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(ImageError::IoError)?;
    Ok((self::read(Cursor::new(&bytes))?, bytes))
}

/// Opens a file that somebody named; what is none, such as a pipe, might never open.
///
/// # Errors
/// It is no file, or cannot be read.
pub fn open(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    File::open(path)
}

/// Reads a PNG, JPEG or WebP file, turned upright as its camera says.
///
/// # Errors
/// It is too large, cut off, an animation or no picture.
pub fn read(source: impl BufRead + Seek) -> Result<DynamicImage, PictureError> {
    read_as(source, Moving::Refused)
}

/// As [`read`], and a GIF file, and of an animation its first picture: of a PNG that which programs show that know no animations, nearly always
/// the same.
///
/// # Errors
/// It is too large, cut off or no picture.
pub fn read_first(source: impl BufRead + Seek) -> Result<DynamicImage, PictureError> {
    read_as(source, Moving::First)
}

/// What becomes of files that move.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moving {
    Refused,
    First,
}

/// A decoder's panic is the file's fault, and a refusal: decoders of all kinds had some.
fn read_as(source: impl BufRead + Seek, moving: Moving) -> Result<DynamicImage, PictureError> {
    // What a panic leaves half done is dropped with the source.
    panic::catch_unwind(AssertUnwindSafe(|| decode(source, moving))).unwrap_or(Err(PictureError::Damaged))
}

fn decode(mut source: impl BufRead + Seek, moving: Moving) -> Result<DynamicImage, PictureError> {
    let found = source.seek(SeekFrom::End(0)).map_err(ImageError::IoError)?;
    if found > MAX_BYTES {
        return Err(PictureError::TooManyBytes { found, most: MAX_BYTES });
    }
    source.rewind().map_err(ImageError::IoError)?;
    let reader = ImageReader::new(source).with_guessed_format().map_err(ImageError::IoError)?;
    let Some(format) = reader.format() else {
        let (hint, kind) = (ImageFormatHint::Unknown, UnsupportedErrorKind::Format(ImageFormatHint::Unknown));
        return Err(ImageError::Unsupported(UnsupportedError::from_format_and_kind(hint, kind)).into());
    };
    let mut source = reader.into_inner();
    let form = whole::form(format, &mut source).map_err(ImageError::IoError)?;
    if form.is_animated && moving == Moving::Refused {
        return Err(PictureError::Animated);
    }
    source.rewind().map_err(ImageError::IoError)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let mut reader = ImageReader::with_format(source, format);
    reader.limits(limits);
    let mut decoder = match reader.into_decoder() {
        Err(_) if !form.is_whole => return Err(PictureError::CutOff),
        decoder => decoder?,
    };
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_MEGAPIXELS * 1_000_000 {
        return Err(PictureError::TooLarge { width, height });
    }
    if width.max(height) > MAX_SIDE {
        return Err(PictureError::TooLong { width, height });
    }
    if !form.is_whole {
        return Err(PictureError::CutOff);
    }
    if form.is_outside {
        let hint = ImageFormatHint::Exact(format);
        return Err(ImageError::Decoding(DecodingError::new(hint, "its first picture reaches over its own edges")).into());
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// A picture in another size: its middle is taken where the shapes differ.
pub fn fitted(picture: &DynamicImage, size: ImageSize) -> DynamicImage {
    let ImageSize { width, height } = size;
    let found = (picture.width(), picture.height());
    if found == (width, height) {
        return picture.clone();
    }
    let scaled = |picture: &DynamicImage| picture.resize_to_fill(width, height, FilterType::Lanczos3);
    // The whole picture is scaled and then cut, unless it is so long that what is cut away would take the memory.
    if scaled_pixels(found, size) > MAX_MEGAPIXELS * 1_000_000 { scaled(&middle(picture, size)) } else { scaled(picture) }
}

/// Most pixels at once while a picture is scaled to cover a size: first its height changes, then its width.
fn scaled_pixels((width, height): (u32, u32), size: ImageSize) -> u64 {
    let [width, height, to_width, to_height] = [width, height, size.width, size.height].map(u64::from);
    let is_wider = width * to_height >= height * to_width;
    let covering = if is_wider { (width * to_height / height.max(1), to_height) } else { (to_width, height * to_width / width.max(1)) };
    covering.1.saturating_mul(covering.0.max(width))
}

/// The middle of a picture, of a size's shape as nearly as whole pixels allow.
fn middle(picture: &DynamicImage, size: ImageSize) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let (cut_width, cut_height) = middle_sides((width, height), size);
    picture.crop_imm((width - cut_width) / 2, (height - cut_height) / 2, cut_width, cut_height)
}

fn middle_sides((width, height): (u32, u32), size: ImageSize) -> (u32, u32) {
    let side = |side: u32, other: u32, to: u32, to_other: u32| {
        let cut = (u64::from(other) * u64::from(to)).div_ceil(u64::from(to_other).max(1));
        u32::try_from(cut).unwrap_or(u32::MAX).clamp(1, side.max(1))
    };
    (side(width, height, size.width, size.height), side(height, width, size.height, size.width))
}

/// A mask of the size that is drawn: its brightness.
pub fn mask(picture: &DynamicImage, size: ImageSize) -> GrayImage {
    let gray = if picture.color().has_color() { luma(&picture.to_rgb8()) } else { picture.to_luma8() };
    fitted(&gray.into(), size).into_luma8()
}

/// Brightness as in BT.601, which Pillow and so the reference uses; a mask's border of 0.5 must fall on the same pixels.
fn luma(picture: &RgbImage) -> GrayImage {
    let value = |[red, green, blue]: [u8; 3]| (u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16;
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| image::Luma([value(picture.get_pixel(x, y).0) as u8]))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A PNG file that declares a size and has next to no pixels.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().and_then(|mut writer| writer.write_chunk(png::chunk::IDAT, &[0])).expect("a header");
        bytes
    }

    /// A file in memory of which nobody sees more than what kind it is.
    struct Trap(Cursor<Vec<u8>>);

    /// Bytes that are enough to see what kind a file is.
    const N_SEEN: usize = 20;

    impl Read for Trap {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n_read = self.fill_buf()?.read(buffer)?;
            self.consume(n_read);
            Ok(n_read)
        }
    }

    impl Seek for Trap {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    impl BufRead for Trap {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            let place = self.0.position() as usize;
            assert!(place < N_SEEN, "a decoder that believes too much");
            Ok(&self.0.get_ref()[place..N_SEEN])
        }

        fn consume(&mut self, n_bytes: usize) {
            self.0.consume(n_bytes);
        }
    }

    #[test]
    fn a_panic_of_a_decoder_is_a_refusal() {
        for name in ["rgb.png", "jpeg.jpg", "animated.gif"] {
            let trapped = |read: fn(Trap) -> Result<DynamicImage, PictureError>| read(Trap(Cursor::new(corpus(name)))).expect_err(name);
            assert!(matches!(trapped(read_first), PictureError::Damaged), "{name}");
            let _ = trapped(read);
        }
    }

    #[test]
    fn a_picture_is_refused_for_what_it_declares() {
        let error = read(Cursor::new(bomb(60_000, 50_000))).expect_err("too large");
        assert_eq!(error.to_string(), "60000×50000 are more than 64 megapixels");
        assert!(matches!(read(Cursor::new(bomb(8001, 8000))), Err(PictureError::TooLarge { .. })));
        for (width, height) in [(64_000_000, 1), (1, 64_000_000), (8_000_000, 8), (MAX_SIDE + 1, 3), (2, MAX_SIDE + 1)] {
            assert!(matches!(read(Cursor::new(bomb(width, height))), Err(PictureError::TooLong { .. })), "{width}×{height}");
        }
        let error = read(Cursor::new(bomb(64_000_000, 1))).expect_err("too long");
        assert_eq!(error.to_string(), "a side of 64000000×1 is longer than 16384 pixels");
        assert!(matches!(read(Cursor::new(bomb(8, 8))), Err(PictureError::Unreadable(_))), "its pixels are missing");
        assert!(matches!(read(Cursor::new(b"not a picture")), Err(PictureError::Unreadable(_))));
    }

    /// Inputs of the fuzz targets, which have every format.
    fn corpus(name: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/picture").join(name)).expect(name)
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_is_refused() {
        for name in ["rgb.png", "rgba_interlaced.png", "jpeg.jpg", "progressive.jpg", "turned.jpg", "lossy.webp", "lossless.webp"] {
            let whole = corpus(name);
            assert!(read(Cursor::new(&whole)).is_ok(), "{name}");
            assert!(read(Cursor::new([&whole[..], b"more"].concat())).is_ok(), "{name} with something behind it");
            // A byte of padding may be missing at the end.
            for n_bytes in 0..whole.len() - 1 {
                assert!(read(Cursor::new(&whole[..n_bytes])).is_err(), "{name}: {n_bytes} of {}", whole.len());
            }
        }
        let cut = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pictures/cut.jpg")).expect("a file");
        assert!(matches!(read(Cursor::new(cut)), Err(PictureError::CutOff)));
    }

    #[test]
    fn animations_of_every_format_are_refused_alike() {
        for name in ["animated.png", "animated.webp", "animated.gif", "gif"] {
            let error = read(Cursor::new(corpus(name))).expect_err(name);
            assert_eq!(error.to_string(), "it is an animation, or of a kind for animations: save one picture of it as PNG", "{name}");
        }
    }

    #[test]
    fn long_pictures_are_cut_before_they_are_scaled() {
        // Left and right of the middle are other colours.
        let long = |width: u32, height: u32| {
            let is_middle = |place: u32, side: u32| place.abs_diff(side / 2) <= 40.min(side);
            let pixel = |x, y| image::Rgb(if is_middle(x, width) && is_middle(y, height) { [200, 90, 30] } else { [0, 0, 255] });
            DynamicImage::from(image::RgbImage::from_fn(width, height, pixel))
        };
        for (width, height) in [(MAX_SIDE, 1), (1, MAX_SIDE), (MAX_SIDE, 8), (3, MAX_SIDE)] {
            for size in [ImageSize::new(64, 64), ImageSize::new(2048, 1024), ImageSize::new(8, 4096)] {
                let found = fitted(&long(width, height), size).into_rgb8();
                assert_eq!(found.dimensions(), (size.width, size.height));
                assert_eq!(found.get_pixel(size.width / 2, size.height / 2).0, [200, 90, 30], "{width}×{height} to {size}");
            }
        }
        let usual = long(300, 200);
        let expected = usual.resize_to_fill(64, 64, FilterType::Lanczos3);
        assert!(fitted(&usual, ImageSize::new(64, 64)) == expected, "other pictures are scaled as ever");
    }

    proptest::proptest! {
        #[test]
        fn what_is_scaled_fits_the_memory(sides in (1..=MAX_SIDE, 1..=MAX_SIDE), to in (1_u32..=4096, 1_u32..=4096)) {
            let size = ImageSize::new(to.0, to.1);
            let n_pixels = scaled_pixels(sides, size).min(scaled_pixels(middle_sides(sides, size), size));
            proptest::prop_assert!(n_pixels <= 2 * MAX_MEGAPIXELS * 1_000_000, "{n_pixels} of {sides:?} to {size}");
        }
    }
}
