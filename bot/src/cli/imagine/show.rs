//! Pictures in the terminal while they are drawn, beside the progress bar.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use image::RgbImage;
use indicatif::ProgressBar;

use crate::{
    system::random::random_seed,
    terminal::{Area, Facts, Preview, Way},
};

/// Previews come no faster than this: a slow connection would lag behind.
const PAUSE: Duration = Duration::from_millis(80);

/// Pictures in the terminal while they are drawn; it shows nothing where they cannot be seen.
pub struct Show {
    bar: ProgressBar,
    way: Option<Way>,
    area: Option<Area>,
    shown: Option<Instant>,
}

impl Show {
    /// Beside a progress bar.
    pub fn new(bar: ProgressBar, wanted: Preview) -> Self {
        Self { bar, way: Facts::here().way(wanted), area: None, shown: None }
    }

    /// Whether anything is shown.
    pub fn is_on(&self) -> bool {
        self.way.is_some()
    }

    /// Whether more pixels are seen than a small picture has.
    pub fn has_graphics(&self) -> bool {
        self.way.is_some_and(Way::has_graphics)
    }

    /// Makes room for pictures of a size.
    pub fn begin(&mut self, n_images: u32, size: (u32, u32)) {
        // Numbers of pictures that stay in the terminal from other runs must not come again.
        let number = (random_seed().0 as u32 >> 1).max(1);
        self.area = self.way.map(|way| Area::new(way, n_images, size, number));
    }

    /// A picture on its way.
    pub fn preview(&mut self, index: u32, picture: RgbImage) {
        let Some(area) = &mut self.area else { return };
        area.put(index, picture);
        if self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE) {
            self.draw();
        }
    }

    /// A finished picture.
    pub fn finished(&mut self, index: u32, picture: RgbImage) {
        if let Some(area) = &mut self.area {
            area.put(index, picture);
            self.draw();
        }
    }

    /// Says something above the pictures.
    pub fn tell(&mut self, line: &str) {
        let cleared = self.area.as_mut().map(Area::clear).unwrap_or_default();
        let again = if cleared.is_empty() { None } else { self.area.as_mut().and_then(Area::frame) };
        self.write(&format!("{cleared}{line}\n{}", again.unwrap_or_default()));
    }

    fn draw(&mut self) {
        if let Some(frame) = self.area.as_mut().and_then(Area::frame) {
            self.write(&frame);
            self.shown = Some(Instant::now());
        }
    }

    /// All at once, while the bar is away.
    fn write(&self, text: &str) {
        // As for the bar itself, a terminal that is gone is no reason to stop.
        self.bar.suspend(|| std::io::stderr().write_all(text.as_bytes()).ok());
    }
}
