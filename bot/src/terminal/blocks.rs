//! Half blocks: the upper pixel is the character's colour, the lower one its background.

use std::fmt::Write;

use image::RgbImage;

use super::layout::Layout;

/// Ends every colour.
const PLAIN: &str = "\x1b[0m";
/// Levels of the cube in the palette of 256.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Two pixels, the lower one missing below the last row.
type Cell = ([u8; 3], Option<[u8; 3]>);

/// The lines of a layout, without line ends; pictures are as large as its places, and where one is missing it is blank.
pub(super) fn lines(layout: &Layout, pictures: &[Option<RgbImage>], is_true_colour: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, row) in pictures.chunks(layout.across as usize).enumerate() {
        if place > 0 {
            lines.push(String::new());
        }
        lines.extend((0..layout.cells.1).map(|y| line(layout, row, y, is_true_colour)));
    }
    lines
}

fn line(layout: &Layout, pictures: &[Option<RgbImage>], y: u32, is_true_colour: bool) -> String {
    let mut line = String::new();
    for (place, picture) in pictures.iter().enumerate() {
        if place > 0 {
            line.push(' ');
        }
        let Some(picture) = picture else {
            line.extend(std::iter::repeat_n(' ', layout.cells.0 as usize));
            continue;
        };
        let lower = |x| (2 * y + 1 < picture.height()).then(|| picture.get_pixel(x, 2 * y + 1).0);
        let cells = (0..picture.width()).map(|x| (picture.get_pixel(x, 2 * y).0, lower(x)));
        write_cells(&mut line, cells, is_true_colour);
    }
    line
}

/// Says only the colours that change; the terminal has none of its own at the start and at the end.
fn write_cells(line: &mut String, cells: impl Iterator<Item = Cell>, is_true_colour: bool) {
    let mut said: Option<Cell> = None;
    for (upper, lower) in cells {
        let is_said = |part: fn(Cell) -> Option<[u8; 3]>, now| said.is_some_and(|said| part(said) == now);
        if !is_said(|cell| Some(cell.0), Some(upper)) {
            colour(line, 38, upper, is_true_colour);
        }
        match lower {
            Some(lower) if !is_said(|cell| cell.1, Some(lower)) => colour(line, 48, lower, is_true_colour),
            _ => {}
        }
        line.push('▀');
        said = Some((upper, lower));
    }
    line.push_str(PLAIN);
}

fn colour(line: &mut String, which: u8, [red, green, blue]: [u8; 3], is_true_colour: bool) {
    // Nothing is written to but a string.
    let _ = if is_true_colour {
        write!(line, "\x1b[{which};2;{red};{green};{blue}m")
    } else {
        write!(line, "\x1b[{which};5;{}m", of_palette([red, green, blue]))
    };
}

/// The nearest colour of the palette of 256: of its cube or of its greys. The first sixteen are the person's own.
fn of_palette(colour: [u8; 3]) -> u8 {
    let nearest = |value: u8| (0..LEVELS.len()).min_by_key(|level| LEVELS[*level].abs_diff(value)).unwrap_or(0);
    let cube = colour.map(nearest);
    let mean = colour.iter().map(|value| u32::from(*value)).sum::<u32>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let distance = |other: [u8; 3]| (0..3).map(|i| u32::from(colour[i].abs_diff(other[i])).pow(2)).sum::<u32>();
    let is_grey = distance([8 + 10 * grey; 3]) < distance(cube.map(|level| LEVELS[level]));
    if is_grey { 232 + grey } else { (16 + 36 * cube[0] + 6 * cube[1] + cube[2]) as u8 }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];

    fn layout(across: u32, down: u32, cells: (u32, u32), pixels: (u32, u32)) -> Layout {
        Layout { across, down, cells, pixels }
    }

    fn picture(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Option<RgbImage> {
        Some(RgbImage::from_fn(width, height, |x, y| Rgb(colour(x, y))))
    }

    #[test]
    fn a_character_has_two_pixels_and_says_only_what_changes() {
        let top_red = |_, y| if y == 0 { RED } else { BLUE };
        let left_red = |x, _| if x == 0 { RED } else { BLUE };
        for (picture, cells, expected) in [
            (picture(2, 2, top_red), (2, 1), vec!["\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀▀\x1b[0m"]),
            (picture(2, 2, left_red), (2, 1), vec!["\x1b[38;2;255;0;0m\x1b[48;2;255;0;0m▀\x1b[38;2;0;0;255m\x1b[48;2;0;0;255m▀\x1b[0m"]),
            (picture(1, 3, top_red), (1, 2), vec!["\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀\x1b[0m", "\x1b[38;2;0;0;255m▀\x1b[0m"]),
            (None, (3, 2), vec!["   ", "   "]),
        ] {
            let pixels = picture.as_ref().map_or((3, 4), RgbImage::dimensions);
            assert_eq!(lines(&layout(1, 1, cells, pixels), &[picture], true), expected);
        }
    }

    #[test]
    fn pictures_stand_side_by_side_and_in_lines() {
        let one = || picture(1, 2, |_, _| RED);
        let red = "\x1b[38;5;196m\x1b[48;5;196m▀\x1b[0m";
        let found = lines(&layout(2, 2, (1, 1), (1, 2)), &[one(), None, one()], false);
        assert_eq!(found, [format!("{red}  "), String::new(), red.to_owned()]);
    }

    #[test]
    fn colours_become_the_nearest_of_the_palette() {
        for (colour, expected) in [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            (RED, 196),
            (BLUE, 21),
            ([95, 135, 175], 67),
            ([8, 8, 8], 232),
            ([128, 128, 128], 244),
            ([130, 126, 129], 244),
            ([238, 238, 238], 255),
            ([250, 10, 120], 198),
        ] {
            assert_eq!(of_palette(colour), expected, "{colour:?}");
        }
    }
}
