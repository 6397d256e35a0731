//! What the person who asked should know of pictures that were drawn all the same.

use inference::{
    task::{Note, Setting},
    text::Unread,
};

use super::words::shorten;
use crate::system::printable::printable;

/// Most characters of the line under a picture.
const MAX_LINE: usize = 280;
/// Places of a prompt that are named.
const MAX_PLACES: usize = 4;

/// The line under a picture; empty without notes.
pub(super) fn line(notes: &[Note]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    // What is cut off within code must not leave its mark open.
    let mut line = shorten(&sentences(notes).join(" "), MAX_LINE);
    if line.matches('`').count() % 2 == 1 {
        line.push('`');
    }
    format!("\n-# ⚠ {line}")
}

/// A sentence for each thing to know.
pub fn sentences(notes: &[Note]) -> Vec<String> {
    let mut sentences: Vec<String> = notes.iter().filter_map(sentence).collect();
    let foreign = notes.iter().filter_map(|note| match note {
        Note::ForeignParameter { name } => Some(name.as_str()),
        _ => None,
    });
    sentences.extend(left_out(&foreign.collect::<Vec<_>>()));
    let places = |of: bool| {
        let places = notes.iter().filter_map(move |note| match note {
            Note::NoMeaning { words, is_negative, .. } if *is_negative == of => Some(words.as_str()),
            _ => None,
        });
        places.collect::<Vec<_>>()
    };
    for (places, prompt) in [(places(false), "prompt"), (places(true), "negative prompt")] {
        if !places.is_empty() {
            sentences.push(format!("Without a meaning here and drawn as words in the {prompt}: {}.", listed(&places)));
        }
    }
    if notes.iter().any(|note| matches!(note, Note::NoMeaning { syntax: Unread::Weight, .. })) {
        sentences.push("Weights are written `(frog:1.3)` here.".to_owned());
    }
    sentences
}

/// What is said of parameters that were left out.
fn left_out(names: &[&str]) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(format!("{} has no meaning here.", code(name))),
        [names @ .., last] if names.len() <= MAX_PLACES => Some(format!("{} and {} have no meaning here.", listed(names), code(last))),
        names => Some(format!("{} have no meaning here.", listed(names))),
    }
}

fn sentence(note: &Note) -> Option<String> {
    match note {
        Note::AdapterInPart { name, n_applied, n_modules, n_unused } if n_applied == n_modules => Some(format!(
            "LoRA {}: all of its {n_modules} parts fit this model, but {n_unused} other things in its file did nothing.",
            code(name)
        )),
        Note::AdapterInPart { name, n_applied, n_modules, .. } => {
            Some(format!("LoRA {}: only {n_applied} of its {n_modules} parts fit this model; the others did nothing.", code(name)))
        }
        Note::WordNotLearned { word } => {
            Some(format!("The embedding {} was made for another model; it was drawn as an ordinary word.", code(word)))
        }
        Note::ChoiceGone { name } => {
            Some(format!("{} was chosen with /settings, /model or /lora and is not there any more; this was drawn without it.", code(name)))
        }
        Note::SettingUnread { setting } => Some(unread(*setting).to_owned()),
        Note::PromptCut { n_tokens, n_read, is_negative } => {
            let prompt = if *is_negative { "negative prompt" } else { "prompt" };
            Some(format!("This model reads the first {n_read} tokens of a {prompt}; this one has {n_tokens}, and its end was left out."))
        }
        Note::WordsNotKnown { words, n_things, such_as } => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let such_as = such_as.join(", ");
            Some(format!(
                "The built-in model knows English words of about {n_things} things: {such_as} and others, but not {}.",
                listed(&words)
            ))
        }
        // Told together.
        Note::ForeignParameter { .. } | Note::NoMeaning { .. } => None,
    }
}

/// What is said of a setting that a model makes nothing of.
fn unread(setting: Setting) -> &'static str {
    match setting {
        Setting::ClipSkip => "`--clip-skip` changes nothing with this model.",
        Setting::NegativePrompt => "A negative prompt changes nothing with this model.",
        Setting::GuidanceRescale => "`--rescale` changes nothing with this model.",
        Setting::GuidanceInterval => "Guidance in a part of the steps is guidance in all of them with this model.",
        Setting::Weights => "Weights such as `(frog:1.3)` are letters to this model: it reads the prompt as it stands.",
        Setting::Break => "`BREAK` is a word to this model: it reads the prompt as it stands.",
        Setting::Parts => "Parts with weights such as `frog::2` are words to this model: it reads the prompt as it stands.",
        Setting::Chaos => "`--chaos` changes nothing with this model.",
        Setting::Weird => "`--weird` changes nothing with this model.",
        Setting::Seamless => "This model's pictures have a seam where they are laid side by side.",
    }
}

fn listed(places: &[&str]) -> String {
    let named: Vec<String> = places.iter().take(MAX_PLACES).map(|words| code(words)).collect();
    match places.len().saturating_sub(MAX_PLACES) {
        0 => named.join(", "),
        n => format!("{} and {n} more", named.join(", ")),
    }
}

