//! Whether a picture's file is there to its end, and whether it moves. Decoders fill up what is missing, or take the first frame.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::ImageFormat;

/// What a file is beside its pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether its end is there.
    pub(super) is_whole: bool,
    /// Whether it moves.
    pub(super) is_animated: bool,
    /// Whether its first picture reaches over its own edges, which no program writes.
    pub(super) is_outside: bool,
}

/// Walks through a file from its start, from one part's length to the next.
///
/// # Errors
/// It cannot be read; an end that comes too early is none.
pub(super) fn form(format: ImageFormat, source: &mut (impl BufRead + Seek)) -> io::Result<Form> {
    let mut form = Form::default();
    let walked = match format {
        ImageFormat::Png => png(source, &mut form),
        ImageFormat::Jpeg => jpeg(source),
        ImageFormat::WebP => webp(source, &mut form),
        ImageFormat::Gif => gif(source, &mut form),
        _ => Ok(()),
    };
    match walked {
        Ok(()) => form.is_whole = true,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(error),
    }
    Ok(form)
}

/// PNG, 3rd edition, sections 5.2 and 5.3: chunks up to `IEND`; `acTL` makes it an animation.
fn png(source: &mut (impl BufRead + Seek), form: &mut Form) -> io::Result<()> {
    let end = end_of(source)?;
    source.seek(SeekFrom::Start(8))?;
    loop {
        let length = u32::from_be_bytes(read(source)?);
        let kind: [u8; 4] = read(source)?;
        form.is_animated |= kind == *b"acTL";
        skip(source, u64::from(length) + 4, end)?;
        if kind == *b"IEND" {
            return Ok(());
        }
    }
}

/// WebP container, section 2.4: the length of the whole stands at its beginning, and flags at that of the extended form.
fn webp(source: &mut (impl BufRead + Seek), form: &mut Form) -> io::Result<()> {
    let end = end_of(source)?;
    source.seek(SeekFrom::Start(4))?;
    let length = u32::from_le_bytes(read(source)?);
    let [_, _, _, _, kind @ ..] = read::<8>(source)?;
    if kind == *b"VP8X" {
        let [_, _, _, _, flags] = read::<5>(source)?;
        form.is_animated = flags & 2 != 0;
    }
    // Some writers leave out the last part's byte of padding.
    if u64::from(length) + 7 > end { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// GIF89a, sections 15 to 26: blocks up to the first picture and its end. Every file of the kind counts as one that moves.
fn gif(source: &mut (impl BufRead + Seek), form: &mut Form) -> io::Result<()> {
    const EXTENSION: u8 = 0x21;
    const PICTURE: u8 = 0x2c;
    form.is_animated = true;
    let end = end_of(source)?;
    source.seek(SeekFrom::Start(6))?;
    let [screen @ .., flags, _, _] = read::<7>(source)?;
    skip(source, table_bytes(flags), end)?;
    loop {
        match read(source)? {
            [EXTENSION] => skip(source, 1, end)?,
            [PICTURE] => {
                let [place @ .., flags] = read::<9>(source)?;
                let at = |bytes: &[u8], place: usize| u32::from(u16::from_le_bytes([bytes[place], bytes[place + 1]]));
                form.is_outside = at(&place, 0) + at(&place, 4) > at(&screen, 0) || at(&place, 2) + at(&place, 6) > at(&screen, 2);
                skip(source, table_bytes(flags) + 1, end)?;
                return sub_blocks(source, end);
            }
            // The file's end, or none of its blocks: there is no picture.
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        sub_blocks(source, end)?;
    }
}

/// Bytes of the colour table that flags tell of.
fn table_bytes(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn sub_blocks(source: &mut (impl BufRead + Seek), end: u64) -> io::Result<()> {
    loop {
        match read(source)? {
            [0] => return Ok(()),
            [n_bytes] => skip(source, n_bytes.into(), end)?,
        }
    }
}

/// JPEG (T.81, B.1.1): segments with lengths and scans without, up to the end's marker.
fn jpeg(source: &mut (impl BufRead + Seek)) -> io::Result<()> {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    const TEM: u8 = 0x01;
    let end = end_of(source)?;
    source.seek(SeekFrom::Start(0))?;
    loop {
        match marker(source)? {
            END => return Ok(()),
            // Within a scan, and as signs of their own.
            0 | TEM | 0xd0..=0xd7 | START => {}
            _ => {
                let length = u16::from_be_bytes(read(source)?);
                skip(source, u64::from(length.saturating_sub(2)), end)?;
            }
        }
    }
}

/// The next byte behind a 0xff that is not one itself; what stands before is a scan, or rubbish that decoders pass over.
fn marker(source: &mut impl BufRead) -> io::Result<u8> {
    loop {
        let bytes = source.fill_buf()?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(place) = bytes.iter().position(|byte| *byte == 0xff) else {
            let n_bytes = bytes.len();
            source.consume(n_bytes);
            continue;
        };
        source.consume(place + 1);
        loop {
            match read(source)? {
                [0xff] => {}
                [byte] => return Ok(byte),
            }
        }
    }
}

fn end_of(source: &mut impl Seek) -> io::Result<u64> {
    source.seek(SeekFrom::End(0))
}

/// Goes on by so many bytes, which must be there.
fn skip(source: &mut impl Seek, n_bytes: u64, end: u64) -> io::Result<()> {
    let place = source.stream_position()?.saturating_add(n_bytes);
    if place > end {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    source.seek(SeekFrom::Start(place)).map(drop)
}

fn read<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}
