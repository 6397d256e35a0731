//! Pictures that come from outside, read without trusting what they declare.

use std::io::{BufRead, Seek};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, codecs::webp::WebPDecoder};

/// Largest picture that is read, in megapixels (10⁶ pixels).
pub const MAX_MEGAPIXELS: u64 = 64;
/// Most bytes that a decoder may take: a picture of that size with 16 bits for each of four channels, and as much to work with.
const MAX_DECODER_BYTES: u64 = MAX_MEGAPIXELS * 1_000_000 * 16;

/// Why a picture is not read.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It declares too many pixels; nothing was allocated for them.
    #[error("{width}×{height} are more than {MAX_MEGAPIXELS} megapixels")]
    TooLarge {
        /// Declared width.
        width: u32,
        /// Declared height.
        height: u32,
    },
    /// It moves; decoders of such files are also the least tried.
    #[error("it is an animation; a still picture is needed")]
    Animated,
    /// The file cannot be read or is no picture.
    #[error(transparent)]
    Unreadable(#[from] ImageError),
}

/// Reads a PNG, JPEG or WebP file, turned upright as its camera says.
///
/// # Errors
/// It is too large or no picture.
pub fn read(source: impl BufRead + Seek) -> Result<DynamicImage, PictureError> {
    let mut reader = ImageReader::new(source).with_guessed_format().map_err(ImageError::IoError)?;
    if reader.format() == Some(ImageFormat::WebP) {
        let mut source = reader.into_inner();
        if WebPDecoder::new(&mut source)?.has_animation() {
            return Err(PictureError::Animated);
        }
        source.rewind().map_err(ImageError::IoError)?;
        reader = ImageReader::with_format(source, ImageFormat::WebP);
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_MEGAPIXELS * 1_000_000 {
        return Err(PictureError::TooLarge { width, height });
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
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

    #[test]
    fn a_picture_is_refused_for_what_it_declares() {
        let error = read(Cursor::new(bomb(60_000, 50_000))).expect_err("too large");
        assert_eq!(error.to_string(), "60000×50000 are more than 64 megapixels");
        assert!(matches!(read(Cursor::new(bomb(8001, 8000))), Err(PictureError::TooLarge { .. })));
        assert!(matches!(read(Cursor::new(bomb(8, 8))), Err(PictureError::Unreadable(_))), "its pixels are missing");
        assert!(matches!(read(Cursor::new(b"not a picture")), Err(PictureError::Unreadable(_))));
    }
}
