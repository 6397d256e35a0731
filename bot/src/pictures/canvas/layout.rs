//! Where a picture lies on its canvas: whole numbers alone.

use inference::task::ImageSize;

/// A canvas grows by this share of its side at once.
const GROWTH: f64 = 0.5;
/// The seam is the canvas's shorter side through this: a place or two of the latents, which decide what is drawn.
const SEAMS: u32 = 16;
/// The least seam in pixels: what one place of the latents covers in the smallest model.
const MIN_SEAM: u32 = 4;

/// A side of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
    /// The upper one.
    Up,
    /// The lower one.
    Down,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Left, Self::Right, Self::Up, Self::Down];
}

/// How large a canvas may be.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Sides are multiples of this, in pixels.
    pub multiple: u32,
    /// The longest side, in pixels.
    pub max_side: u32,
    /// The most pixels.
    pub max_pixels: u64,
}

/// Where a picture lies on its canvas, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The canvas.
    pub size: ImageSize,
    /// What the picture is brought to before it is laid.
    pub scaled: ImageSize,
    /// Where in that the kept part begins: what lies before is left out.
    pub from: (u32, u32),
    /// Where it begins on the canvas.
    pub at: (u32, u32),
    /// How large it is.
    pub kept: ImageSize,
}

impl Layout {
    /// So many times smaller than it could be, in the middle of a canvas; `None` where it would fill it.
    pub fn zoom(picture: ImageSize, size: ImageSize, factor: f64) -> Option<Self> {
        let fits = (f64::from(size.width) / f64::from(picture.width)).min(f64::from(size.height) / f64::from(picture.height));
        let side = |side: u32, most: u32| ((f64::from(side) * fits / factor).round() as u32).clamp(1, most);
        let kept = ImageSize::new(side(picture.width, size.width), side(picture.height, size.height));
        let at = ((size.width - kept.width) / 2, (size.height - kept.height) / 2);
        Self { size, scaled: kept, from: (0, 0), at, kept }.of_some()
    }

    /// Half as much again on one side. What there is no room for leaves at the opposite one; what stays keeps its pixels.
    pub fn pan(picture: ImageSize, to: Side, room: Room) -> Option<Self> {
        let is_across = matches!(to, Side::Left | Side::Right);
        let (along, across) = if is_across { (picture.width, picture.height) } else { (picture.height, picture.width) };
        let new = up((f64::from(along) * GROWTH).ceil() as u32, room.multiple);
        // A picture that is larger than that already grows no more.
        let most = room.longest(across).max(along);
        let side = along.saturating_add(new).min(most);
        // Of a short side at least half stays.
        let new = new.min(side / 2);
        let kept = side - new;
        let left_out = along.saturating_sub(kept);
        let is_before = matches!(to, Side::Left | Side::Up);
        // What is drawn at the beginning pushes the picture on, whose end leaves.
        let (at, from) = if is_before { (new, 0) } else { (0, left_out) };
        let pair = |along: u32, across: u32| if is_across { (along, across) } else { (across, along) };
        let sized = |(width, height): (u32, u32)| ImageSize::new(width, height);
        let (at, from, size, kept) = (pair(at, 0), pair(from, 0), sized(pair(side, across)), sized(pair(kept, across)));
        Self { size, scaled: picture, from, at, kept }.of_some()
    }

    /// Filled up on its shorter sides, in the middle; where there is no room for so much it is made smaller as a whole. `None` for one that is square.
    pub fn square(picture: ImageSize, room: Room) -> Option<Self> {
        if picture.width == picture.height {
            return None;
        }
        let side = picture.width.max(picture.height);
        let most = down((room.max_pixels as f64).sqrt() as u32, room.multiple).min(room.max_side).max(room.multiple);
        let side = side.min(most);
        Self::zoom(picture, ImageSize::new(side, side), 1.0)
    }

    /// How far what is drawn reaches into the kept part, in pixels.
    pub fn seam(&self) -> u32 {
        let seam = (self.size.width.min(self.size.height) / SEAMS).max(MIN_SEAM);
        seam.min(self.kept.width.min(self.kept.height) / 4)
    }

    fn of_some(self) -> Option<Self> {
        (self.kept != self.size).then_some(self)
    }
}

