//! The lines of a terminal where the pictures of one job are, above the line of its progress.

use std::fmt::Write;

use image::RgbImage;

use super::{
    Way,
    ability::screen,
    blocks, kitty,
    layout::{Layout, Screen},
    sixel, sized,
};

/// Most characters across of a picture of graphics; half blocks show no more than its own pixels.
const MOST: u32 = 48;
/// Between these a terminal that knows them shows nothing half done; others do not mind.
const TOGETHER: (&str, &str) = ("\x1b[?2026h", "\x1b[?2026l");

/// The lines of a terminal where the pictures of one job are. What it says is written where the cursor is at the start of the line below them.
pub struct Area {
    way: Way,
    size: (u32, u32),
    /// What kitty knows the first picture by; others must not have it.
    number: u32,
    pictures: Vec<Option<RgbImage>>,
    /// Which of them changed since they were shown.
    is_new: Vec<bool>,
    /// The window in which they are shown, and the lines that they take.
    shown: Option<(Screen, u32)>,
}

impl Area {
    /// For `n` pictures of a size.
    pub fn new(way: Way, n: u32, size: (u32, u32), number: u32) -> Self {
        Self { way, size, number, pictures: vec![None; n as usize], is_new: vec![false; n as usize], shown: None }
    }

    /// Takes a picture, to be shown in the next frame.
    pub fn put(&mut self, index: u32, picture: RgbImage) {
        if let Some(place) = self.pictures.get_mut(index as usize) {
            *place = Some(picture);
            self.is_new[index as usize] = true;
        }
    }

    /// What shows the pictures as they are now, in place of how they were; `None` if the window is too small.
    pub fn frame(&mut self) -> Option<String> {
        self.frame_in(screen(self.way)?)
    }

    fn frame_in(&mut self, screen: Screen) -> Option<String> {
        let most = if self.way.has_graphics() { MOST } else { self.size.0 };
        let layout = Layout::new(self.pictures.len() as u32, self.size, screen, most)?;
        // In a window of another size nobody knows where the lines went.
        let is_there = self.shown.is_some_and(|(before, _)| before == screen);
        let mut frame = TOGETHER.0.to_owned();
        match self.way {
            Way::Blocks { is_true_colour } => {
                if is_there {
                    go(&mut frame, 'A', layout.rows());
                }
                let fitted: Vec<_> = self.pictures.iter().map(|picture| picture.as_ref().map(|it| sized(it, layout.pixels))).collect();
                for line in blocks::lines(&layout, &fitted, is_true_colour) {
                    frame.push_str(&line);
                    frame.push_str("\r\n");
                }
            }
            Way::Kitty | Way::Sixel => {
                if !is_there {
                    frame.push_str(&"\r\n".repeat(layout.rows() as usize));
                }
                go(&mut frame, 'A', layout.rows());
                for index in 0..self.pictures.len() {
                    if let Some(picture) = self.pictures[index].as_ref().filter(|_| self.is_new[index] || !is_there) {
                        self.write_graphics(&mut frame, &layout, index as u32, picture);
                    }
                }
                go(&mut frame, 'B', layout.rows());
            }
        }
        frame.push_str(TOGETHER.1);
        self.is_new.fill(false);
        self.shown = Some((screen, layout.rows()));
        Some(frame)
    }

    fn write_graphics(&self, frame: &mut String, layout: &Layout, index: u32, picture: &RgbImage) {
        let (right, down) = layout.offset(index);
        frame.push_str("\x1b7");
        go(frame, 'B', down);
        go(frame, 'C', right);
        frame.push_str(&match self.way {
            Way::Sixel => sixel::show(&sized(picture, layout.pixels)),
            // The terminal enlarges; a preview of few pixels would be a mosaic.
            _ => kitty::show(&sized(picture, larger(picture.dimensions(), self.size)), self.number.wrapping_add(index), layout.cells),
        });
        frame.push_str("\x1b8");
    }

    /// What takes the pictures away, so that something can be said above them.
    pub fn clear(&mut self) -> String {
        let mut cleared = String::new();
        if let Some((_, rows)) = self.shown.take() {
            go(&mut cleared, 'A', rows);
            cleared.push_str("\r\x1b[J");
        }
        cleared
    }
}

