//! The comment in the EXIF of a JPEG, WebP or PNG file, where A1111 and others write what stands in PNG files as `parameters`.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::ImageFormat;

/// Tags of EXIF 2.32: where the photograph's own directory is, and a person's comment.
const EXIF_DIRECTORY: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;
/// Bytes of a directory's entry.
const ENTRY_BYTES: usize = 12;

/// The EXIF of a JPEG or WebP file, if there is any of at most `max_bytes`.
///
/// # Errors
/// The file cannot be read; an end that comes too early is none.
pub(super) fn find(format: ImageFormat, source: &mut (impl BufRead + Seek), max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
    let found = match format {
        ImageFormat::Jpeg => in_jpeg(source),
        ImageFormat::WebP => in_webp(source, max_bytes),
        _ => Ok(None),
    };
    match found {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

/// The application's segment before the first scan.
fn in_jpeg(source: &mut (impl Read + Seek)) -> io::Result<Option<Vec<u8>>> {
    const APP1: u8 = 0xe1;
    const SCAN: u8 = 0xda;
    source.seek(SeekFrom::Start(2))?;
    loop {
        let [sign, kind] = array(source)?;
        let length = usize::from(u16::from_be_bytes(array(source)?)).saturating_sub(2);
        if sign != 0xff || kind == SCAN {
            return Ok(None);
        }
        if kind != APP1 {
            source.seek_relative(length as i64)?;
            continue;
        }
        let found = bytes(source, length)?;
        if found.starts_with(b"Exif\0\0") {
            return Ok(Some(found));
        }
    }
}

fn in_webp(source: &mut (impl Read + Seek), max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
    source.seek(SeekFrom::Start(12))?;
    loop {
        let kind: [u8; 4] = array(source)?;
        let length = u32::from_le_bytes(array(source)?);
        if kind == *b"EXIF" {
            return if length as usize <= max_bytes { bytes(source, length as usize).map(Some) } else { Ok(None) };
        }
        source.seek_relative(i64::from(length) + i64::from(length % 2))?;
    }
}

/// The comment as text; `None` without one.
pub(super) fn user_comment(exif: &[u8]) -> Option<String> {
    let tiff = Tiff::open(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))?;
    let first = tiff.u32(4)? as usize;
    // Its place is the photograph's directory; some programs put it into the first.
    let inner = tiff.entry(first, EXIF_DIRECTORY).and_then(|entry| tiff.u32(entry + 8));
    let entry = inner.and_then(|inner| tiff.entry(inner as usize, USER_COMMENT)).or_else(|| tiff.entry(first, USER_COMMENT))?;
    let text = comment(tiff.value(entry)?, tiff.is_big_endian)?;
    let text = text.trim_matches(['\0', ' ', '\n', '\r']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// TIFF 6.0, section 2; every place is checked.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> Tiff<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let is_big_endian = match bytes.get(..4)? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        };
        Some(Self { bytes, is_big_endian })
    }

    fn at(&self, place: usize, n_bytes: usize) -> Option<&'a [u8]> {
        self.bytes.get(place..place.checked_add(n_bytes)?)
    }

    fn u16(&self, place: usize) -> Option<u16> {
        let bytes = self.at(place, 2)?.try_into().ok()?;
        Some(if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, place: usize) -> Option<u32> {
        let bytes = self.at(place, 4)?.try_into().ok()?;
        Some(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// The place of a tag's entry in a directory.
    fn entry(&self, directory: usize, tag: u16) -> Option<usize> {
        let n_entries = usize::from(self.u16(directory)?);
        let mut places = (0..n_entries).map(|i| directory + 2 + i * ENTRY_BYTES);
        places.find(|place| self.u16(*place) == Some(tag))
    }

    /// The bytes of an entry whose numbers have one byte each.
    fn value(&self, entry: usize) -> Option<&'a [u8]> {
        let (kind, n_bytes) = (self.u16(entry + 2)?, self.u32(entry + 4)? as usize);
        if !matches!(kind, 1 | 2 | 7) {
            return None;
        }
        if n_bytes <= 4 { self.at(entry + 8, n_bytes) } else { self.at(self.u32(entry + 8)? as usize, n_bytes) }
    }
}

/// A comment by the character code in its first eight bytes (EXIF 2.32, table 10).
fn comment(bytes: &[u8], is_big_endian: bool) -> Option<String> {
    let (code, text) = bytes.split_at_checked(8).unwrap_or((&[], bytes));
    match code {
        b"UNICODE\0" => Some(utf_16(text, is_big_endian)),
        b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0" => Some(eight_bits(text)),
        b"JIS\0\0\0\0\0" => {
            let (text, _, is_broken) = encoding_rs::ISO_2022_JP.decode(text);
            (!is_broken).then(|| text.into_owned())
        }
        // Some programs write the text alone.
        _ => Some(eight_bits(bytes)),
    }
}

fn eight_bits(text: &[u8]) -> String {
    std::str::from_utf8(text).map_or_else(|_| text.iter().copied().map(char::from).collect(), str::to_owned)
}

/// The standard names no order of the bytes; programs take their own, whatever the file's is. Nearly all texts have letters whose upper
/// byte is zero.
fn utf_16(text: &[u8], is_big_endian: bool) -> String {
    let zeros = |is_odd: usize| text.iter().skip(is_odd).step_by(2).filter(|byte| **byte == 0).count();
    let (is_big_endian, text) = match (text, zeros(0).cmp(&zeros(1))) {
        ([0xfe, 0xff, text @ ..], _) => (true, text),
        ([0xff, 0xfe, text @ ..], _) => (false, text),
        // No text of UTF-16 is without zeros and UTF-8 as well.
        (text, std::cmp::Ordering::Equal) if zeros(0) == 0 && std::str::from_utf8(text).is_ok() => return eight_bits(text),
        (text, std::cmp::Ordering::Equal) => (is_big_endian, text),
        (text, order) => (order.is_gt(), text),
    };
    let unit = |pair: &[u8]| if is_big_endian { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) };
    String::from_utf16_lossy(&text.chunks_exact(2).map(unit).collect::<Vec<_>>())
}

fn array<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut found = [0; N];
    source.read_exact(&mut found)?;
    Ok(found)
}

fn bytes(source: &mut impl Read, n_bytes: usize) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    source.take(n_bytes as u64).read_to_end(&mut found)?;
    if found.len() < n_bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(found) }
}

#[cfg(test)]
#[path = "exif_tests.rs"]
pub(super) mod tests;
