//! Pictures that are laid over each other, and what their files say they were drawn from.

use std::io::Cursor;

use super::{Address, Intake, Kept, NotTaken, TakeError};
use crate::{
    pictures::{
        self, Brought,
        metadata::{self, Found, parameters},
    },
    prompt,
};

impl Intake {
    /// Fetches pictures, lays them over each other and keeps what comes of it.
    pub(super) async fn blend(&self, addresses: impl Iterator<Item = &Address>) -> Result<Kept, TakeError> {
        let _turn = self.turn().await?;
        let mut files = Vec::new();
        for address in addresses {
            files.push(self.bytes(address).await?);
        }
        let read = tokio::task::spawn_blocking(move || pictures::blend(&files).map(|brought| (brought, words(&files)))).await;
        let (Brought { png, size }, words) =
            read.map_err(|error| TakeError::Internal(error.into()))?.map_err(|error| NotTaken::of_picture(&error))?;
        let key = self.blobs.put(png.into()).await.map_err(|error| TakeError::Internal(error.into()))?;
        Ok(Kept { init: Some((key, size)), mask: None, words })
    }
}

/// What each file says that it was drawn from, once.
fn words(files: &[Vec<u8>]) -> Vec<String> {
    let mut all = Vec::new();
    for words in files.iter().filter_map(|bytes| told(bytes)) {
        if !all.contains(&words) {
            all.push(words);
        }
    }
    all
}

fn told(bytes: &[u8]) -> Option<String> {
    let prompt = match metadata::read(Cursor::new(bytes)).ok()? {
        Found::Record(record) => record.task.base()?.prompt.clone(),
        Found::Parameters(text) => parameters::read(&text).ok()?.base.prompt,
        Found::Program(_) | Found::Nothing => return None,
    };
    Some(as_words(&prompt)).filter(|words| !words.is_empty())
}

/// A prompt as words that mean nothing else in a line: its parts in a row, without parameters, lists and choices.
fn as_words(prompt: &str) -> String {
    let parts = inference::text::parts(prompt).ok().flatten();
    let parts = parts.map(|parts| parts.into_iter().filter(|part| part.share > 0.0).map(|part| part.text).collect::<Vec<_>>().join(", "));
    let words = prompt::words_before_parameters(parts.as_deref().unwrap_or(prompt));
    words.replace("::", ":").replace("__", "_").replace(['\\', '{', '}'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_is_nothing_but_words() {
        for (prompt, expected) in [
            ("a (red:1.2) frog", "a (red:1.2) frog"),
            ("hot:: dog::2 cat::-0.5", "hot, dog"),
            ("a frog --steps 900", "a frog"),
            ("--steps 900", ""),
            ("a {red, green} __animal__", "a red, green _animal_"),
            (r"std::vec \{a\}", "std:vec a"),
        ] {
            assert_eq!(as_words(prompt), expected, "{prompt}");
        }
    }
}
