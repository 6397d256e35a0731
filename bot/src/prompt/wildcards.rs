//! Words from lists: `a __colour__ frog`.

use std::{collections::BTreeMap, sync::Arc};

use super::ranked;

/// Wildcards in what wildcards gave, at most so often.
const MAX_DEPTH: usize = 8;
/// Words that one prompt takes from lists, at most.
const MAX_WORDS: usize = 100;
const MARK: &str = "__";

/// Lists of words by their names. Cheap to clone; without lists nothing is a wildcard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wildcards(Arc<BTreeMap<String, Vec<String>>>);

/// What is wrong with a wildcard. `shown` is what was written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WildcardError {
    /// Not a list of words.
    #[error("`{shown}`: there is no such list of words; the nearest is `{near}`.")]
    Unknown {
        /// What was written.
        shown: String,
        /// The one that is most like it.
        near: String,
    },
    /// Lists of words that name each other.
    #[error("`{shown}`: these lists of words name each other without an end, or far too often.")]
    Endless {
        /// The last one.
        shown: String,
    },
}

impl From<BTreeMap<String, Vec<String>>> for Wildcards {
    fn from(lists: BTreeMap<String, Vec<String>>) -> Self {
        Self(Arc::new(lists.into_iter().filter(|(_, words)| !words.is_empty()).map(|(name, words)| (name.to_lowercase(), words)).collect()))
    }
}

impl Wildcards {
    /// The prompt with a line of its list in place of each `__name__`, chosen by the seed: the n-th of a prompt is the same for the same seed and lists.
    ///
    /// # Errors
    /// There is no such list; lists that name each other without an end.
    pub fn chosen(&self, prompt: &str, seed: u64) -> Result<String, WildcardError> {
        if self.0.is_empty() {
            return Ok(prompt.to_owned());
        }
        let mut choices = Choices { lists: self, seed, n: 0 };
        choices.fill(prompt, 0)
    }

    fn of(&self, name: &str) -> Result<&[String], WildcardError> {
        self.0.get(&name.to_lowercase()).map(Vec::as_slice).ok_or_else(|| {
            let near =
                ranked(self.0.keys().map(String::as_str), name).first().map(|near| format!("{MARK}{near}{MARK}")).unwrap_or_default();
            WildcardError::Unknown { shown: format!("{MARK}{name}{MARK}"), near }
        })
    }
}

struct Choices<'a> {
    lists: &'a Wildcards,
    seed: u64,
    n: usize,
}

impl Choices<'_> {
    fn fill(&mut self, text: &str, depth: usize) -> Result<String, WildcardError> {
        let (mut filled, mut rest, mut before) = (String::new(), text, None);
        while let Some((words, name, after)) = next(rest, before) {
            filled.push_str(words);
            let list = self.lists.of(name)?;
            self.n += 1;
            if depth == MAX_DEPTH || self.n > MAX_WORDS {
                return Err(WildcardError::Endless { shown: format!("{MARK}{name}{MARK}") });
            }
            let place = mixed(self.seed, self.n as u64) % list.len() as u64;
            filled.push_str(&self.fill(&list[place as usize], depth + 1)?);
            (rest, before) = (after, Some('_'));
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// The text before the next wildcard, its name, and the text behind it. `snake__case__name` has none: marks stand apart from words.
fn next(text: &str, before: Option<char>) -> Option<(&str, &str, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_name = |name: &str| {
        let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.');
        name.starts_with(char::is_alphanumeric) && name.ends_with(char::is_alphanumeric) && name.chars().all(is_inside)
    };
    let mut from = 0;
    while let Some(start) = text[from..].find(MARK).map(|place| from + place) {
        let first = start + MARK.len();
        let end = first + text[first..].find(MARK)?;
        let after = &text[end + MARK.len()..];
        let is_apart = !text[..start].chars().next_back().or(before).is_some_and(is_word) && !after.starts_with(is_word);
        if is_apart && is_name(&text[first..end]) {
            return Some((&text[..start], &text[first..end], after));
        }
        from = start + 1;
    }
    None
}

/// A number that follows from a seed and a count (splitmix64).
pub(super) fn mixed(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wildcards() -> Wildcards {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let lists = [
            ("colour", list(&["red", "green", "blue"])),
            ("animals/small", list(&["__colour__ frog", "mouse"])),
            ("loop", list(&["a __loop__"])),
            ("empty", list(&[])),
        ];
        BTreeMap::from(lists.map(|(name, words)| (name.to_owned(), words))).into()
    }

    #[test]
    fn words_are_chosen_by_the_seed() {
        let chosen = |prompt: &str, seed| wildcards().chosen(prompt, seed).expect(prompt);
        let all: std::collections::BTreeSet<_> = (0..50).map(|seed| chosen("a __colour__ frog", seed)).collect();
        assert_eq!(all.into_iter().collect::<Vec<_>>(), ["a blue frog", "a green frog", "a red frog"]);
        for seed in 0..20 {
            assert_eq!(chosen("__Colour__, __colour__", seed), chosen("__colour__, __colour__", seed));
            let both = chosen("__animals/small__", seed);
            assert!(both == "mouse" || both.ends_with(" frog") && !both.contains('_'), "{both}");
        }
        let two = |seed| chosen("__colour__ __colour__", seed);
        assert!((0..20).any(|seed| two(seed).split(' ').next() != two(seed).split(' ').nth(1)), "each is chosen for itself");
        for text in ["snake__colour__case", "__colour__s", "____", "__ colour __", "a __colour", "__colour_", "é__colour__"] {
            assert_eq!(chosen(text, 7), text);
        }
        assert_eq!(Wildcards::default().chosen("a __colour__ frog", 7).expect("text"), "a __colour__ frog");
    }

    #[test]
    fn unknown_names_and_circles_are_refused() {
        let error = |prompt: &str| wildcards().chosen(prompt, 7).expect_err(prompt).to_string();
        assert_eq!(error("a __color__ frog"), "`__color__`: there is no such list of words; the nearest is `__colour__`.");
        assert_eq!(error("a __empty__ frog"), "`__empty__`: there is no such list of words; the nearest is `__loop__`.");
        assert_eq!(error("__loop__"), "`__loop__`: these lists of words name each other without an end, or far too often.");
        assert_eq!(
            error(&"__colour__ ".repeat(101)),
            "`__colour__`: these lists of words name each other without an end, or far too often."
        );
    }
}
