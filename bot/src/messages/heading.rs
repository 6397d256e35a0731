//! What a job's messages begin with.

use inference::task::Note;

use super::{
    notes,
    words::{escape, shorten},
};
use crate::printable::printable;

/// What a job's messages begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct Heading {
    /// The prompt, or what is done with a picture.
    pub title: String,
    /// The parameters, to copy.
    pub parameters: String,
    /// Who asked.
    pub user: u64,
    /// What the person who asked should know.
    pub notes: Vec<Note>,
}

impl Heading {
    /// The line that tells the notes, with its line break.
    pub(super) fn told(&self) -> String {
        notes::line(&self.notes)
    }

    pub(super) fn line(&self) -> String {
        format!("**{}**{} · <@{}>", shorten(&escape(&self.title), 1000), self.code(500), self.user)
    }

    /// The parameters as code, at most so long; a negative prompt can be as long as a prompt.
    pub(super) fn code(&self, max_chars: usize) -> String {
        if self.parameters.is_empty() {
            String::new()
        } else {
            format!(" `{}`", shorten(&printable(&self.parameters).replace('`', "'"), max_chars))
        }
    }
}
