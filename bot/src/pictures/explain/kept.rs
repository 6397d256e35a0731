//! What the engine tells of how a picture came from noise, kept in the picture's own file as the previews of its steps are.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, codecs::jpeg::JpegEncoder};
use inference::engine::{Explained, Glimpse, WordMap};
use png::chunk::ChunkType;
use serde::{Deserialize, Serialize};

use crate::pictures::film;

/// A chunk of our own that other programs skip and leave where it is.
pub const CHUNK: ChunkType = ChunkType(*b"hoWs");
const QUALITY: u8 = 88;
/// Words that are kept: of a longer prompt the first.
const MAX_WORDS: usize = 40;

/// What stands before the pictures.
#[derive(Serialize, Deserialize)]
struct Told {
    /// Step and noise of each glimpse.
    glimpses: Vec<(u32, f64)>,
    sigmas: Vec<f64>,
    words: Vec<String>,
    n_channels: usize,
}

/// As the data of a chunk: a description as JSON, then the pictures, each after its length; `None` if something cannot be written.
pub fn to_chunk(explained: Explained) -> Option<Vec<u8>> {
    let Explained { glimpses, sigmas, channels, mut words } = explained;
    words.truncate(MAX_WORDS);
    let told = Told {
        glimpses: glimpses.iter().map(|glimpse| (glimpse.step, glimpse.sigma)).collect(),
        sigmas,
        words: words.iter().map(|map| map.word.clone()).collect(),
        n_channels: channels.len(),
    };
    let mut data = Vec::new();
    let mut add = |bytes: Vec<u8>| {
        data.extend((bytes.len() as u32).to_be_bytes());
        data.extend(bytes);
    };
    add(serde_json::to_vec(&told).ok()?);
    for picture in glimpses.iter().flat_map(|glimpse| [&glimpse.forward, &glimpse.reverse, &glimpse.guess]) {
        let mut jpeg = Vec::new();
        picture.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
        add(jpeg);
    }
    for gray in channels.into_iter().chain(words.into_iter().map(|map| map.heat)) {
        let mut png = Cursor::new(Vec::new());
        DynamicImage::from(gray).write_to(&mut png, ImageFormat::Png).ok()?;
        add(png.into_inner());
    }
    Some(data)
}

/// What a PNG file of ours tells of how its picture came from noise; `None` where it has nothing of it, or that cannot be read.
pub fn read(png: &[u8]) -> Option<Explained> {
    let mut data = film::chunk(png, CHUNK.0)?;
    let mut next = || {
        let (length, rest) = data.split_first_chunk::<4>()?;
        let (bytes, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        data = rest;
        Some(bytes)
    };
    let Told { glimpses, sigmas, words, n_channels } = serde_json::from_slice(next()?).ok()?;
    let mut colour = || Some(image::load_from_memory_with_format(next()?, ImageFormat::Jpeg).ok()?.into_rgb8());
    let glimpse = |(step, sigma): (u32, f64)| Some(Glimpse { step, sigma, forward: colour()?, reverse: colour()?, guess: colour()? });
    let glimpses = glimpses.into_iter().map(glimpse).collect::<Option<Vec<_>>>()?;
    let mut gray = || -> Option<GrayImage> { Some(image::load_from_memory_with_format(next()?, ImageFormat::Png).ok()?.into_luma8()) };
    let channels = (0..n_channels).map(|_| gray()).collect::<Option<Vec<_>>>()?;
    let words = words.into_iter().map(|word| Some(WordMap { word, heat: gray()? })).collect::<Option<Vec<_>>>()?;
    Some(Explained { glimpses, sigmas, channels, words })
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgb, RgbImage};

    use super::*;

    fn explained() -> Explained {
        let shade = |n: u8| RgbImage::from_pixel(16, 8, Rgb([n; 3]));
        let gray = |n: u8| GrayImage::from_pixel(4, 2, Luma([n]));
        let glimpse =
            |(step, sigma, n): (u32, f64, u8)| Glimpse { step, sigma, forward: shade(n), reverse: shade(n + 1), guess: shade(n + 2) };
        Explained {
            glimpses: [(1, 14.6, 10), (4, 0.5, 60)].map(glimpse).into(),
            sigmas: vec![14.6, 7.0, 3.0, 0.5],
            channels: vec![gray(1), gray(2)],
            words: vec![WordMap { word: "蛙".into(), heat: gray(9) }],
        }
    }

    fn file(data: Option<Vec<u8>>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoder = png::Encoder::new(&mut bytes, 1, 1);
        let mut writer = encoder.write_header().expect("a header");
        if let Some(data) = data {
            writer.write_chunk(CHUNK, &data).expect("a chunk");
        }
        writer.write_image_data(&[7]).and_then(|()| writer.finish()).expect("a picture");
        bytes
    }

    #[test]
    fn what_was_told_comes_back_from_a_file_that_is_a_picture_to_everybody_else() {
        let file = file(to_chunk(explained()));
        let found = read(&file).expect("it is there");
        assert_eq!((&found.sigmas, &found.channels, &found.words), (&explained().sigmas, &explained().channels, &explained().words));
        for (found, wanted) in found.glimpses.iter().zip(explained().glimpses) {
            assert_eq!((found.step, found.sigma), (wanted.step, wanted.sigma));
            let shade = |picture: &RgbImage| picture.get_pixel(3, 3)[0];
            for (one, other) in [(&found.forward, &wanted.forward), (&found.reverse, &wanted.reverse), (&found.guess, &wanted.guess)] {
                assert!(shade(one).abs_diff(shade(other)) < 3, "{} {}", shade(one), shade(other));
            }
        }
        assert_eq!(image::load_from_memory(&file).expect("a picture").into_luma8().get_pixel(0, 0)[0], 7);
        for end in 0..file.len() {
            let _ = read(&file[..end]);
        }
    }

    #[test]
    fn files_without_it_tell_nothing() {
        assert!(read(&file(None)).is_none() && read(b"not a picture").is_none());
        let data = to_chunk(explained()).expect("written");
        for end in 0..data.len() {
            assert!(read(&file(Some(data[..end].to_vec()))).is_none(), "{end}");
        }
    }
}