/// Words as code, in which nothing acts as markdown and nobody is pinged.
fn code(words: &str) -> String {
    let plain = printable(words).replace('`', "'");
    format!("`{}`", shorten(&plain, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_meaning(words: &str, is_negative: bool) -> Note {
        Note::NoMeaning { syntax: Unread::Schedule, words: words.into(), is_negative }
    }

    fn not_known(words: &[&str]) -> Note {
        let such_as = vec!["a frog".into(), "two penguins on grass".into()];
        Note::WordsNotKnown { words: words.iter().map(|word| (*word).to_owned()).collect(), n_things: 115, such_as }
    }

    #[test]
    fn notes_are_one_line_of_sentences() {
        let ink = |n_applied| Note::AdapterInPart { name: "ink".into(), n_applied, n_modules: 32, n_unused: 16 };
        for (notes, expected) in [
            (vec![], ""),
            (vec![ink(16)], "\n-# ⚠ LoRA `ink`: only 16 of its 32 parts fit this model; the others did nothing."),
            (vec![ink(32)], "\n-# ⚠ LoRA `ink`: all of its 32 parts fit this model, but 16 other things in its file did nothing."),
            (
                vec![Note::WordNotLearned { word: "bad_hands".into() }],
                "\n-# ⚠ The embedding `bad_hands` was made for another model; it was drawn as an ordinary word.",
            ),
            (
                vec![Note::SettingUnread { setting: Setting::ClipSkip }, Note::PromptCut { n_tokens: 530, n_read: 512, is_negative: true }],
                "\n-# ⚠ `--clip-skip` changes nothing with this model. \
                 This model reads the first 512 tokens of a negative prompt; this one has 530, and its end was left out.",
            ),
            (
                vec![not_known(&["ein", "Frosch"])],
                "\n-# ⚠ The built-in model knows English words of about 115 things: a frog, two penguins on grass and others, but not `ein`, `Frosch`.",
            ),
            (
                vec![no_meaning("[a:b:0.5]", false), no_meaning("AND", false), no_meaning("[c|d]", true)],
                "\n-# ⚠ Without a meaning here and drawn as words in the prompt: `[a:b:0.5]`, `AND`. \
                 Without a meaning here and drawn as words in the negative prompt: `[c|d]`.",
            ),
        ] {
            assert_eq!(line(&notes), expected);
        }
        let foreign = |names: &[&str]| names.iter().map(|name| Note::ForeignParameter { name: (*name).into() }).collect::<Vec<_>>();
        for (names, expected) in [
            (&["--v"][..], "\n-# ⚠ `--v` has no meaning here."),
            (&["--v", "--s"], "\n-# ⚠ `--v` and `--s` have no meaning here."),
            (&["--v", "--s", "--q", "--sw"], "\n-# ⚠ `--v`, `--s`, `--q` and `--sw` have no meaning here."),
            (&["--v", "--s", "--q", "--c", "--w"], "\n-# ⚠ `--v`, `--s`, `--q`, `--c` and `--w` have no meaning here."),
            (&["--v", "--s", "--q", "--c", "--w", "--iw"], "\n-# ⚠ `--v`, `--s`, `--q`, `--c` and 2 more have no meaning here."),
        ] {
            assert_eq!(line(&foreign(names)), expected);
        }
        let weight = Note::NoMeaning { syntax: Unread::Weight, words: "frog::2".into(), is_negative: false };
        assert_eq!(
            line(&[weight]),
            "\n-# ⚠ Without a meaning here and drawn as words in the prompt: `frog::2`. Weights are written `(frog:1.3)` here."
        );
        let many: Vec<_> = (0..6).map(|i| no_meaning(&format!("[{i}|]"), false)).collect();
        assert!(line(&many).ends_with("`[0|]`, `[1|]`, `[2|]`, `[3|]` and 2 more."));
    }

    #[test]
    fn the_line_is_short_and_says_nothing_but_words() {
        for words in ["[<@1> @everyone **x**:0.5]", "`[a:0.5]", "[``a\n-# b:0.5]", "[\u{202e}a:0.5]", "[https://example.org/x:y:5]"] {
            let notes = vec![no_meaning(words, false); 30];
            let line = line(&notes);
            assert!(line.chars().count() <= MAX_LINE + 10 && line.trim_start_matches('\n').lines().count() == 1, "{line}");
            let outside: String = line.split('`').step_by(2).collect();
            assert!(!outside.contains(['@', '*', '[', '<', '\u{202e}']) && line.matches('`').count().is_multiple_of(2), "{line}");
        }
        let words = line(&[not_known(&["@everyone`", "**x**", "[a](https://example.org)", "\u{202e}", "e"])]);
        let outside: String = words.split('`').step_by(2).collect();
        assert!(words.ends_with("` and 1 more.") && !outside.contains(['@', '*', '[', '\u{202e}']), "{words}");
        let long: Vec<_> = (0..40)
            .map(|i| Note::AdapterInPart { name: format!("{i}{}", "`x".repeat(500)), n_applied: 1, n_modules: 2, n_unused: 1 })
            .collect();
        let line = line(&long);
        assert!(line.chars().count() <= MAX_LINE + 10 && line.matches('`').count().is_multiple_of(2), "{line}");
    }
}
