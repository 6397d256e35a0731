//! The graphics protocol of kitty (<https://sw.kovidgoyal.net/kitty/graphics-protocol/>).

use std::{fmt::Write, io::Cursor};

use base64::{Engine, prelude::BASE64_STANDARD};
use image::{ImageFormat, RgbImage};

/// Most characters of a picture in one escape sequence.
const CHUNK: usize = 4096;

/// Shows a picture at the cursor, which stays, in so many characters across and down; one that was shown under the same number goes away.
pub(super) fn show(picture: &RgbImage, number: u32, (columns, rows): (u32, u32)) -> String {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).expect("a picture of pixels is written to memory");
    let data = BASE64_STANDARD.encode(png.into_inner());
    let mut shown = String::with_capacity(data.len() + 200);
    let n_chunks = data.len().div_ceil(CHUNK);
    for place in 0..n_chunks {
        let chunk = &data[place * CHUNK..data.len().min((place + 1) * CHUNK)];
        let more = u8::from(place + 1 < n_chunks);
        // No answers (q=2), which would be read as typed.
        let _ = if place == 0 {
            write!(shown, "\x1b_Ga=T,f=100,q=2,C=1,i={number},p=1,c={columns},r={rows},m={more};{chunk}\x1b\\")
        } else {
            write!(shown, "\x1b_Gq=2,m={more};{chunk}\x1b\\")
        };
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunks_are_the_picture() {
        // Noise does not become smaller: several chunks.
        let noise = |x: u32, y: u32| image::Rgb([x, y, x ^ y].map(|value| value.wrapping_mul(2_654_435_761).to_le_bytes()[2]));
        for (picture, n_chunks) in [(RgbImage::new(2, 2), 1..=1), (RgbImage::from_fn(64, 64, noise), 2..=10)] {
            let shown = show(&picture, 7, (30, 15));
            let parts: Vec<_> = shown.split_terminator("\x1b\\").map(|part| part.strip_prefix("\x1b_G").expect("a sequence")).collect();
            assert!(n_chunks.contains(&parts.len()), "{}", parts.len());
            let mut data = String::new();
            for (place, part) in parts.iter().enumerate() {
                let (keys, chunk) = part.split_once(';').expect("keys and data");
                let first = if place == 0 { "a=T,f=100,q=2,C=1,i=7,p=1,c=30,r=15," } else { "q=2," };
                assert_eq!(keys, format!("{first}m={}", u8::from(place + 1 < parts.len())));
                assert!(chunk.len() <= CHUNK && (chunk.len() % 4 == 0));
                data.push_str(chunk);
            }
            let png = BASE64_STANDARD.decode(data).expect("base64");
            assert!(image::load_from_memory(&png).expect("a picture").into_rgb8() == picture);
        }
    }
}
