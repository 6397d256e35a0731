//! Pictures as people bring them, made into what is kept: upright, without transparency, no larger than anything that is drawn from them.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage, imageops::FilterType};
use inference::task::{ImageSize, Role};

use super::{PictureError, luma, read_first};

/// Largest file that a person brings, in bytes: more than any camera's.
pub const MAX_BROUGHT_BYTES: u64 = 32 << 20;
/// Most pixels that are kept of one: it is made smaller above. No model draws as many at once.
const MAX_KEPT_PIXELS: u64 = 4 << 20;

/// A picture that somebody brought, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// A PNG file of 8 bits a channel: colours, or grey for a mask.
    pub png: Vec<u8>,
    /// Its size in pixels.
    pub size: ImageSize,
}

/// Reads a PNG, JPEG, WebP or GIF file for the part that it plays, of an animation its first picture. What is transparent becomes white, in a
/// mask black: nothing is painted there. Blocks while it works.
///
/// # Errors
/// It is too large, cut off or no picture.
pub fn bring(bytes: &[u8], role: &Role) -> Result<Brought, PictureError> {
    as_png(&upright(bytes, role)?)
}

/// What [`bring`] keeps, not yet as a file.
pub(super) fn upright(bytes: &[u8], role: &Role) -> Result<DynamicImage, PictureError> {
    let found = bytes.len() as u64;
    if found > MAX_BROUGHT_BYTES {
        return Err(PictureError::TooManyBytes { found, most: MAX_BROUGHT_BYTES });
    }
    let is_mask = *role == Role::Mask;
    let picture = reduced(read_first(Cursor::new(bytes))?);
    let ground = if is_mask { 0 } else { u8::MAX };
    let picture = if picture.color().has_alpha() { laid_on(&picture.into_rgba8(), ground) } else { picture };
    Ok(match (is_mask, picture.color().has_color()) {
        (true, true) => luma(&picture.into_rgb8()).into(),
        (true, false) => picture.into_luma8().into(),
        (false, _) => picture.into_rgb8().into(),
    })
}

/// A picture as it is kept.
pub(super) fn as_png(picture: &DynamicImage) -> Result<Brought, PictureError> {
    let mut png = Vec::new();
    picture.write_to(&mut Cursor::new(&mut png), ImageFormat::Png)?;
    Ok(Brought { png, size: ImageSize::new(picture.width(), picture.height()) })
}

/// As large as it is kept.
fn reduced(picture: DynamicImage) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let n_pixels = u64::from(width) * u64::from(height);
    if n_pixels <= MAX_KEPT_PIXELS {
        return picture;
    }
    let factor = (MAX_KEPT_PIXELS as f64 / n_pixels as f64).sqrt();
    let side = |side: u32| ((f64::from(side) * factor) as u32).max(1);
    picture.resize_exact(side(width), side(height), FilterType::Lanczos3)
}

/// A picture on a ground of one grey.
fn laid_on(picture: &RgbaImage, ground: u8) -> DynamicImage {
    let mut laid = RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([ground, ground, ground, u8::MAX]));
    image::imageops::overlay(&mut laid, picture, 0, 0);
    DynamicImage::from(laid)
}

#[cfg(test)]
mod tests;
