//! What a picture file says of how it was made: for people and other programs as A1111's `parameters` text, for ourselves as JSON that
//! draws it again.

mod exif;
pub mod origin;
pub mod parameters;

use std::io::{BufRead, Seek, SeekFrom};

use anyhow::Context;
use image::{ImageFormat, RgbImage};
use inference::task::Task;
use png::{
    chunk::ChunkType,
    text_metadata::{ITXtChunk, TEXtChunk},
};
use serde::{Deserialize, Serialize};

pub use origin::Origin;

/// Keyword of our own chunk.
const OURS: &str = "atelier";
/// Keyword of the chunk that other programs read.
const PARAMETERS: &str = "parameters";
/// Keywords of programs that describe a picture otherwise, and their names.
const OTHERS: [(&str, &str); 6] = [
    ("workflow", "ComfyUI"),
    ("prompt", "ComfyUI"),
    ("invokeai_metadata", "InvokeAI"),
    ("sd-metadata", "InvokeAI"),
    ("Dream", "InvokeAI"),
    ("Comment", "NovelAI"),
];
/// Most bytes of texts in a file that is read, and of one unpacked text: a prompt and a negative prompt several times over.
const MAX_TEXT_BYTES: usize = 4 << 20;
/// Most texts of one keyword that are unpacked: a file has one, unless somebody has put a damaged one before it.
const MAX_UNPACKED: usize = 4;

/// How a picture was made: enough to make it again on the same machine, given the same weights (and source picture).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The whole job; its inputs are named by the SHA-256 of the files.
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
    /// A description of a program of this name, which is not read.
    Program(&'static str),
    /// Nothing that we can read.
    Nothing,
}

/// A picture as PNG, without loss, with what is known of how it was made.
///
/// # Errors
/// The record cannot be written; it can, unless the task holds a number that JSON lacks.
pub fn png(image: &RgbImage, record: &Record) -> anyhow::Result<Vec<u8>> {
    png_with(image, record, &[])
}

/// The same with chunks of our own, such as the previews of its steps.
///
/// # Errors
/// As [`png()`].
pub fn png_with(image: &RgbImage, record: &Record, chunks: &[(ChunkType, Vec<u8>)]) -> anyhow::Result<Vec<u8>> {
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
    for (kind, data) in chunks {
        writer.write_chunk(*kind, data)?;
    }
    writer.write_image_data(image.as_raw())?;
    writer.finish()?;
    Ok(bytes)
}

/// Reads what a PNG, JPEG or WebP file says of how it was made; the pixels are skipped.
///
/// # Errors
/// It is none of these, or our own chunk in it is of a newer version or damaged.
pub fn read(mut source: impl BufRead + Seek) -> anyhow::Result<Found> {
    let mut start = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(&mut source, 16), &mut start)?;
    source.seek(SeekFrom::Start(0))?;
    let comment = match image::guess_format(&start) {
        Ok(ImageFormat::Png) => return of_png(source),
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::WebP)) => exif::find(format, &mut source, MAX_TEXT_BYTES)?,
        _ => anyhow::bail!("it is not a PNG, JPEG or WebP file"),
    };
    Ok(of_comment(comment.as_deref()))
}

/// What a comment says; a photographer's own words are none of a program's.
fn of_comment(exif: Option<&[u8]>) -> Found {
    let text = exif.and_then(exif::user_comment).filter(|text| parameters::is_description(text));
    text.map_or(Found::Nothing, Found::Parameters)
}

fn of_png(source: impl BufRead + Seek) -> anyhow::Result<Found> {
    let mut decoder = png::Decoder::new_with_limits(source, png::Limits { bytes: MAX_TEXT_BYTES });
    decoder.read_header_info().context("it is not a PNG file")?;
    let mut reader = decoder.read_info().context("it is damaged")?;
    let has_any = |info: &png::Info| !(info.utf8_text.is_empty() && info.uncompressed_latin1_text.is_empty());
    // Some programs write texts after the pixels.
    if !has_any(reader.info()) {
        let _ = reader.finish(); // Damage there leaves what stood before.
    }
    let info = reader.info();
    if let Some(text) = text_of(info, OURS) {
        let record = serde_json::from_str(&text).context("its metadata is damaged or of a newer version of Atelier")?;
        return Ok(Found::Record(Box::new(record)));
    }
    if let Some(text) = text_of(info, PARAMETERS).filter(|text| !text.trim_matches(['\0', ' ', '\n', '\r']).is_empty()) {
        return Ok(Found::Parameters(text));
    }
    match of_comment(info.exif_metadata.as_deref()) {
        Found::Nothing => {}
        found => return Ok(found),
    }
    let is_there = |keyword: &str| keywords(info).any(|found| found == keyword);
    let is_novel = || text_of(info, "Software").is_some_and(|name| name.starts_with("NovelAI"));
    let is_of = |keyword: &str, program: &str| is_there(keyword) && (program != "NovelAI" || is_novel());
    let other = OTHERS.into_iter().find(|(keyword, program)| is_of(keyword, program));
    Ok(other.map_or(Found::Nothing, |(_, program)| Found::Program(program)))
}

fn keywords<'a>(info: &'a png::Info) -> impl Iterator<Item = &'a str> {
    let long = info.utf8_text.iter().map(|chunk| chunk.keyword.as_str());
    let short = info.uncompressed_latin1_text.iter().map(|chunk| chunk.keyword.as_str());
    long.chain(short).chain(info.compressed_latin1_text.iter().map(|chunk| chunk.keyword.as_str()))
}

