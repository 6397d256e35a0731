//! The words that the built-in model was taught.

use std::collections::HashSet;

use inference::text::Prompt;
use serde::Deserialize;

/// The words that the built-in model was taught, as its file `words.json` lists them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// How many things it was taught to draw.
    pub n_things: usize,
    /// Names of these things, several for some.
    things: Vec<String>,
    /// Things that come out well although they were seen less often.
    also: Vec<String>,
    /// Backgrounds, colours, numbers, and the little words between them.
    words: Vec<String>,
    /// Little words that it was not taught, and that change nothing.
    without_effect: Vec<String>,
    /// Every form of all these.
    #[serde(skip)]
    forms: HashSet<String>,
    /// Every form of the things alone.
    #[serde(skip)]
    thing_forms: HashSet<String>,
}

impl Vocabulary {
    /// Reads `words.json`.
    ///
    /// # Errors
    /// It is not JSON of this form.
    pub fn read(json: &[u8]) -> serde_json::Result<Self> {
        let mut read: Self = serde_json::from_slice(json)?;
        read.thing_forms = all_forms(&[&read.things, &read.also]);
        read.forms = all_forms(&[&read.things, &read.also, &read.words, &read.without_effect]);
        Ok(read)
    }

    /// The words of a prompt that are not among them, as they were typed and each once.
    pub fn unknown(&self, prompt: &str) -> Vec<String> {
        let text = without_tags(&Prompt::parse(prompt).text());
        let mut unknown: Vec<String> = Vec::new();
        // Beside the name of a thing a picture sign is an ornament.
        let names_a_thing = words_of(&text).any(|word| forms(&word.to_lowercase()).iter().any(|form| self.thing_forms.contains(form)));
        let is_ornament = |word: &str| names_a_thing && word.starts_with(is_sign);
        for word in words_of(&text).filter(|word| !self.knows(word) && !is_ornament(word)) {
            if !unknown.iter().any(|told| told.to_lowercase() == word.to_lowercase()) {
                unknown.push(word.to_owned());
            }
        }
        unknown
    }

    fn knows(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let is_letter_or_number = word.parse::<f64>().is_ok() || word.len() == 1;
        let has = |word: &str| forms(word).iter().any(|form| self.forms.contains(form));
        is_letter_or_number || has(&word) || word.contains('-') && word.split('-').all(|part| part.len() < 2 || has(part))
    }
}

/// Every form of every word in some lists.
fn all_forms(lists: &[&Vec<String>]) -> HashSet<String> {
    lists.iter().copied().flatten().flat_map(|name| words_of(name)).flat_map(|word| forms(&word.to_lowercase())).collect()
}

/// A word, and what it may be the plural or genitive of. Not every form is a word; two words are the same when they share one.
fn forms(word: &str) -> Vec<String> {
    let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word).trim_end_matches(['\'', '’']);
    let mut forms = vec![word.to_owned()];
    for (ending, singular) in [("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man")] {
        let stem = word.strip_suffix(ending).filter(|stem| stem.len() + singular.len() > 1);
        forms.extend(stem.map(|stem| format!("{stem}{singular}")));
    }
    forms
}

/// Whether a character is a small picture.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}')
}

/// The words of a text; a picture sign is one.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '\'' | '’') || matches!(c, '\u{300}'..='\u{36f}');
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_' && !is_sign(c));
        let first = rest.chars().next()?;
        let end = if is_sign(first) { first.len_utf8() } else { rest.find(|c| !is_inside(c)).unwrap_or(rest.len()) };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word.trim_end_matches(['-', '\'', '’']))
    })
}

/// The text less every `<name:…>`, which is not meant as words.
fn without_tags(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        match after.split_once('>').filter(|(inside, _)| inside.contains(':')) {
            Some((_, behind)) => rest = behind,
            None => rest = after,
        }
        kept.push(' ');
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Vocabulary {
        let starter = crate::models::starter().expect("the source tree has it");
        Vocabulary::read(&std::fs::read(starter.guide.join("words.json")).expect("a file")).expect("words")
    }

    #[test]
    fn what_was_taught_is_known_in_every_form() {
        let words = shipped();
        for prompt in [
            "",
            "a frog",
            "A FROG",
            "frogs",
            "three cherries",
            "a cherry",
            "a red apple on a blue background",
            "two penguins on grass",
            "a frog on a mushroom in the forest",
            "a castle on a cloud at sunset, digital art",
            "four butterflies, 3d render",
            "foxes and puppies beside a bus",
            "some buses at night",
            "a cat's birthday cake",
            "a jack-o-lantern",
            "a t-rex with a top hat, high quality",
            "(a dragon:1.3) [in the mountains] BREAK under a rainbow",
            "a frog <lora:ink:0.8> <hypernet:boss:1>",
            "my dog's house, please!",
            "a 🐸 frog",
            "🌈 a rainbow 🌈",
            "a 3d picture of 4 knives on a dark green to gold gradient",
            "ladybirds on a ladybug",
            "an orange_background",
        ] {
            let expected: &[&str] = if prompt.contains('_') { &["orange_background"] } else { &[] };
            assert_eq!(words.unknown(prompt), expected, "{prompt:?}");
        }
    }

    #[test]
    fn what_was_not_taught_is_told_as_typed_and_once() {
        for (prompt, expected) in [
            ("ein Frosch", &["ein", "Frosch"][..]),
            ("a portrait of my boss", &["portrait", "boss"]),
            ("Einstein and einstein, EINSTEIN", &["Einstein"]),
            ("a forg on grass", &["forg"]),
            ("une grenouille à l'étang", &["une", "grenouille", "à", "l'étang"]),
            ("青蛙 on grass", &["青蛙"]),
            ("🐸 on 🍄", &["🐸", "🍄"]),
            ("a lighthouse-keeper at night", &["lighthouse-keeper"]),
            ("(cyberpunk:1.2) cat", &["cyberpunk"]),
            ("a cafe\u{301}", &["cafe\u{301}"]),
        ] {
            assert_eq!(shipped().unknown(prompt), expected, "{prompt:?}");
        }
    }

    #[test]
    fn any_text_is_taken_apart() {
        for text in ["<", "<a", "<<a:b>>", "''", "-", "'s", "s", "es", "ves", "\u{300}", "<a:b", "’s’", "🐸🐸"] {
            shipped().unknown(text);
            assert!(words_of(text).all(|word| text.contains(word)));
        }
    }
}