impl Room {
    /// The longest side beside one of `across` pixels.
    fn longest(self, across: u32) -> u32 {
        let by_area = u32::try_from(self.max_pixels / u64::from(across.max(1))).unwrap_or(u32::MAX);
        down(by_area, self.multiple).min(self.max_side)
    }
}

fn up(side: u32, multiple: u32) -> u32 {
    side.div_ceil(multiple.max(1)) * multiple.max(1)
}

fn down(side: u32, multiple: u32) -> u32 {
    side / multiple.max(1) * multiple.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { multiple: 16, max_side: 256, max_pixels: 2 * 64 * 64 };

    fn size(width: u32, height: u32) -> ImageSize {
        ImageSize::new(width, height)
    }

    #[test]
    fn a_pan_grows_by_half_until_there_is_no_room_and_moves_on_from_there() {
        let check =
            |picture: ImageSize, side: Side, expected: Layout| assert_eq!(Layout::pan(picture, side, ROOM), Some(expected), "{side:?}");
        let own = size(64, 64);
        let grown = Layout { size: size(96, 64), scaled: own, from: (0, 0), at: (0, 0), kept: own };
        check(own, Side::Right, grown);
        check(own, Side::Left, Layout { at: (32, 0), ..grown });
        check(own, Side::Down, Layout { size: size(64, 96), ..grown });
        check(own, Side::Up, Layout { size: size(64, 96), at: (0, 32), ..grown });
        // Half of 96 more would be 144; 128 are the most beside 64.
        let wide = size(96, 64);
        let moved = Layout { size: size(128, 64), scaled: wide, from: (16, 0), at: (0, 0), kept: size(80, 64) };
        check(wide, Side::Right, moved);
        check(wide, Side::Left, Layout { from: (0, 0), at: (48, 0), ..moved });
        let full = size(128, 64);
        let moved = Layout { size: full, scaled: full, from: (64, 0), at: (0, 0), kept: own };
        check(full, Side::Right, moved);
        // One that is larger than it would be made does not shrink.
        let large = size(256, 256);
        check(large, Side::Down, Layout { size: large, scaled: large, from: (0, 128), at: (0, 0), kept: size(256, 128) });
    }

    #[test]
    fn every_pan_is_of_sides_that_can_be_drawn_and_shows_something_new_and_something_old() {
        for width in (16..=256).step_by(16) {
            for height in (16..=256).step_by(16) {
                for side in Side::ALL {
                    let layout = Layout::pan(size(width, height), side, ROOM).expect("a pan");
                    let Layout { size, from, at, kept, .. } = layout;
                    for (canvas, at, from, kept, picture) in
                        [(size.width, at.0, from.0, kept.width, width), (size.height, at.1, from.1, kept.height, height)]
                    {
                        assert!(canvas % 16 == 0 && canvas <= 256 && kept > 0, "{layout:?}");
                        assert!(at + kept <= canvas && from + kept <= picture, "{layout:?}");
                    }
                    assert!(kept != size, "{layout:?}");
                }
            }
        }
    }

    #[test]
    fn a_square_fills_the_shorter_side() {
        let check = |picture: ImageSize, expected: Option<(u32, ImageSize)>| {
            let found = Layout::square(picture, ROOM);
            assert_eq!(found.map(|layout| (layout.size.width, layout.kept)), expected);
            assert!(found.is_none_or(|layout| layout.size.width == layout.size.height));
        };
        check(size(64, 64), None);
        check(size(80, 48), Some((80, size(80, 48))));
        check(size(48, 80), Some((80, size(48, 80))));
        // 90 is the side of twice the model's own area, 80 the multiple below.
        check(size(224, 16), Some((80, size(80, 6))));
    }

    #[test]
    fn a_zoom_shows_the_picture_smaller_in_the_middle() {
        let check = |factor: f64, expected: Option<((u32, u32), ImageSize)>| {
            let found = Layout::zoom(size(64, 64), size(64, 64), factor);
            assert_eq!(found.map(|layout| (layout.at, layout.kept)), expected);
        };
        check(1.0, None);
        check(1.5, Some(((10, 10), size(43, 43))));
        check(2.0, Some(((16, 16), size(32, 32))));
        let wider = Layout::zoom(size(64, 64), size(96, 48), 1.0).expect("there is something to draw");
        assert_eq!((wider.at, wider.kept), ((24, 0), size(48, 48)));
    }
}
