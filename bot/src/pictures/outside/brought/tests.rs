use image::{
    Delay, ExtendedColorType, Frame, GrayImage, ImageEncoder, Rgb, RgbImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder, webp::WebPEncoder},
};

use super::*;

const RED: [u8; 3] = [200, 20, 30];
const BLUE: [u8; 3] = [20, 40, 220];
const WHITE: [u8; 3] = [255; 3];

/// Twice as wide as high: the left half in one colour, the right in another.
fn halves(width: u32, left: [u8; 3], right: [u8; 3]) -> RgbImage {
    RgbImage::from_fn(width, width / 2, |x, _| Rgb(if x < width / 2 { left } else { right }))
}

/// A PNG file with these bytes in its rows.
fn png_of(
    width: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    rows: &[u8],
    change: impl FnOnce(&mut png::Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, width / 2);
    encoder.set_color(color);
    encoder.set_depth(depth);
    change(&mut encoder);
    encoder.write_header().and_then(|mut writer| writer.write_image_data(rows)).expect("a PNG file");
    bytes
}

/// Rows of 4×2 pixels, two of each kind a row.
fn rows(left: &[u8], right: &[u8]) -> Vec<u8> {
    [left, left, right, right].concat().repeat(2)
}

fn wide(colour: [u8; 3]) -> Vec<u8> {
    colour.iter().flat_map(|value| [*value, 0x55]).collect()
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 98).encode_image(picture).expect("a JPEG file");
    bytes
}

/// A JPEG file that its camera says to turn.
fn turned(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let exif = [&b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0], &[0; 4]].concat();
    let file = jpeg(picture);
    [&file[..2], b"\xff\xe1", &(exif.len() as u16 + 2).to_be_bytes(), &exif, &file[2..]].concat()
}

/// Bits of a scan, with the zero that follows each byte of ones.
#[derive(Default)]
struct Scan {
    bytes: Vec<u8>,
    held: u32,
    n_held: u32,
}

impl Scan {
    fn put(&mut self, value: u32, n_bits: u32) {
        for place in (0..n_bits).rev() {
            self.held = self.held << 1 | (value >> place & 1);
            self.n_held += 1;
            if self.n_held == 8 {
                self.bytes.push(self.held as u8);
                if self.held as u8 == 0xff {
                    self.bytes.push(0);
                }
                (self.held, self.n_held) = (0, 0);
            }
        }
    }
}

