//! `atelier imagine` in a terminal: the real program on a real pseudo-terminal, its screen read as a terminal emulator sees it.

use std::{
    fs::File,
    io::Read,
    num::NonZero,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use image::{Rgb, RgbImage};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// A window in which four pictures of the built-in model have a place of 64 × 32 characters each.
const ROOMY: (u16, u16) = (70, 140);
/// Ends a frame.
const FRAME_END: &str = "\x1b[?2026l";

/// The program on a terminal of so many rows and columns.
struct Seat {
    master: File,
    child: Child,
    window: (u16, u16),
    /// What was read so far.
    bytes: Vec<u8>,
}

impl Seat {
    fn take(folder: &Path, window: (u16, u16), args: &[&str], env: &[(&str, &str)]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it can be opened");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("UTF-8");
        let terminal = File::options().read(true).write(true).open(name).expect("the terminal");
        let size = Winsize { ws_row: window.0, ws_col: window.1, ws_xpixel: window.1 * 10, ws_ypixel: window.0 * 20 };
        tcsetwinsize(&terminal, size).expect("it has a size");
        let end = || Stdio::from(terminal.try_clone().expect("another end"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_atelier"));
        command.current_dir(folder).args(["imagine", "a frog", "--seed", "7"]).args(args).stdin(end()).stdout(end()).stderr(end());
        for name in ["ATELIER_CONFIG", "RUST_LOG", "NO_COLOR", "TMUX", "STY", "KITTY_WINDOW_ID", "TERM_PROGRAM"] {
            command.env_remove(name);
        }
        command.env("XDG_CACHE_HOME", folder.join("cache")).env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
        command.envs(env.iter().copied());
        let child = command.spawn().expect("the program starts");
        Self { master: File::from(master), child, window, bytes: Vec::new() }
    }

    /// Reads on; false at the program's end: a terminal that nobody has open any more is an error to read.
    fn read(&mut self) -> bool {
        let mut part = [0; 1 << 16];
        let n = self.master.read(&mut part).unwrap_or(0);
        self.bytes.extend_from_slice(&part[..n]);
        n > 0
    }

    /// All that the program wrote, up to its end.
    fn ended(mut self) -> (ExitStatus, Seen) {
        while self.read() {}
        let status = self.child.wait().expect("it ends");
        (status, Seen { text: String::from_utf8(self.bytes).expect("UTF-8"), window: self.window })
    }
}

/// What came to the terminal.
struct Seen {
    text: String,
    window: (u16, u16),
}

impl Seen {
    /// The screens after each frame of pictures, and the last one.
    fn screens(&self) -> Vec<vt100::Screen> {
        let mut terminal = vt100::Parser::new(side(self.window.0), side(self.window.1), 0);
        let mut after = |part: &str| {
            terminal.process(part.as_bytes());
            terminal.screen().clone()
        };
        self.text.split_inclusive(FRAME_END).map(&mut after).collect()
    }

    fn last(&self) -> vt100::Screen {
        self.screens().pop().expect("a screen")
    }

    fn n_frames(&self) -> usize {
        self.text.matches(FRAME_END).count()
    }
}

fn side(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a window")
}

/// The first row with pictures.
fn top(screen: &vt100::Screen) -> Option<u16> {
    let (rows, columns) = screen.size();
    (0..rows.get()).find(|row| (0..columns.get()).any(|column| is_block(screen, *row, column)))
}

fn is_block(screen: &vt100::Screen, row: u16, column: u16) -> bool {
    screen.cell(row, column).is_some_and(|cell| cell.contents() == "▀")
}

/// The picture whose corner is at a character.
fn picture_at(screen: &vt100::Screen, row: u16, column: u16, size: (u32, u32)) -> RgbImage {
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let cell = screen.cell(row + y as u16 / 2, column + x as u16).expect("a cell");
        assert_eq!(cell.contents(), "▀", "{x} {y}");
        match if y % 2 == 0 { cell.fgcolor() } else { cell.bgcolor() } {
            vt100::Color::Rgb(red, green, blue) => Rgb([red, green, blue]),
            other => panic!("{other:?} at {x} {y}"),
        }
    })
}

fn written(folder: &Path, seed: u32) -> RgbImage {
    image::open(folder.join(format!("out/{seed}.png"))).expect("a picture").into_rgb8()
}

/// Whether the cursor is shown and nothing that is written next has a colour.
fn assert_sane(screen: &vt100::Screen) {
    assert!(!screen.hide_cursor() && !screen.alternate_screen());
    assert_eq!((screen.fgcolor(), screen.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
    assert_eq!(screen.cursor_position().1, 0, "the prompt comes at the start of a line");
}

#[test]
fn the_pictures_form_in_their_places_and_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let (status, seen) = Seat::take(folder.path(), ROOMY, &["--steps", "8", "--count", "2"], &[]).ended();
    assert!(status.success(), "{}", seen.text);
    let last = seen.last();
    let row = top(&last).expect("pictures");
    for (seed, column) in [(7, 0), (8, 65)] {
        assert!(picture_at(&last, row, column, (64, 64)) == written(folder.path(), seed), "each pixel of {seed} is seen");
    }
    assert_sane(&last);
    let text = last.contents();
    assert_eq!(text.lines().filter(|line| line.contains('▀')).count(), 32, "one picture's lines and no line of an earlier frame");
    assert!(text.contains("out/7.png  64×64  seed 7") && !text.contains("steps,"), "{text}");

    assert!(seen.n_frames() > 2, "it forms: {}", seen.n_frames());
    let screens = seen.screens();
    let frames: Vec<_> = screens.iter().filter(|screen| top(screen).is_some()).collect();
    let first = picture_at(frames[0], row, if is_block(frames[0], row, 0) { 0 } else { 65 }, (64, 64));
    assert!(first != written(folder.path(), 7) && first != written(folder.path(), 8), "the first frame is no finished picture");
    for screen in frames {
        assert_eq!(top(screen), Some(row), "every frame is where the first one was");
        let torn = (row..row + 32)
            .find(|row| (0..129).any(|column| !matches!(screen.cell(*row, column).map(vt100::Cell::contents), Some("▀" | " " | ""))));
        assert_eq!(torn, None, "the progress is below the pictures: {}", screen.contents());
    }
}

#[test]
fn a_small_window_has_smaller_pictures_and_a_tiny_one_none() {
    let folder = tempfile::tempdir().expect("a folder");
    for (window, across, lines) in [((24, 80), 39, 20), ((12, 40), 18, 9), ((5, 80), 0, 0), ((24, 7), 0, 0)] {
        let (status, seen) = Seat::take(folder.path(), window, &["--steps", "2", "--count", "2"], &[]).ended();
        assert!(status.success(), "{}", seen.text);
        let last = seen.last();
        let rows: Vec<_> = (0..window.0).filter(|row| (0..window.1).any(|column| is_block(&last, *row, column))).collect();
        let n_lines = if rows.is_empty() { 0 } else { rows[rows.len() - 1] - rows[0] + 1 };
        let n_across = rows.first().map_or(0, |row| (0..window.1).filter(|column| is_block(&last, *row, *column)).count());
        // Of a window full of pictures some scroll away under what is said at the end.
        assert!(
            n_across == 2 * across && n_lines <= lines && n_lines + 4 > lines,
            "{window:?}: {n_across} × {n_lines}\n{}",
            last.contents()
        );
        assert_sane(&last);
    }
}

#[test]
fn colours_are_those_that_the_terminal_says_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--steps", "2", "--count", "1"];
    let (_, seen) = Seat::take(folder.path(), ROOMY, &args, &[("COLORTERM", "")]).ended();
    assert!(seen.text.contains("\x1b[38;5;") && !seen.text.contains("8;2;"));
    let (last, picture) = (seen.last(), written(folder.path(), 7));
    let row = top(&last).expect("a picture");
    for (x, y) in (0..64).zip((0..64).step_by(2)) {
        let vt100::Color::Idx(index) = last.cell(row + y / 2, x).expect("a cell").fgcolor() else { panic!("a colour of the palette") };
        let colour = match index {
            232.. => [8 + 10 * (index - 232); 3],
            _ => [index.saturating_sub(16) / 36, index.saturating_sub(16) / 6 % 6, index.saturating_sub(16) % 6]
                .map(|n| [0, 95, 135, 175, 215, 255][usize::from(n)]),
        };
        let real = picture.get_pixel(x.into(), y.into()).0;
        assert!((0..3).all(|part| real[part].abs_diff(colour[part]) <= 50), "{real:?} is shown as {colour:?}");
    }
    for (env, more) in
        [(("NO_COLOR", "1"), None), (("TERM", "dumb"), None), (("LANG", "C"), Some("--json")), (("LANG", "C"), Some("--preview=never"))]
    {
        let args: Vec<_> = args.iter().copied().chain(more).collect();
        let (status, seen) = Seat::take(folder.path(), ROOMY, &args, &[env]).ended();
        assert!(status.success() && !seen.text.contains('▀') && seen.n_frames() == 0, "{env:?} {more:?}: {}", seen.text);
    }
}

/// The widths of the pictures that were sent to kitty.
fn kitty_widths(text: &str) -> Vec<u32> {
    let (mut widths, mut data) = (Vec::new(), String::new());
    for sequence in text.split("\x1b_G").skip(1) {
        let (keys, rest) = sequence.split_once(';').expect("keys and data");
        data.push_str(rest.split("\x1b\\").next().unwrap_or_default());
        if keys.ends_with("m=0") {
            let png = BASE64_STANDARD.decode(std::mem::take(&mut data)).expect("base64");
            widths.push(image::load_from_memory(&png).expect("a picture").width());
        }
    }
    widths
}

#[test]
fn graphics_are_shown_where_the_terminal_has_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for (env, start) in [(("TERM", "xterm-kitty"), "\x1b_Ga=T,f=100,q=2,C=1,i="), (("TERM", "foot"), "\x1bP0;1q\"1;1;")] {
        let (status, seen) = Seat::take(folder.path(), (30, 120), &["--steps", "3", "--count", "2"], &[env]).ended();
        assert!(status.success() && seen.text.matches(start).count() >= 4, "{env:?}");
        assert!(!seen.text.contains('▀'));
        if start.starts_with("\x1b_G") {
            assert_eq!(kitty_widths(&seen.text).iter().rev().take(2).collect::<Vec<_>>(), [&256, &256], "shown by the network");
        }
        assert_eq!(written(folder.path(), 7).width(), 64, "written as it was drawn");
        assert_sane(&seen.last());
    }
}

#[test]
fn what_is_told_stands_above_the_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--steps", "3", "--count", "1", "--negative", "x AND y"];
    let (_, seen) = Seat::take(folder.path(), ROOMY, &args, &[]).ended();
    let (last, text) = (seen.last(), seen.last().contents());
    let told = text.lines().position(|line| line.starts_with("atelier: Without a meaning here")).expect("the note");
    assert!(told < usize::from(top(&last).expect("a picture")), "{text}");
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut seat = Seat::take(folder.path(), ROOMY, &["--steps", "150", "--count", "4"], &[]);
    while !String::from_utf8_lossy(&seat.bytes).contains(FRAME_END) {
        assert!(seat.read(), "it draws");
    }
    let is_sent = Command::new("kill").args(["-INT", &seat.child.id().to_string()]).status().expect("kill is there").success();
    assert!(is_sent && seat.child.try_wait().expect("it lives").is_none());
    let (status, seen) = seat.ended();
    assert_eq!(status.code(), Some(130));
    assert_sane(&seen.last());
    assert!(seen.last().contents().contains("atelier: stopped; "), "{}", seen.last().contents());
    assert!(top(&seen.last()).is_some(), "what was there is still there");
}
