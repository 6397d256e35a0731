//! What the person who asked should know of pictures that are drawn all the same.

use serde::{Deserialize, Serialize};

use super::{Setting, Task};
use crate::text::{Unread, without_meaning};

/// What the person who asked should know of pictures that are drawn all the same. Names are those that tasks use, never paths. Serialised into job rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Note {
    /// Only a part of an adapter's file belongs to the model.
    AdapterInPart {
        /// The adapter.
        name: String,
        /// Modules that changed a weight of the model.
        n_applied: usize,
        /// Modules that the file changes.
        n_modules: usize,
        /// Modules and other tensors that did nothing.
        n_unused: usize,
    },
    /// A learned word that was made for another model.
    WordNotLearned {
        /// The word.
        word: String,
    },
    /// A parameter of another program, which was left out.
    ForeignParameter {
        /// Its name as it is typed.
        name: String,
    },
    /// A model or adapter that somebody had chosen is not there any more, and did not draw.
    ChoiceGone {
        /// Its name.
        name: String,
    },
    /// Syntax of other programs, which is drawn as words.
    NoMeaning {
        /// Its kind.
        syntax: Unread,
        /// The place in the prompt, shortened.
        words: String,
        /// Whether it stands in the negative prompt.
        is_negative: bool,
    },
    /// A setting that the model makes nothing of.
    SettingUnread {
        /// The setting.
        setting: Setting,
    },
    /// A prompt that is longer than the model reads: its end was cut off.
    PromptCut {
        /// Its tokens, with those that stand around every prompt.
        n_tokens: usize,
        /// Those that were read.
        n_read: usize,
        /// Whether it is the negative prompt.
        is_negative: bool,
    },
    /// Words of the prompt that a small model was not taught.
    WordsNotKnown {
        /// The words.
        words: Vec<String>,
        /// How many things it was taught to draw.
        n_things: usize,
        /// Prompts that it draws well.
        such_as: Vec<String>,
    },
}

impl Task {
    /// What can be said of a task before it is drawn.
    pub fn notes(&self) -> Vec<Note> {
        let Some(base) = self.base() else { return Vec::new() };
        let of_prompt = |text: &str, is_negative| {
            let note = move |(syntax, words)| Note::NoMeaning { syntax, words, is_negative };
            without_meaning(text).into_iter().map(note).collect::<Vec<_>>()
        };
        let mut notes = of_prompt(&base.prompt, false);
        if base.has_parts {
            notes.retain(|note| !matches!(note, Note::NoMeaning { syntax: Unread::Weight, .. }));
        }
        notes.extend(of_prompt(base.negative_prompt.as_deref().unwrap_or_default(), true));
        notes
    }
}