/// A JPEG file of four channels as Photoshop writes them: 16×8, each half of one colour, with inks turned round. `transform` is that of Adobe's
/// marker; 2 has the first three turned once more, as brightness and colours.
fn four_channels(transform: u8, halves: [[u8; 4]; 2]) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".to_vec();
    file.push(transform);
    file.extend(b"\xff\xdb\0\x43\0");
    file.extend([1; 64]);
    file.extend(b"\xff\xc0\0\x14\x08\0\x08\0\x10\x04");
    (1..=4).for_each(|id| file.extend([id, 0x11, 0]));
    // Twelve sizes of a step with four bits each, and a block's end with one.
    file.extend(b"\xff\xc4\0\x1f\0\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend(0..12);
    file.extend(b"\xff\xc4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend(b"\xff\xda\0\x0e\x04\x01\0\x02\0\x03\0\x04\0\0\x3f\0");
    let (mut scan, mut before) = (Scan::default(), [0_i32; 4]);
    for half in halves {
        for (value, before) in half.into_iter().zip(&mut before) {
            let level = (i32::from(value) - 128) * 8;
            let step = level - std::mem::replace(before, level);
            let n_bits = i32::BITS - step.unsigned_abs().leading_zeros();
            scan.put(n_bits, 4);
            scan.put(if step < 0 { (step - 1) as u32 } else { step as u32 }, n_bits);
            scan.put(0, 1);
        }
    }
    scan.put(0x7f, 7);
    file.extend(scan.bytes);
    file.extend(b"\xff\xd9");
    file
}

fn webp(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = picture.dimensions();
    WebPEncoder::new_lossless(&mut bytes).write_image(picture, width, height, ExtendedColorType::Rgb8).expect("a WebP file");
    bytes
}

/// A WebP file that moves from one picture to the next.
fn moving_webp(pictures: &[RgbImage]) -> Vec<u8> {
    let chunk = |kind: &[u8], content: &[u8]| [kind, &(content.len() as u32).to_le_bytes(), content, &vec![0; content.len() % 2]].concat();
    let less_one = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let (width, height) = pictures[0].dimensions();
    let sides = [less_one(width), less_one(height)].concat();
    let mut body = [chunk(b"VP8X", &[&[2, 0, 0, 0][..], &sides].concat()), chunk(b"ANIM", &[0; 6])].concat();
    for picture in pictures {
        let still = webp(picture)[12..].to_vec();
        body.extend(chunk(b"ANMF", &[&[0; 6][..], &sides, &[100, 0, 0, 0], &still].concat()));
    }
    [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &body].concat()
}

fn moving_gif(pictures: &[RgbImage]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let frame =
        |picture: &RgbImage| Frame::from_parts(DynamicImage::from(picture.clone()).into_rgba8(), 0, 0, Delay::from_numer_denom_ms(100, 1));
    GifEncoder::new(&mut bytes).encode_frames(pictures.iter().map(frame)).expect("a GIF file");
    bytes
}

fn moving_png(pictures: &[RgbImage]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = pictures[0].dimensions();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(pictures.len() as u32, 0).expect("it moves");
    let mut writer = encoder.write_header().expect("a header");
    pictures.iter().for_each(|picture| writer.write_image_data(picture).expect("a frame"));
    writer.finish().expect("a PNG file");
    bytes
}

fn brought(name: &str, bytes: &[u8], role: &Role) -> RgbImage {
    let brought = bring(bytes, role).unwrap_or_else(|error| panic!("{name}: {error}"));
    let picture = image::load_from_memory(&brought.png).expect("a PNG file");
    assert_eq!((picture.width(), picture.height()), (brought.size.width, brought.size.height), "{name}");
    assert_eq!(picture.color(), if *role == Role::Mask { image::ColorType::L8 } else { image::ColorType::Rgb8 }, "{name}");
    picture.into_rgb8()
}

#[test]
fn pictures_of_every_kind_that_people_have_are_read_as_they_see_them() {
    use png::{BitDepth::*, ColorType::*};
    let pair = [halves(64, RED, BLUE), halves(64, BLUE, RED)];
    let plain = |color, depth, rows: Vec<u8>| png_of(4, color, depth, &rows, |_| {});
    let palette = |rows: Vec<u8>, opaque: Option<Vec<u8>>| {
        png_of(4, Indexed, Eight, &rows, |encoder| {
            encoder.set_palette([WHITE, RED, BLUE].concat());
            if let Some(opaque) = opaque {
                encoder.set_trns(opaque);
            }
        })
    };
    let with = |colour: [u8; 3], alpha: u8| [&colour[..], &[alpha]].concat();
    let grey = |value| [value; 3];
    let kinds = [
        ("PNG", plain(Rgb, Eight, rows(&RED, &BLUE)), RED, BLUE),
        ("PNG of 16 bits", plain(Rgb, Sixteen, rows(&wide(RED), &wide(BLUE))), RED, BLUE),
        ("grey PNG of 16 bits", plain(Grayscale, Sixteen, rows(&[40, 9], &[90, 200])), grey(40), grey(90)),
        ("PNG of one bit", plain(Grayscale, One, vec![0b0011_0000; 2]), [0; 3], WHITE),
        ("PNG with a palette", palette(rows(&[1], &[2]), None), RED, BLUE),
        ("PNG with a transparent colour", palette(rows(&[1], &[2]), Some(vec![255, 0, 255])), WHITE, BLUE),
        ("transparent PNG", plain(Rgba, Eight, rows(&with(RED, 0), &with(BLUE, 255))), WHITE, BLUE),
        ("half transparent PNG", plain(Rgba, Eight, rows(&with([0; 3], 128), &with(BLUE, 255))), grey(127), BLUE),
        (
            "transparent PNG of 16 bits",
            plain(Rgba, Sixteen, rows(&[&wide(RED)[..], &[0, 0]].concat(), &[&wide(BLUE)[..], &[255; 2]].concat())),
            WHITE,
            BLUE,
        ),
        ("transparent grey PNG", plain(GrayscaleAlpha, Eight, rows(&[9, 0], &[9, 255])), WHITE, grey(9)),
        ("PNG that moves", moving_png(&pair), RED, BLUE),
        ("JPEG", jpeg(&pair[0]), RED, BLUE),
        ("JPEG turned half", turned(&pair[0], 3), BLUE, RED),
        ("CMYK JPEG", four_channels(0, [[255, 0, 0, 255], [255, 255, 255, 128]]), [255, 0, 0], grey(128)),
        ("YCCK JPEG", four_channels(2, [[179, 171, 1, 255], [0, 128, 128, 128]]), [254, 0, 0], grey(128)),
        ("WebP", webp(&pair[0]), RED, BLUE),
        ("WebP that moves", moving_webp(&pair), RED, BLUE),
        ("GIF that moves", moving_gif(&pair), RED, BLUE),
    ];
    for (name, bytes, left, right) in kinds {
        let picture = brought(name, &bytes, &Role::Init);
        let (width, height) = picture.dimensions();
        assert_eq!(width, height * 2, "{name}");
        for (x, expected) in [(width / 8, left), (width - 1 - width / 8, right)] {
            let found = picture.get_pixel(x, height / 2).0;
            assert!(
                found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 4),
                "{name}: {found:?} at {x}, not {expected:?}"
            );
        }
    }
}

