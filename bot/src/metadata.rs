//! What a picture file says of how it was made: for people and other programs as A1111's `parameters` text, for ourselves as JSON that
//! draws it again.

pub mod origin;
pub mod parameters;

use std::io::{BufRead, Seek};

use anyhow::Context;
use image::RgbImage;
use inference::task::Task;
use png::text_metadata::{ITXtChunk, TEXtChunk};
use serde::{Deserialize, Serialize};

pub use origin::Origin;

/// Keyword of our own chunk.
const OURS: &str = "atelier";
/// Keyword of the chunk that other programs read.
const PARAMETERS: &str = "parameters";
/// Most bytes of texts in a file that is read: a prompt and a negative prompt several times over.
const MAX_TEXT_BYTES: usize = 4 << 20;

/// How a picture was made: enough to make it again on the same machine, given the same weights (and source picture).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The whole job; its `source` and `mask` are SHA-256 of the files.
    pub task: Task,
    /// Which of its pictures; `None` for all of them in a grid.
    #[serde(default)]
    pub index: Option<u32>,
    /// Whether the super-resolution network enlarged it afterwards.
    #[serde(default)]
    pub is_enlarged: bool,
    /// With what.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Ours.
    Record(Box<Record>),
    /// The `parameters` text of another program.
    Parameters(String),
    /// Nothing that we can read.
    Nothing,
}

/// A picture as PNG, without loss, with what is known of how it was made.
///
/// # Errors
/// The record cannot be written; it can, unless the task holds a number that JSON lacks.
pub fn png(image: &RgbImage, record: &Record) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header().context("a picture of one pixel or more has a header")?;
    let text = parameters::write(record);
    // Latin-1 is what the simple chunk holds and what the oldest readers know.
    if text.chars().all(|c| c == '\n' || (' '..='~').contains(&c) || ('\u{a0}'..='\u{ff}').contains(&c)) {
        writer.write_text_chunk(&TEXtChunk::new(PARAMETERS, text))?;
    } else {
        writer.write_text_chunk(&ITXtChunk::new(PARAMETERS, text))?;
    }
    writer.write_text_chunk(&ITXtChunk::new(OURS, serde_json::to_string(record)?))?;
    writer.write_image_data(image.as_raw())?;
    writer.finish()?;
    Ok(bytes)
}

/// Reads what a PNG file says of how it was made; the pixels are skipped.
///
/// # Errors
/// It is no PNG file, or our own chunk in it is of a newer version or damaged.
pub fn read(source: impl BufRead + Seek) -> anyhow::Result<Found> {
    let mut decoder = png::Decoder::new_with_limits(source, png::Limits { bytes: MAX_TEXT_BYTES });
    decoder.read_header_info().context("it is not a PNG file")?;
    let mut reader = decoder.read_info().context("it is damaged")?;
    let has_any = |info: &png::Info| !(info.utf8_text.is_empty() && info.uncompressed_latin1_text.is_empty());
    // Some programs write texts after the pixels.
    if !has_any(reader.info()) {
        let _ = reader.finish(); // Damage there leaves what stood before.
    }
    let info = reader.info();
    // A packed text may be a thousand times as long as its chunk, so it is unpacked up to a limit.
    let long = info.utf8_text.iter().filter_map(|chunk| {
        let mut unpacked = chunk.clone();
        unpacked.decompress_text_with_limit(MAX_TEXT_BYTES).ok()?;
        Some((chunk.keyword.as_str(), unpacked.get_text().ok()?))
    });
    let short = info.uncompressed_latin1_text.iter().map(|chunk| (chunk.keyword.as_str(), chunk.text.clone()));
    let packed = info.compressed_latin1_text.iter().filter_map(|chunk| {
        let mut unpacked = chunk.clone();
        unpacked.decompress_text_with_limit(MAX_TEXT_BYTES).ok()?;
        Some((chunk.keyword.as_str(), unpacked.get_text().ok()?))
    });
    let texts: Vec<_> = long.chain(short).chain(packed).collect();
    let of = |keyword: &str| texts.iter().find(|(found, _)| *found == keyword).map(|(_, text)| text);
    if let Some(text) = of(OURS) {
        let record = serde_json::from_str(text).context("its metadata is damaged or of a newer version of Atelier")?;
        return Ok(Found::Record(Box::new(record)));
    }
    Ok(of(PARAMETERS).map_or(Found::Nothing, |text| Found::Parameters(text.clone())))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use inference::task::{ImageSize, Seed, TextToImage};

    use super::*;

    pub(super) fn record(prompt: &str) -> Record {
        let base = TextToImage {
            prompt: prompt.into(),
            size: ImageSize::new(5, 3),
            seed: Seed(u64::MAX),
            guidance_scale: 7.3,
            ..TextToImage::default()
        };
        let origin = Origin { model_hash: Some("ab".repeat(32)), device: "cpu".into(), dtype: "f32".into(), ..Origin::default() };
        Record { task: Task::TextToImage(base), index: Some(2), is_enlarged: false, origin }
    }

    #[test]
    fn long_prompts_in_every_script_come_back_with_the_same_pixels() {
        let image = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8 * 50, y as u8 * 80, 7]));
        for prompt in ["a fox".to_owned(), "café à la crème\nzwei".into(), "🦊狐".repeat(3000), "\u{0}\u{7}\u{85}\"}".into()] {
            let record = record(&prompt);
            let bytes = png(&image, &record).expect("written");
            assert_eq!(read(Cursor::new(&bytes)).expect("read"), Found::Record(Box::new(record)), "{prompt:.20}");
            assert_eq!(image::load_from_memory(&bytes).expect("a picture").into_rgb8(), image);
        }
    }

    #[test]
    fn the_text_for_other_programs_is_the_simple_chunk_where_it_can_be() {
        let image = RgbImage::new(5, 3);
        let holds = |prompt: &str, kind: &[u8]| {
            let bytes = png(&image, &record(prompt)).expect("written");
            bytes.windows(14).any(|window| window.starts_with(kind) && window.ends_with(b"parameters"))
        };
        assert!(holds("café", b"tEXt") && !holds("café", b"iTXt"));
        assert!(holds("🦊", b"iTXt") && !holds("🦊", b"tEXt"));
    }

    #[test]
    fn files_without_metadata_and_other_files_are_told_apart() {
        let mut bare = Vec::new();
        RgbImage::new(4, 4).write_to(&mut Cursor::new(&mut bare), image::ImageFormat::Png).expect("a PNG file");
        assert_eq!(read(Cursor::new(bare)).expect("read"), Found::Nothing);
        assert!(read(Cursor::new(b"\xff\xd8\xff not a PNG")).is_err());
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.add_itxt_chunk(OURS.into(), "{\"task\": 5}".into()).expect("a keyword");
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&[0])).expect("a picture");
        let error = format!("{:#}", read(Cursor::new(&bytes)).expect_err("not a record"));
        assert!(error.starts_with("its metadata is damaged or of a newer version"), "{error}");
    }
}