/// The first text of a keyword that can be read. A packed text may be a thousand times as long as its chunk, and there may be hundreds of
/// them, so only a few of the keyword's own are unpacked.
fn text_of(info: &png::Info, keyword: &str) -> Option<String> {
    let long = info.utf8_text.iter().filter(|chunk| chunk.keyword == keyword).take(MAX_UNPACKED).find_map(|chunk| {
        let mut unpacked = chunk.clone();
        unpacked.decompress_text_with_limit(MAX_TEXT_BYTES).ok()?;
        unpacked.get_text().ok()
    });
    let short = || info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == keyword).map(|chunk| chunk.text.clone());
    let packed = || {
        info.compressed_latin1_text.iter().filter(|chunk| chunk.keyword == keyword).take(MAX_UNPACKED).find_map(|chunk| {
            let mut unpacked = chunk.clone();
            unpacked.decompress_text_with_limit(MAX_TEXT_BYTES).ok()?;
            unpacked.get_text().ok()
        })
    };
    long.or_else(short).or_else(packed)
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
        Record { task: Task::from(base), index: Some(2), is_enlarged: false, origin }
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
    fn a_text_is_found_among_others_however_it_is_packed() {
        let file = |texts: &[(&str, &str)], is_packed: bool| {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
            for (keyword, text) in texts {
                let added = if is_packed { png::Encoder::add_ztxt_chunk } else { png::Encoder::add_itxt_chunk };
                added(&mut encoder, (*keyword).into(), (*text).into()).expect("Latin-1");
            }
            encoder.write_header().and_then(|mut writer| writer.write_image_data(&[0])).expect("a picture");
            read(Cursor::new(bytes)).expect("read")
        };
        let bomb = "x".repeat(MAX_TEXT_BYTES + 1);
        for is_packed in [false, true] {
            let found = file(&[("workflow", "{}"), ("parameters", "a fox"), ("Software", "NovelAI")], is_packed);
            assert_eq!(found, Found::Parameters("a fox".into()));
            assert_eq!(file(&[("parameters", " \n")], is_packed), Found::Nothing, "no empty prompt is drawn");
            assert_eq!(file(&[("prompt", "{}")], is_packed), Found::Program("ComfyUI"));
            assert_eq!(file(&[("Software", "NovelAI"), ("Comment", "{}")], is_packed), Found::Program("NovelAI"));
            assert_eq!(file(&[("Comment", "a sunny day")], is_packed), Found::Nothing);
        }
        let among =
            |n: usize| file(&[&vec![("parameters", bomb.as_str()); n][..], &[("other", &bomb), ("parameters", "a fox")]].concat(), true);
        assert_eq!(among(MAX_UNPACKED - 1), Found::Parameters("a fox".into()));
        assert_eq!(among(MAX_UNPACKED), Found::Nothing, "no more is unpacked");
    }

    #[test]
    fn a_comment_of_a_program_is_read_and_a_photographers_is_not() {
        use super::exif::tests::{TEXT, tiff, unicode};
        for (text, expected) in [
            (TEXT, Found::Parameters(TEXT.into())),
            ("{\"sui_image_params\": {}}", Found::Parameters("{\"sui_image_params\": {}}".into())),
            ("my dog, 3 years: asleep", Found::Nothing),
        ] {
            let exif = tiff(&unicode(text, true), false, true);
            let jpeg = [&b"\xff\xd8\xff\xe0\0\x04xx\xff\xe1"[..], &(exif.len() as u16 + 8).to_be_bytes(), b"Exif\0\0", &exif].concat();
            assert_eq!(read(Cursor::new(jpeg)).expect("read"), expected);
            let webp = [&b"RIFF\0\0\0\0WEBPVP8X\x01\0\0\0\0\0EXIF"[..], &(exif.len() as u32).to_le_bytes(), &exif].concat();
            assert_eq!(read(Cursor::new(webp)).expect("read"), expected);
            let mut png = Vec::new();
            let mut info = png::Info::with_size(1, 1);
            info.exif_metadata = Some(exif.into());
            let encoder = png::Encoder::with_info(&mut png, info).expect("a header");
            encoder.write_header().and_then(|mut writer| writer.write_image_data(&[0])).expect("a picture");
            assert_eq!(read(Cursor::new(png)).expect("read"), expected);
        }
    }

    #[test]
    fn files_without_metadata_and_other_files_are_told_apart() {
        let mut bare = Vec::new();
        RgbImage::new(4, 4).write_to(&mut Cursor::new(&mut bare), image::ImageFormat::Png).expect("a PNG file");
        assert_eq!(read(Cursor::new(bare)).expect("read"), Found::Nothing);
        assert!(read(Cursor::new(b"not a picture")).is_err());
        for cut_off in [&b"\xff\xd8\xff\xe1\xff\xffExif"[..], b"RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xff"] {
            assert_eq!(read(Cursor::new(cut_off)).expect("read"), Found::Nothing);
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.add_itxt_chunk(OURS.into(), "{\"task\": 5}".into()).expect("a keyword");
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&[0])).expect("a picture");
        let error = format!("{:#}", read(Cursor::new(&bytes)).expect_err("not a record"));
        assert!(error.starts_with("its metadata is damaged or of a newer version"), "{error}");
    }
}