#[test]
fn a_picture_stands_upright_however_its_camera_was_held() {
    // The halves' left end is at this place then.
    for (orientation, is_tall, x, y) in [(1, false, 0, 0), (2, false, 63, 0), (3, false, 63, 31), (6, true, 0, 0), (8, true, 0, 63)] {
        let picture = brought("turned", &turned(&halves(64, RED, BLUE), orientation), &Role::Init);
        assert_eq!(picture.dimensions(), if is_tall { (32, 64) } else { (64, 32) }, "{orientation}");
        let found = picture.get_pixel(x, y).0;
        assert!(found[0] > 150 && found[2] < 80, "{orientation}: {found:?}");
    }
}

#[test]
fn nothing_is_painted_where_a_mask_is_transparent() {
    let mask = |pixels: [[u8; 4]; 2]| png_of(4, png::ColorType::Rgba, png::BitDepth::Eight, &rows(&pixels[0], &pixels[1]), |_| {});
    for (pixels, expected) in [
        ([[255, 255, 255, 0], [255, 255, 255, 255]], [0, 255]),
        ([[0, 0, 0, 255], [255, 255, 255, 200]], [0, 200]),
        // Its brightness counts.
        ([[255, 0, 0, 255], [0, 255, 0, 255]], [76, 150]),
    ] {
        let picture = brought("mask", &mask(pixels), &Role::Mask);
        let found: [u8; 2] = [picture.get_pixel(0, 0)[0], picture.get_pixel(3, 1)[0]];
        assert!(found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 1), "{pixels:?}: {found:?}");
    }
}

#[test]
fn no_more_is_kept_of_a_large_picture_than_is_drawn_from() {
    let large = |width: u32, height: u32| {
        let mut bytes = Vec::new();
        GrayImage::new(width, height).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).expect("a PNG file");
        bring(&bytes, &Role::Init).expect("it is read").size
    };
    assert_eq!(large(2048, 2048), ImageSize::new(2048, 2048));
    let found = large(6000, 3000);
    assert!(u64::from(found.width) * u64::from(found.height) <= MAX_KEPT_PIXELS && found.width > 2800, "{found}");
    assert_eq!(found.width / found.height, 2);
    assert_eq!(large(16_384, 300).height, 277, "the shape stays");
}

#[test]
fn bombs_are_refused_before_anything_is_unpacked() {
    let declared = |width: u32, height: u32| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().and_then(|mut writer| writer.write_chunk(png::chunk::IDAT, &[0])).expect("a header");
        bytes
    };
    let mut jpeg = jpeg(&halves(8, RED, BLUE));
    let place = jpeg.windows(2).position(|two| two == b"\xff\xc0").expect("its header");
    jpeg[place + 5..place + 9].copy_from_slice(&[0xff, 0xfa, 0xff, 0xfa]);
    let mut canvas = moving_webp(&[halves(8, RED, BLUE)]);
    canvas[24..30].copy_from_slice(&[0xff, 0x7f, 0, 0xff, 0x7f, 0]);
    let mut screen = moving_gif(&[halves(8, RED, BLUE)]);
    screen[6..10].fill(0xff);
    for (name, bytes) in [("png", declared(60_000, 50_000)), ("jpeg", jpeg), ("webp", canvas), ("gif", screen)] {
        assert!(matches!(bring(&bytes, &Role::Init), Err(PictureError::TooLarge { .. })), "{name}: {:?}", bring(&bytes, &Role::Init).err());
    }
    assert!(matches!(bring(&declared(20_000, 10), &Role::Init), Err(PictureError::TooLong { .. })));
    let long = vec![0; MAX_BROUGHT_BYTES as usize + 1];
    assert!(matches!(bring(&long, &Role::Init), Err(PictureError::TooManyBytes { most: MAX_BROUGHT_BYTES, .. })));

    // A frame that declares more than the file's own size.
    let mut frame = moving_gif(&[halves(8, RED, BLUE)]);
    let place = frame.windows(5).rposition(|five| five == b",\0\0\0\0").expect("a frame");
    frame[place + 5..place + 9].fill(0xff);
    assert!(matches!(bring(&frame, &Role::Init), Err(PictureError::Unreadable(_))));
    // A chunk that declares more than the file has.
    let mut chunk = declared(8, 4);
    chunk[33..37].fill(0x7f);
    assert!(matches!(bring(&chunk, &Role::Init), Err(PictureError::CutOff)), "{:?}", bring(&chunk, &Role::Init).err());
}

#[test]
fn a_file_that_was_cut_off_anywhere_is_refused() {
    let pair = [halves(8, RED, BLUE), halves(8, BLUE, RED)];
    for (name, whole) in
        [("gif", moving_gif(&pair[..1])), ("png", moving_png(&pair)), ("webp", moving_webp(&pair)), ("cmyk", four_channels(0, [[9; 4]; 2]))]
    {
        assert!(bring(&whole, &Role::Init).is_ok(), "{name}");
        // Behind a GIF's only picture there is nothing but the sign of its end.
        let end = if name == "gif" { whole.len() - 2 } else { whole.len() - 1 };
        for n_bytes in 0..end {
            assert!(bring(&whole[..n_bytes], &Role::Init).is_err(), "{name}: {n_bytes} of {}", whole.len());
        }
    }
    assert!(bring(b"no picture", &Role::Init).is_err());
}
