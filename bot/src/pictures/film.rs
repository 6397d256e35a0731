//! How a picture came from noise: the previews of its steps, kept in its own file, and the film that is made of them.
//!
//! They were made anyhow, for the message that shows the drawing, so a film costs nothing, needs no row of its own, and goes when its picture goes.
//! Films are GIF: every client plays them, and the `image` crate writes no animated WebP.

use image::{
    Delay, Frame, RgbImage,
    codecs::{
        gif::{GifEncoder, Repeat},
        jpeg::JpegEncoder,
    },
    imageops::FilterType,
};
use png::chunk::ChunkType;

use super::grid;

/// Previews of a picture at most; of more every second goes.
const MAX_FRAMES: usize = 32;
/// Bytes of a picture's previews in memory at most, as far as two of them fit.
const MAX_BYTES: usize = 4 << 20;
/// Most bytes of all previews in a file.
const MAX_CHUNK: usize = 512 << 10;
/// A chunk of our own that other programs skip and leave where it is.
pub const CHUNK: ChunkType = ChunkType(*b"fiLm");
const QUALITY: u8 = 85;
/// Longest side of a film in pixels.
pub const SIDE: u32 = 512;
/// How long a step is shown, and how long the picture.
const STEP_MS: u32 = 250;
const END_MS: u32 = 2500;
/// Films below this are not made smaller for being too large.
const MIN_SIDE: u32 = 64;

/// The previews of a picture on its way, in the order of its steps.
#[derive(Clone, Debug, Default)]
pub struct Frames(Vec<RgbImage>);

impl Frames {
    /// The next one.
    pub fn push(&mut self, preview: RgbImage) {
        self.0.push(preview);
        let n_bytes: usize = self.0.iter().map(|frame| frame.as_raw().len()).sum();
        if self.0.len() > MAX_FRAMES || (n_bytes > MAX_BYTES && self.0.len() > 2) {
            self.thin();
        }
    }

    /// Every second goes; the newest stays.
    fn thin(&mut self) {
        let n = self.0.len();
        let mut place = 0;
        self.0.retain(|_| {
            place += 1;
            (n - place).is_multiple_of(2)
        });
    }

    /// As the data of a chunk: each as JPEG after its length; `None` without any.
    pub fn to_chunk(mut self) -> Option<Vec<u8>> {
        loop {
            let mut data = Vec::new();
            for frame in &self.0 {
                let mut jpeg = Vec::new();
                frame.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
                data.extend((jpeg.len() as u32).to_be_bytes());
                data.extend(jpeg);
            }
            if data.len() <= MAX_CHUNK {
                return (!data.is_empty()).then_some(data);
            }
            self.thin();
            if self.0.len() == 1 {
                return None;
            }
        }
    }
}

/// The previews in a PNG file of ours; none where it has none, or they cannot be read.
pub fn read(png: &[u8]) -> Vec<RgbImage> {
    let Some(mut data) = chunk(png, CHUNK.0) else { return Vec::new() };
    let mut frames = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let Some((jpeg, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        let Ok(frame) = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg) else { break };
        frames.push(frame.into_rgb8());
        if frames.len() == MAX_FRAMES {
            break;
        }
        data = rest;
    }
    frames
}

/// The data of the first chunk of a kind in a PNG file.
pub(super) fn chunk(png: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    let mut rest = png.get(8..)?;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (found, after) = after.split_first_chunk::<4>()?;
        let (data, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if *found == kind {
            return Some(data);
        }
        rest = after.get(4..)?;
    }
}

/// A film of previews that ends with their picture, as GIF in at most so many bytes: smaller where it must be.
///
/// # Errors
/// It cannot be written.
pub fn gif(frames: &[RgbImage], picture: &RgbImage, max_bytes: usize) -> image::ImageResult<Vec<u8>> {
    let mut last = grid::thumbnail(picture, SIDE);
    loop {
        let bytes = of_size(frames, &last)?;
        let side = last.width().max(last.height());
        if bytes.len() <= max_bytes || side <= MIN_SIDE {
            return Ok(bytes);
        }
        last = grid::thumbnail(picture, (side * 3 / 4).max(MIN_SIDE));
    }
}