fn larger(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    if a.0 >= b.0 { a } else { b }
}

/// Moves the cursor; no number would be one.
fn go(frame: &mut String, direction: char, n: u32) {
    if n > 0 {
        // Nothing is written to but a string.
        let _ = write!(frame, "\x1b[{n}{direction}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Screen = Screen { columns: 40, rows: 20, cell: (1, 2) };

    fn emulator(rows: u16, columns: u16) -> vt100::Parser {
        let side = |n| std::num::NonZero::new(n).expect("a window");
        vt100::Parser::new(side(rows), side(columns), 0)
    }

    fn gradient(seed: u8) -> RgbImage {
        RgbImage::from_fn(16, 16, |x, y| image::Rgb([(x * 16) as u8, (y * 16) as u8, seed]))
    }

    /// What a picture looks like on the screen, from this column and line on.
    fn seen(screen: &vt100::Screen, column: u16, line: u16) -> RgbImage {
        RgbImage::from_fn(16, 16, |x, y| {
            let cell = screen.cell(line + y as u16 / 2, column + x as u16).expect("a cell");
            assert_eq!(cell.contents(), "▀");
            match if y % 2 == 0 { cell.fgcolor() } else { cell.bgcolor() } {
                vt100::Color::Rgb(red, green, blue) => image::Rgb([red, green, blue]),
                other => panic!("{other:?}"),
            }
        })
    }

    #[test]
    fn frames_replace_each_other_below_what_is_said() {
        let mut terminal = emulator(20, 40);
        let mut area = Area::new(Way::Blocks { is_true_colour: true }, 2, (16, 16), 1);
        terminal.process(b"$ atelier imagine\r\n");
        area.put(0, gradient(1));
        terminal.process(area.frame_in(WINDOW).expect("there is room").as_bytes());
        for round in 2..5 {
            area.put(0, gradient(round));
            area.put(1, gradient(100 + round));
            terminal.process(area.frame_in(WINDOW).expect("there is room").as_bytes());
            assert!(seen(terminal.screen(), 0, 1) == gradient(round) && seen(terminal.screen(), 17, 1) == gradient(100 + round));
            assert_eq!(terminal.screen().cursor_position(), (9, 0));
            assert_eq!((terminal.screen().fgcolor(), terminal.screen().bgcolor()), Default::default());
        }
        terminal.process(area.clear().as_bytes());
        terminal.process(b"atelier: a note\r\n");
        terminal.process(area.frame_in(WINDOW).expect("there is room").as_bytes());
        let text = terminal.screen().contents();
        assert!(text.starts_with("$ atelier imagine\natelier: a note\n▀") && text.lines().count() == 10, "{text}");
        assert!(seen(terminal.screen(), 0, 2) == gradient(4));
        // A window of another size gets its own lines; in one too small there are none.
        assert!(area.frame_in(Screen { rows: 30, ..WINDOW }).is_some_and(|frame| !frame.contains("\x1b[8A")));
        assert_eq!(area.frame_in(Screen { columns: 7, ..WINDOW }), None);
    }

    #[test]
    fn graphics_are_sent_when_they_change_and_leave_the_cursor_below() {
        let window = Screen { columns: 80, rows: 30, cell: (10, 20) };
        for way in [Way::Kitty, Way::Sixel] {
            let mut terminal = emulator(30, 80);
            let mut area = Area::new(way, 2, (16, 16), 50);
            let mut n_sent = |area: &mut Area, before: &str, pictures: &[u32]| {
                pictures.iter().for_each(|index| area.put(*index, gradient(9)));
                let frame = before.to_owned() + &area.frame_in(window).expect("there is room");
                terminal.process(frame.as_bytes());
                assert_eq!(terminal.screen().cursor_position(), (20, 0));
                frame.matches(if way == Way::Kitty { "\x1b_Ga=T" } else { "\x1bP0;1q" }).count()
            };
            let found = [&[0][..], &[0, 1], &[1], &[]].map(|pictures| n_sent(&mut area, "", pictures));
            assert_eq!(found, [1, 2, 1, 0], "{way:?}");
            let cleared = area.clear();
            assert_eq!(n_sent(&mut area, &cleared, &[]), 2, "what was taken away is sent again");
        }
    }
}
