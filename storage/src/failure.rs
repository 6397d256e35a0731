//! Why a job ended without a picture, as data. The sentence about it is made where it is shown; neither holds a path, a tensor's name or the
//! text of a panic.

use serde::{Deserialize, Serialize};

/// Why a job ended without a picture. Stored as JSON; names are those that people say, never files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Failure {
    /// The picture that the task starts from was deleted.
    SourceGone,
    /// What the pictures would go on from is not kept any more.
    StatesGone,
    /// The task has a value that cannot be drawn (any more).
    Invalid {
        /// The refusal as data; storage does not read it.
        refusal: serde_json::Value,
    },
    /// A picture turned into something that is not a number.
    NotANumber {
        /// Which picture, from 0.
        picture: u32,
        /// Steps done.
        step: u32,
    },
    /// The job stopped its worker this often.
    OutOfAttempts {
        /// How often.
        attempts: u32,
    },
    /// The model is not there any more.
    ModelGone {
        /// Its name.
        name: String,
    },
    /// The model's files cannot be read or do not fit each other.
    ModelUnfit {
        /// Its name.
        name: String,
    },
    /// The adapter is not there any more.
    AdapterGone {
        /// Its name.
        name: String,
    },
    /// The adapter cannot be read or does not fit the model.
    AdapterUnfit {
        /// Its name.
        name: String,
        /// The models that it was made for, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_for: Option<String>,
    },
    /// The learned word cannot be read or does not fit the model.
    WordUnfit {
        /// The word.
        name: String,
    },
    /// The device has too little memory.
    OutOfMemory,
    /// No space is left for the pictures.
    DiskFull,
    /// It was drawn, and its pictures were lost before they could be shown.
    PicturesLost,
    /// The engine took no more tasks in.
    Busy,
    /// Our own fault; the log says more.
    Internal,
    /// Written by an earlier version, as a sentence that may have named files, or by a later one.
    #[serde(other)]
    Untold,
}

impl Failure {
    /// As it stands in a row.
    pub(crate) fn to_text(&self) -> String {
        // Only maps with keys that are no texts cannot be written.
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"kind":"internal"}"#.to_owned())
    }

    /// Reads what stands in a row; everything is read as something.
    pub(crate) fn of_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or(Self::Untold)
    }
}

#[cfg(test)]
mod tests {
    use super::Failure::{self, *};

    #[test]
    fn every_failure_is_read_as_it_was_written() {
        let name = || "my style".to_owned();
        for failure in [
            SourceGone,
            StatesGone,
            Invalid { refusal: serde_json::json!({ "Steps": { "found": 200, "max": 100 } }) },
            NotANumber { picture: 1, step: 7 },
            OutOfAttempts { attempts: 3 },
            ModelGone { name: name() },
            ModelUnfit { name: name() },
            AdapterGone { name: name() },
            AdapterUnfit { name: name(), made_for: None },
            AdapterUnfit { name: name(), made_for: Some("Stable Diffusion XL".into()) },
            WordUnfit { name: name() },
            OutOfMemory,
            DiskFull,
            PicturesLost,
            Busy,
            Internal,
            Untold,
        ] {
            assert_eq!(Failure::of_text(&failure.to_text()), failure);
        }
    }

    #[test]
    fn what_is_not_known_is_untold_and_its_words_are_not_kept() {
        for text in [
            "",
            "Drawing failed: /srv/my style.safetensors: module `x` has no `y`.",
            "7",
            "[]",
            "{}",
            r#"{"kind":"of_tomorrow","path":"/srv"}"#,
            r#"{"kind":"model_gone"}"#,
            r#"{"kind":"not_a_number","picture":-1,"step":0}"#,
        ] {
            assert_eq!(Failure::of_text(text), Untold, "{text}");
        }
    }
}
