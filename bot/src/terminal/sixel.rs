//! Sixel graphics: bands of six rows of pixels, a colour at a time.

use std::fmt::Write;

use image::RgbImage;

/// Levels of red, green and blue in the palette: 252 of the 256 colours that every terminal with sixels has. The eye sees green best.
const LEVELS: [i32; 3] = [6, 7, 6];

/// A picture at the cursor, which is left somewhere below.
pub(super) fn show(picture: &RgbImage) -> String {
    let (width, height) = picture.dimensions();
    let indices = dithered(picture);
    let mut shown = format!("\x1bP0;1q\"1;1;{width};{height}");
    let mut colours = indices.clone();
    colours.sort_unstable();
    colours.dedup();
    for index in &colours {
        let [red, green, blue] = percents(*index);
        // Nothing is written to but a string.
        let _ = write!(shown, "#{index};2;{red};{green};{blue}");
    }
    let width = width as usize;
    for band in indices.chunks(6 * width) {
        let mut present = band.to_vec();
        present.sort_unstable();
        present.dedup();
        for index in present {
            let _ = write!(shown, "#{index}");
            let bits = (0..width).map(|x| band.chunks(width).enumerate().map(|(y, row)| u8::from(row[x] == index) << y).sum::<u8>());
            write_runs(&mut shown, bits);
            shown.push('$');
        }
        shown.push('-');
    }
    shown.push_str("\x1b\\");
    shown
}

/// Runs of equal columns are said once with their length.
fn write_runs(shown: &mut String, columns: impl Iterator<Item = u8>) {
    let mut columns = columns.peekable();
    while let Some(column) = columns.next() {
        let mut n = 1;
        while columns.next_if_eq(&column).is_some() {
            n += 1;
        }
        let sign = char::from(b'?' + column);
        if n > 3 {
            let _ = write!(shown, "!{n}{sign}");
        } else {
            shown.extend(std::iter::repeat_n(sign, n));
        }
    }
}

/// Places in the palette, the error of each pixel handed on to its neighbours (Floyd and Steinberg, 1976).
fn dithered(picture: &RgbImage) -> Vec<u8> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut values: Vec<[i32; 3]> = picture.pixels().map(|pixel| pixel.0.map(i32::from)).collect();
    let mut indices = Vec::with_capacity(values.len());
    for place in 0..width * height {
        let (x, y) = (place % width, place / width);
        let mut index = 0;
        for part in 0..3 {
            let (value, steps) = (values[place][part].clamp(0, 255), LEVELS[part] - 1);
            let level = (value * steps + 127) / 255;
            index = index * LEVELS[part] + level;
            let error = value - level * 255 / steps;
            let mut hand_on = |to: usize, share: i32| values[to][part] += error * share / 16;
            if x + 1 < width {
                hand_on(place + 1, 7);
            }
            if y + 1 < height {
                if x > 0 {
                    hand_on(place + width - 1, 3);
                }
                hand_on(place + width, 5);
                if x + 1 < width {
                    hand_on(place + width + 1, 1);
                }
            }
        }
        indices.push(index as u8);
    }
    indices
}

/// A colour of the palette; sixels count in percents.
fn percents(index: u8) -> [i32; 3] {
    let index = i32::from(index);
    let levels = [index / (LEVELS[1] * LEVELS[2]), index / LEVELS[2] % LEVELS[1], index % LEVELS[2]];
    [0, 1, 2].map(|part| levels[part] * 100 / (LEVELS[part] - 1))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// Reads back what this module writes.
    fn read(shown: &str, width: usize, height: usize) -> RgbImage {
        let body =
            shown.strip_prefix(&format!("\x1bP0;1q\"1;1;{width};{height}")).and_then(|rest| rest.strip_suffix("\x1b\\")).expect("sixels");
        let mut picture = RgbImage::new(width as u32, height as u32);
        let mut palette = std::collections::HashMap::new();
        let (mut x, mut y, mut colour, mut rest) = (0, 0, [0; 3], body);
        let number = |rest: &mut &str| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            *rest = after;
            digits.parse::<usize>().expect("a number")
        };
        while let Some(sign) = rest.chars().next() {
            rest = &rest[sign.len_utf8()..];
            let n = match sign {
                '#' => {
                    let index = number(&mut rest);
                    if rest.starts_with(';') {
                        let parts: Vec<_> = (0..4)
                            .map(|_| {
                                rest = &rest[1..];
                                number(&mut rest)
                            })
                            .collect();
                        palette.insert(index, [1, 2, 3].map(|part| (parts[part] * 255 / 100) as u8));
                    }
                    colour = palette[&index];
                    continue;
                }
                '$' | '-' => {
                    x = 0;
                    y += if sign == '-' { 6 } else { 0 };
                    continue;
                }
                '!' => number(&mut rest),
                _ => 1,
            };
            let bits = if sign == '!' { rest.chars().next().expect("a column") } else { sign };
            rest = if sign == '!' { &rest[1..] } else { rest };
            for _ in 0..n {
                for bit in (0..6).filter(|bit| (bits as u8 - b'?') >> bit & 1 == 1) {
                    picture.put_pixel(x, y + bit, Rgb(colour));
                }
                x += 1;
            }
        }
        picture
    }

    #[test]
    fn the_sixels_are_the_picture_in_the_colours_of_the_palette() {
        let exact = RgbImage::from_fn(13, 9, |x, y| Rgb([(x % 6 * 51) as u8, if y > 4 { 255 } else { 0 }, (y % 6 * 51) as u8]));
        let shown = read(&show(&exact), 13, 9);
        assert!(shown.pixels().zip(exact.pixels()).all(|(a, b)| (0..3).all(|part| a.0[part].abs_diff(b.0[part]) <= 3)));
        // What the palette lacks is right on the whole.
        let grey = RgbImage::from_pixel(60, 60, Rgb([100, 120, 77]));
        let shown = read(&show(&grey), 60, 60);
        for part in 0..3 {
            let mean = shown.pixels().map(|pixel| f64::from(pixel.0[part])).sum::<f64>() / 3600.0;
            assert!((mean - f64::from([100, 120, 77][part])).abs() < 3.0, "{mean}");
        }
    }
}