fn of_size(frames: &[RgbImage], last: &RgbImage) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    encoder.set_repeat(Repeat::Infinite)?;
    let shown = |picture: &RgbImage, ms: u32| {
        Frame::from_parts(image::DynamicImage::from(picture.clone()).into_rgba8(), 0, 0, Delay::from_numer_denom_ms(ms, 1))
    };
    for frame in frames {
        encoder.encode_frame(shown(&grid::resized(frame, last.dimensions(), FilterType::CatmullRom), STEP_MS))?;
    }
    encoder.encode_frame(shown(last, END_MS))?;
    drop(encoder);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{AnimationDecoder, Rgb, codecs::gif::GifDecoder};

    use super::*;

    fn shade(n: usize) -> RgbImage {
        RgbImage::from_pixel(16, 8, Rgb([n as u8; 3]))
    }

    /// The shade of each frame, as JPEG left it.
    fn shades(frames: &[RgbImage]) -> Vec<u8> {
        frames.iter().map(|frame| frame.get_pixel(3, 3)[0]).collect()
    }

    fn file(frames: Frames) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoder = png::Encoder::new(&mut bytes, 1, 1);
        let mut writer = encoder.write_header().expect("a header");
        if let Some(data) = frames.to_chunk() {
            writer.write_chunk(CHUNK, &data).expect("a chunk");
        }
        writer.write_image_data(&[7]).and_then(|()| writer.finish()).expect("a picture");
        bytes
    }

    #[test]
    fn previews_come_back_from_a_file_that_is_a_picture_to_everybody_else() {
        let mut frames = Frames::default();
        (0..5).for_each(|n| frames.push(shade(n * 50)));
        let file = file(frames);
        assert_eq!(shades(&read(&file)), [0, 50, 100, 150, 200]);
        assert_eq!(image::load_from_memory(&file).expect("a picture").into_luma8().get_pixel(0, 0)[0], 7);
        for end in 0..file.len() {
            assert!(read(&file[..end]).len() <= 5, "cut off after {end} bytes");
        }
        assert!(read(&self::file(Frames::default())).is_empty() && read(b"not a picture").is_empty());
    }

    #[test]
    fn of_many_previews_some_are_kept_from_the_beginning_to_the_newest() {
        for n in [MAX_FRAMES + 1, 200, 255] {
            let mut frames = Frames::default();
            (0..n).for_each(|n| frames.push(shade(n)));
            let kept = shades(&frames.0);
            assert!((MAX_FRAMES / 2..=MAX_FRAMES).contains(&kept.len()), "{kept:?}");
            assert!(kept.is_sorted() && kept[0] < 16 && usize::from(kept[kept.len() - 1]) == n - 1, "{kept:?}");
        }
        let mut large = Frames::default();
        (0..9).for_each(|_| large.push(RgbImage::new(1024, 1024)));
        assert!(large.0.len() <= 2, "{}", large.0.len());
        let noise = RgbImage::from_fn(512, 512, |x, y| Rgb([((x * 7919) ^ (y * 104_729)) as u8, (x * y) as u8, (x ^ y) as u8]));
        let data = Frames(vec![noise; 8]).to_chunk();
        assert!(data.is_none_or(|data| data.len() <= MAX_CHUNK));
    }

    #[test]
    fn a_film_ends_with_its_picture_and_fits() {
        let frames = [shade(40), shade(120)];
        let picture = RgbImage::from_fn(640, 320, |x, y| Rgb([(x / 3) as u8, (y / 2) as u8, (((x * 31) ^ (y * 57)) % 251) as u8]));
        let decoded = |bytes: Vec<u8>| {
            let frames = GifDecoder::new(Cursor::new(bytes)).expect("a GIF").into_frames().collect_frames().expect("frames");
            frames.into_iter().map(|frame| (frame.delay().numer_denom_ms().0, frame.into_buffer())).collect::<Vec<_>>()
        };
        let film = decoded(gif(&frames, &picture, usize::MAX).expect("written"));
        assert_eq!(
            film.iter().map(|(ms, frame)| (*ms, frame.dimensions())).collect::<Vec<_>>(),
            [(STEP_MS, (512, 256)), (STEP_MS, (512, 256)), (END_MS, (512, 256))]
        );
        assert!(film[0].1.get_pixel(9, 9)[0].abs_diff(40) < 8 && film[1].1.get_pixel(9, 9)[0].abs_diff(120) < 8);
        let last = grid::thumbnail(&picture, SIDE);
        let far = last.pixels().zip(film[2].1.pixels()).map(|(one, other)| u64::from(one[0].abs_diff(other[0]))).sum::<u64>();
        assert!(far / u64::from(512 * 256_u32) < 25, "{far}");
        let small = gif(&frames, &picture, 20_000).expect("written");
        assert!(small.len() <= 20_000 && decoded(small).len() == 3);
    }
}
