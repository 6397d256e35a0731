use proptest::prelude::*;

use super::*;

pub(in crate::pictures::metadata) const TEXT: &str = "a café 🦊\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, Seed: 7, Size: 64x48";

/// A TIFF with one comment, in the photograph's directory or in the first.
pub(in crate::pictures::metadata) fn tiff(comment: &[u8], is_big_endian: bool, is_inner: bool) -> Vec<u8> {
    let u16 = |n: u16| if is_big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let u32 = |n: usize| if is_big_endian { (n as u32).to_be_bytes() } else { (n as u32).to_le_bytes() };
    let entry = |tag: u16, kind: u16, n: usize, value: usize| [&u16(tag)[..], &u16(kind), &u32(n), &u32(value)].concat();
    let directory = |entry: Vec<u8>| [&u16(1)[..], &entry, &u32(0)].concat();
    let mut bytes = [if is_big_endian { &b"MM\0*"[..] } else { b"II*\0" }, &u32(8)].concat();
    if is_inner {
        bytes.extend(directory(entry(EXIF_DIRECTORY, 4, 1, 26)));
    }
    let place = bytes.len() + 18;
    bytes.extend(directory(entry(USER_COMMENT, 7, comment.len(), place)));
    bytes.extend(comment);
    bytes
}

pub(in crate::pictures::metadata) fn unicode(text: &str, is_big_endian: bool) -> Vec<u8> {
    let unit = |unit: u16| if is_big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
    b"UNICODE\0".iter().copied().chain(text.encode_utf16().flat_map(unit)).collect()
}

#[test]
fn comments_of_every_code_and_order_are_read() {
    let japanese = [&b"JIS\0\0\0\0\0"[..], b"\x1b$B8Q\x1b(B Steps: 3"].concat();
    let latin_1: Vec<u8> = b"ASCII\0\0\0".iter().copied().chain("café".chars().map(|c| c as u8)).collect();
    let marked = |is_big| [&b"UNICODE\0"[..], if is_big { b"\xfe\xff" } else { b"\xff\xfe" }, &unicode("狐狸", is_big)[8..]].concat();
    for is_big_endian in [true, false] {
        for is_inner in [true, false] {
            let check = |comment: &[u8], expected: Option<&str>| {
                let found = user_comment(&tiff(comment, is_big_endian, is_inner));
                assert_eq!(found.as_deref(), expected, "{is_big_endian} {is_inner} {comment:?}");
                let found = user_comment(&[b"Exif\0\0", &tiff(comment, is_big_endian, is_inner)[..]].concat());
                assert_eq!(found.as_deref(), expected, "with a head");
            };
            for text_is_big in [true, false] {
                check(&unicode(TEXT, text_is_big), Some(TEXT));
                check(&marked(text_is_big), Some("狐狸"));
            }
            check(&unicode("狐狸", is_big_endian), Some("狐狸"));
            check(&[b"UNICODE\0", TEXT.as_bytes()].concat(), Some(TEXT));
            check(&[b"ASCII\0\0\0", TEXT.as_bytes(), b"\0"].concat(), Some(TEXT));
            check(&[&[0; 8], TEXT.as_bytes()].concat(), Some(TEXT));
            check(TEXT.as_bytes(), Some(TEXT));
            check(&latin_1, Some("café"));
            check(&japanese, Some("狐 Steps: 3"));
            check(b"JIS\0\0\0\0\0\x1b$B\xff\xff", None);
            for empty in [&b"ASCII\0\0\0"[..], b"", &[0; 16], b"UNICODE\0"] {
                check(empty, None);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(noise in proptest::collection::vec(any::<u8>(), 0..90), place in 0_usize..90, is_big in any::<bool>()) {
        user_comment(&noise);
        let mut damaged = tiff(&unicode("a fox", is_big), is_big, true);
        for (byte, noise) in damaged.iter_mut().skip(place).zip(noise.iter().take(4)) {
            *byte = *noise;
        }
        user_comment(&damaged);
        for format in [ImageFormat::Jpeg, ImageFormat::WebP] {
            prop_assert!(find(format, &mut io::Cursor::new(&noise), 1 << 16).is_ok());
        }
    }
}
