//! What a task may say that not every family of models makes something of.

use serde::{Deserialize, Serialize};

use super::TextToImage;
use crate::text::{Piece, Prompt};

/// A setting of a task that not every family reads. What all of them do is none: the size, the seed, the sampler and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Layers of the text encoder left out.
    ClipSkip,
    /// A prompt of what should not be seen.
    NegativePrompt,
    /// Guidance brought back to the prompt's own spread.
    GuidanceRescale,
    /// Guidance in a part of the steps.
    GuidanceInterval,
    /// Words that count more or less than others.
    Weights,
    /// `BREAK` between words.
    Break,
    /// Parts of a prompt that count more or less than others. A task with them is refused where they are not read, as one with either of the next two is.
    Parts,
    /// Pictures that are less alike.
    Chaos,
    /// Pictures that are less usual.
    Weird,
    /// A picture that goes on at the opposite edge. A task with it is refused where it is not read: nobody sees its absence before laying it side by side.
    Seamless,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ClipSkip,
        Self::NegativePrompt,
        Self::GuidanceRescale,
        Self::GuidanceInterval,
        Self::Weights,
        Self::Break,
        Self::Parts,
        Self::Chaos,
        Self::Weird,
        Self::Seamless,
    ];

    /// Those of which a task is refused that asks for one where it is not read: nobody would see that it is missing.
    pub const MUST_BE_READ: [Self; 4] = [Self::Seamless, Self::Parts, Self::Chaos, Self::Weird];

    /// Those that a family does not read, of which `reads` says whether it does.
    pub(crate) fn unread(reads: impl Fn(Self) -> bool) -> Vec<Self> {
        Self::ALL.into_iter().filter(|setting| !reads(*setting)).collect()
    }

    /// Whether a task asks for it, of whose prompts these are encoded.
    pub(crate) fn is_asked(self, base: &TextToImage, encoded: &[&str]) -> bool {
        let has_piece = |is: fn(&Piece) -> bool| encoded.iter().any(|text| Prompt::parse(text).pieces().iter().any(is));
        match self {
            Self::ClipSkip => base.clip_skip > 0,
            Self::NegativePrompt => base.negative_prompt.as_ref().is_some_and(|text| !text.trim().is_empty()),
            Self::GuidanceRescale => base.guidance_rescale > 0.0,
            Self::GuidanceInterval => base.guidance_interval != (0.0, 1.0),
            Self::Weights => has_piece(|piece| matches!(piece, Piece::Words { weight, .. } if *weight != 1.0)),
            Self::Break => has_piece(|piece| *piece == Piece::Break),
            Self::Parts => base.has_parts,
            Self::Chaos => base.chaos > 0,
            Self::Weird => base.weird > 0,
            Self::Seamless => base.seamless,
        }
    }
}
