//! What is made of one finished picture by the buttons under it.

use crate::pictures::canvas::Side;

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
    /// As wide as it is high.
    Square,
    /// Half as much again of it on one side.
    Pan(Side),
}

impl After {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::UpscaleSubtle,
        Self::UpscaleCreative,
        Self::UpscaleFour,
        Self::VarySubtle,
        Self::VaryStrong,
        Self::ZoomHalf,
        Self::ZoomTwice,
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
