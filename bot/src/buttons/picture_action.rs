//! What the buttons ask for that look at one picture, or one prompt, of a job.

use std::{fmt, str::FromStr};

/// What is done with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureAction {
    /// Mark it, or take the mark away (❤).
    Mark,
    /// Show its job's message again.
    Open,
    /// Tell what made it (🔎).
    Receipt,
    /// Show how it came from noise (🎞).
    Film,
    /// Draw again how it came from noise, as a job.
    Explain,
    /// Draw the shorter prompt of that number (1–5).
    Shorter,
}

/// Each with its word.
const WORDS: [(PictureAction, &str); 6] = [
    (PictureAction::Mark, "mark"),
    (PictureAction::Open, "open"),
    (PictureAction::Receipt, "receipt"),
    (PictureAction::Film, "film"),
    (PictureAction::Explain, "explain"),
    (PictureAction::Shorter, "shorter"),
];

impl fmt::Display for PictureAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(action, _)| action == self).map_or("", |(_, word)| word);
        f.write_str(word)
    }
}

impl FromStr for PictureAction {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        WORDS.iter().find(|(_, word)| *word == text).map(|(action, _)| *action).ok_or(())
    }
}

impl PictureAction {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        WORDS.iter().map(|(action, _)| *action)
    }
}
