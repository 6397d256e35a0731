//! Where pictures go in a terminal's window.

/// Rows that are left to the progress and to what stands before, at least.
const SPARE_ROWS: u32 = 2;
/// A picture of fewer characters across says nothing.
const FEWEST: u32 = 8;

/// A terminal's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Characters across.
    pub columns: u32,
    /// Lines.
    pub rows: u32,
    /// Pixels of a character, across and down; half blocks have one and two.
    pub cell: (u32, u32),
}

/// Equal places for pictures, side by side with a column between them, in lines with a row between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Pictures in a line of pictures.
    pub across: u32,
    /// Lines of pictures.
    pub down: u32,
    /// Characters of a place, across and down.
    pub cells: (u32, u32),
    /// Pixels of a picture; its last row of characters may be a part of one.
    pub pixels: (u32, u32),
}

impl Layout {
    /// The largest places for `n` pictures of a size, at most `most` characters across, that fit the window; of equals, the fewest lines. `None`
    /// in a window too small.
    pub fn new(n: u32, (width, height): (u32, u32), screen: Screen, most: u32) -> Option<Self> {
        let (n, width, height) = (n.max(1), width.max(1), height.max(1));
        let (cell_width, cell_height) = screen.cell;
        // A line is said of each picture at the end, and the pictures should still be seen then.
        let spare = (n + SPARE_ROWS).min(screen.rows / 4).max(SPARE_ROWS);
        let rows = screen.rows.saturating_sub(spare);
        let places = (1..=n).filter_map(|across| {
            let down = n.div_ceil(across);
            let by_width = (screen.columns + 1).checked_sub(across)? / across;
            let rows_each = (rows + 1).checked_sub(down)? / down;
            let by_height = u64::from(rows_each * cell_height) * u64::from(width) / (u64::from(height) * u64::from(cell_width));
            let columns = by_width.min(u32::try_from(by_height).unwrap_or(u32::MAX)).min(most);
            (columns >= FEWEST).then_some((columns, across, down))
        });
        let (columns, across, down) = places.max()?;
        let pixel_width = columns * cell_width;
        let exact = (u64::from(pixel_width) * u64::from(height) + u64::from(width) / 2) / u64::from(width);
        let pixel_height = u32::try_from(exact).ok()?.max(1);
        let cells = (columns, pixel_height.div_ceil(cell_height));
        Some(Self { across, down, cells, pixels: (pixel_width, pixel_height) })
    }

    /// Lines of characters that all of it takes.
    pub fn rows(&self) -> u32 {
        self.down * self.cells.1 + (self.down - 1)
    }

    /// Characters to the right of and below the first picture's corner, of a picture's.
    pub fn offset(&self, index: u32) -> (u32, u32) {
        ((index % self.across) * (self.cells.0 + 1), (index / self.across) * (self.cells.1 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_as_large_as_the_window_lets_them() {
        let blocks = |columns, rows| Screen { columns, rows, cell: (1, 2) };
        for (n, size, screen, most, expected) in [
            // Exactly its pixels.
            (1, (64, 64), blocks(100, 40), 64, Some((1, 1, (64, 32), (64, 64)))),
            (4, (64, 64), blocks(300, 40), 64, Some((4, 1, (64, 32), (64, 64)))),
            (4, (64, 64), blocks(150, 80), 64, Some((2, 2, (64, 32), (64, 64)))),
            (4, (64, 64), blocks(80, 24), 64, Some((4, 1, (19, 10), (19, 19)))),
            (2, (64, 64), blocks(80, 24), 64, Some((2, 1, (39, 20), (39, 39)))),
            (1, (80, 48), blocks(80, 24), 80, Some((1, 1, (70, 21), (70, 42)))),
            (1, (512, 512), blocks(80, 24), 80, Some((1, 1, (42, 21), (42, 42)))),
            (1, (1, 100), blocks(80, 24), 64, None),
            (1, (64, 64), blocks(7, 40), 64, None),
            (1, (64, 64), blocks(80, 5), 64, None),
            (16, (64, 64), blocks(20, 10), 64, None),
            (1, (64, 64), Screen { columns: 80, rows: 24, cell: (10, 20) }, 30, Some((1, 1, (30, 15), (300, 300)))),
            (2, (64, 64), Screen { columns: 80, rows: 24, cell: (9, 20) }, 48, Some((2, 1, (39, 18), (351, 351)))),
        ] {
            let layout = Layout::new(n, size, screen, most);
            let found = layout.map(|layout| (layout.across, layout.down, layout.cells, layout.pixels));
            assert_eq!(found, expected, "{n} of {size:?} in {screen:?}");
        }
    }

    #[test]
    fn every_layout_fits_its_window() {
        for n in 1..=16 {
            for (columns, rows) in (8..200).step_by(7).flat_map(|columns| (3..70).step_by(3).map(move |rows| (columns, rows))) {
                for cell in [(1, 2), (7, 15), (10, 20), (9, 11)] {
                    for size in [(64, 64), (80, 48), (48, 80), (224, 16), (16, 224)] {
                        let screen = Screen { columns, rows, cell };
                        let Some(layout) = Layout::new(n, size, screen, 64) else { continue };
                        let (right, _) = layout.offset(layout.across - 1);
                        assert!(
                            right + layout.cells.0 <= columns && layout.rows() + SPARE_ROWS <= rows,
                            "{n} {size:?} {screen:?} {layout:?}"
                        );
                        assert!(layout.across * layout.down >= n && layout.cells.0 >= FEWEST);
                    }
                }
            }
        }
    }
}
