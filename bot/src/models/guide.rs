//! What people are told of the built-in model: what it draws well, and which words it knows.

use std::path::{Path, PathBuf};

use anyhow::Context;
use inference::{
    catalogue::Catalogue,
    task::{Note, Task},
};
use serde::Deserialize;

use super::{is_starter, starter, vocabulary::Vocabulary};

/// Examples that a sentence names.
const N_TOLD: usize = 4;

/// What people are told of the built-in model, from the files beside its weights.
#[derive(Clone, Debug, Default)]
pub struct Guide {
    /// Prompts that it draws well, those that show most of it first.
    pub examples: Vec<Example>,
    /// The words that it was taught.
    pub vocabulary: Vocabulary,
    /// What tasks call it; `None` is a task that names no model.
    names: Vec<Option<String>>,
    /// Words that were taught to it since.
    learned: Vec<String>,
}

/// A prompt that the built-in model draws well.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The prompt.
    pub prompt: String,
    /// A ready-made picture of it.
    #[serde(default)]
    pub picture: Option<Picture>,
}

/// A picture that was drawn with the usual settings and enlarged by the super-resolution network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// What it was drawn from.
    pub seed: u64,
    /// A JPEG file; beside `examples.json` as it stands in there.
    pub file: PathBuf,
}

impl Guide {
    /// Reads the built-in model's guide.
    ///
    /// # Errors
    /// A file is missing or is not what it should be.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("cannot read {}", folder.join(name).display()));
        let mut examples: Vec<Example> = serde_json::from_slice(&read("examples.json")?).context("examples.json")?;
        for picture in examples.iter_mut().filter_map(|example| example.picture.as_mut()) {
            picture.file = folder.join(&picture.file);
        }
        let vocabulary = Vocabulary::read(&read("words.json")?).context("words.json")?;
        Ok(Self { examples, vocabulary, ..Self::default() })
    }

    /// The guide for a program that draws with these models, if the built-in one is among them.
    pub fn of(catalogue: &Catalogue) -> Option<Self> {
        let is_built_in: Vec<bool> = catalogue.models().iter().map(|card| is_starter(&card.path)).collect();
        let named = catalogue.models().iter().zip(&is_built_in).filter(|(_, is)| **is).map(|(card, _)| Some(card.name.clone()));
        let names: Vec<_> = is_built_in.first().filter(|is| **is).map(|_| None).into_iter().chain(named).collect();
        if names.is_empty() {
            return None;
        }
        let read = starter().and_then(|starter| Self::read(&starter.guide));
        let told = read.inspect_err(|error| tracing::warn!(error = format!("{error:#}"), "nothing is said of the built-in model"));
        let learned = catalogue.embeddings().iter().map(|card| card.name.to_lowercase()).collect();
        told.ok().map(|guide| Self { names, learned, ..guide })
    }

    /// Whether it is about the model that draws where nobody names one.
    pub fn is_of_the_usual(&self) -> bool {
        self.names.contains(&None)
    }

    /// The examples that a sentence names.
    pub fn told(&self) -> Vec<String> {
        self.examples.iter().take(N_TOLD).map(|example| example.prompt.clone()).collect()
    }

    /// What to say under the pictures of a task whose prompt has words that the built-in model does not know. An adapter may know more.
    pub fn note(&self, task: &Task) -> Option<Note> {
        let base = task.base().filter(|base| self.names.contains(&base.model) && base.all_adapters().is_empty())?;
        let mut words = self.vocabulary.unknown(&base.prompt);
        words.retain(|word| !self.learned.contains(&word.to_lowercase()));
        if words.is_empty() {
            return None;
        }
        Some(Note::WordsNotKnown { words, n_things: self.vocabulary.n_things, such_as: self.told() })
    }
}

#[cfg(test)]
mod tests {
    use inference::task::{AdapterUse, TextToImage};

    use serde_json::json;

    use super::*;
    use crate::models::test_catalogue;

    fn guide() -> Guide {
        let catalogue = test_catalogue(|json| {
            let mut other = json["models"][0].clone();
            (other["name"], other["path"]) = (json!("other"), json!("/models/other.safetensors"));
            json["models"].as_array_mut().expect("a list").push(other);
            json["embeddings"] = json!([{ "name": "Zorb", "path": "zorb.safetensors", "version": [], "widths": [8], "n_vectors": 1 }]);
        });
        Guide::of(&catalogue).expect("it is the built-in model")
    }

    fn task(prompt: &str) -> TextToImage {
        TextToImage { prompt: prompt.into(), ..TextToImage::default() }
    }

    #[test]
    fn unknown_words_are_noted_for_the_built_in_model_alone() {
        let guide = guide();
        let words = |task: TextToImage| match guide.note(&Task::from(task))? {
            Note::WordsNotKnown { words, n_things: 115, such_as } if such_as == guide.told() => Some(words),
            other => panic!("{other:?}"),
        };
        let boss = || task("a portrait of my boss");
        let told = Some(vec!["portrait".to_owned(), "boss".to_owned()]);
        assert_eq!(words(boss()), told);
        assert_eq!(words(TextToImage { model: Some("starter".into()), ..boss() }), told);
        assert_eq!(words(TextToImage { model: Some("other".into()), ..boss() }), None);
        assert_eq!(words(TextToImage { adapters: vec![AdapterUse::new("ink", 1.0)], ..boss() }), None, "an adapter may know them");
        assert_eq!(words(task("a boss <lora:boss:0.8>")), None);
        assert_eq!(words(TextToImage { negative_prompt: Some("blurry".into()), ..task("a frog") }), None);
        assert_eq!(words(task("a zorb frog")), None, "an embedding's word");
        assert!(Guide::of(&test_catalogue(|json| json["models"][0]["path"] = json!("/models/other.safetensors"))).is_none());
    }

    #[test]
    fn a_guide_is_of_the_usual_model_where_that_one_is_built_in() {
        let starter = || test_catalogue(|_| {});
        let path = |place: usize| move |json: &mut serde_json::Value| json["models"][place]["path"] = json!("/models/other.safetensors");
        let two = |place: usize| {
            test_catalogue(|json| {
                let mut other = json["models"][0].clone();
                other["name"] = json!("other");
                json["models"].as_array_mut().expect("a list").push(other);
                path(place)(json);
            })
        };
        let is_of_the_usual = |catalogue: Catalogue| Guide::of(&catalogue).map(|guide| guide.is_of_the_usual());
        assert_eq!(is_of_the_usual(starter()), Some(true));
        assert_eq!(is_of_the_usual(two(1)), Some(true));
        assert_eq!(is_of_the_usual(two(0)), Some(false));
        assert_eq!(is_of_the_usual(test_catalogue(path(0))), None);
    }

    #[test]
    fn examples_are_known_words_and_their_pictures_are_there() {
        let Guide { examples, vocabulary, .. } = guide();
        let prompts: std::collections::HashSet<_> = examples.iter().map(|example| &example.prompt).collect();
        assert!(examples.len() >= 10 && prompts.len() == examples.len(), "{examples:?}");
        for Example { prompt, .. } in &examples {
            assert!(vocabulary.unknown(prompt).is_empty(), "{prompt}");
        }
        let pictures: Vec<_> = examples.iter().filter_map(|example| example.picture.as_ref()).collect();
        assert!((4..=8).contains(&pictures.len()));
        let bytes: u64 = pictures.iter().map(|picture| std::fs::metadata(&picture.file).expect("a file").len()).sum();
        assert!(bytes < 200_000, "{bytes}");
    }
}
