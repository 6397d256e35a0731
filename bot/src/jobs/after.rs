//! What is made of one finished picture by the buttons under it.

use serde::{Deserialize, Serialize};

use crate::pictures::canvas::{Cells, Side};

/// What is made of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Variations near to it.
    VarySubtle,
    /// Variations far from it.
    VaryStrong,
    /// Drawn at twice its size, nearly as it is.
    UpscaleSubtle,
    /// Drawn at twice its size with detail of its own.
    UpscaleCreative,
    /// Drawn at twice and then at four times its size.
    UpscaleFour,
    /// Half as much again of what it shows, around it.
    ZoomHalf,
    /// Twice as much of what it shows, around it.
    ZoomTwice,
    /// Shown as small, on a canvas of such a shape and with such words, as a form says.
    Zoom,
    /// Some of its parts drawn anew, with the words of a form.
    Region,
    /// As wide as it is high.
    Square,
    /// Half as much again of it on one side.
    Pan(Side),
}

impl After {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::UpscaleSubtle,
        Self::UpscaleCreative,
        Self::UpscaleFour,
        Self::VarySubtle,
        Self::VaryStrong,
        Self::Region,
        Self::ZoomHalf,
        Self::ZoomTwice,
        Self::Zoom,
        Self::Square,
        Self::Pan(Side::Left),
        Self::Pan(Side::Right),
        Self::Pan(Side::Up),
        Self::Pan(Side::Down),
    ];

    /// Its word in stored jobs and in buttons.
    pub fn word(self) -> &'static str {
        match self {
            Self::VarySubtle => "vary-subtle",
            Self::VaryStrong => "vary-strong",
            Self::UpscaleSubtle => "upscale-subtle",
            Self::UpscaleCreative => "upscale-creative",
            Self::UpscaleFour => "upscale-four",
            Self::ZoomHalf => "zoom-half",
            Self::ZoomTwice => "zoom-twice",
            Self::Zoom => "zoom",
            Self::Region => "vary-region",
            Self::Square => "square",
            Self::Pan(Side::Left) => "pan-left",
            Self::Pan(Side::Right) => "pan-right",
            Self::Pan(Side::Up) => "pan-up",
            Self::Pan(Side::Down) => "pan-down",
        }
    }

    /// What a word stands for.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|after| after.word() == word)
    }
}

/// What the form of one picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Onto {
    /// A canvas around picture `index` of its job.
    Zoom {
        /// Which picture.
        index: u32,
    },
    /// Parts of picture `index` of its job.
    Region {
        /// Which picture.
        index: u32,
        /// Which parts.
        cells: Cells,
    },
}

impl Onto {
    /// What is made so.
    pub fn after(self) -> After {
        match self {
            Self::Zoom { .. } => After::Zoom,
            Self::Region { .. } => After::Region,
        }
    }

    /// Which picture of its job.
    pub fn index(self) -> u32 {
        match self {
            Self::Zoom { index } | Self::Region { index, .. } => index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_word() {
        for after in After::ALL {
            assert_eq!(After::of(after.word()), Some(after));
        }
        assert_eq!(After::of("variation"), None);
    }
}
