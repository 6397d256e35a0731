//! Where learned words stand in a text.

use candle_core::Tensor;

/// The learned words of one encoder.
#[derive(Default)]
pub struct LearnedWords {
    /// Longest name first, so that `hand-5` is not taken for `hand`.
    words: Vec<LearnedWord>,
}

struct LearnedWord {
    name: Name,
    vectors: Tensor,
}

/// A word in lower case.
#[derive(PartialEq, Eq)]
struct Name(Vec<char>);

/// Whether a text has a word where a learned word of that name would be found.
pub fn mentions(text: &str, name: &str) -> bool {
    let (name, mut before) = (Name::of(name), None);
    !name.0.is_empty() && text.char_indices().any(|(place, character)| name.length_in(&text[place..], before.replace(character)).is_some())
}

/// A stretch of text, or a learned word's vectors `[n, width]`.
#[derive(Debug)]
pub enum Unit<'a> {
    /// Text to be split into tokens.
    Text(&'a str),
    /// A learned word.
    Vectors(&'a Tensor),
}

impl LearnedWords {
    /// Adds a word; an older one of the same name is forgotten.
    pub fn add(&mut self, name: &str, vectors: &Tensor) {
        let name = Name::of(name);
        if name.0.is_empty() {
            return; // It would be found everywhere.
        }
        self.words.retain(|word| word.name != name);
        self.words.push(LearnedWord { name, vectors: vectors.clone() });
        self.words.sort_by_key(|word| std::cmp::Reverse(word.name.0.len()));
    }

    /// A text's parts. Names are found capital or not, and not inside a longer word.
    pub fn split<'a>(&'a self, text: &'a str) -> Vec<Unit<'a>> {
        let mut units = Vec::new();
        let (mut done, mut place, mut before) = (0, 0, None);
        while let Some(character) = text[place..].chars().next() {
            if let Some((n, word)) = self.at_start(&text[place..], before) {
                units.extend((done < place).then(|| Unit::Text(&text[done..place])));
                units.push(Unit::Vectors(&word.vectors));
                before = text[..place + n].chars().next_back();
                place += n;
                done = place;
            } else {
                before = Some(character);
                place += character.len_utf8();
            }
        }
        units.extend((done < text.len() || units.is_empty()).then(|| Unit::Text(&text[done..])));
        units
    }

    /// The word at the start of a text, with its length there in bytes.
    fn at_start(&self, text: &str, before: Option<char>) -> Option<(usize, &LearnedWord)> {
        self.words.iter().find_map(|word| Some((word.name.length_in(text, before)?, word)))
    }
}

impl Name {
    fn of(name: &str) -> Self {
        Self(name.chars().flat_map(char::to_lowercase).collect())
    }

    /// Its length in bytes at the start of a text, after this character.
    fn length_in(&self, text: &str, before: Option<char>) -> Option<usize> {
        let is_inside = |left: Option<char>, right: Option<char>| is_word(left) && is_word(right);
        if is_inside(before, self.0.first().copied()) {
            return None;
        }
        let mut left = self.0.as_slice();
        for (place, character) in text.char_indices() {
            if left.is_empty() {
                return (!is_inside(self.0.last().copied(), Some(character))).then_some(place);
            }
            for lower in character.to_lowercase() {
                left = left.strip_prefix(&[lower])?;
            }
        }
        left.is_empty().then_some(text.len())
    }
}

fn is_word(character: Option<char>) -> bool {
    character.is_some_and(|character| character.is_alphanumeric() || character == '_')
}
