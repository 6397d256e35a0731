//! Words and patterns that prompts may not say, looked for as people write them to get past: in other widths, cases and scripts, with signs that
//! nobody sees, with numbers in place of letters.
//!
//! Three forms of a text are searched. *Plain*: compatibility forms composed (NFKC), case folded, without what is not seen. *Mixed*: of words whose
//! letters are of several scripts those that look like Latin ones are taken for them. *Latin*: the same of every word, for blocked words that are
//! Latin throughout; a Cyrillic word that merely looks like a Latin one is no other way to write a Cyrillic word. In each form numbers stand for
//! letters too where a word has more letters than numbers.

use regex::{Regex, RegexBuilder};
use storage::BlockedWord;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// The largest program that a pattern is made into, in bytes.
const MAX_PROGRAM: usize = 1 << 18;
/// The longest word or pattern, in characters.
pub const MAX_LENGTH: usize = 100;
/// Letters that look like these.
const LOOKALIKES: [(char, &str); 26] = [
    ('a', "аαɑ"),
    ('b', "ЬьβƄ"),
    ('c', "сϲ"),
    ('d', "ԁ"),
    ('e', "еεҽ"),
    ('f', "ƒ"),
    ('g', "ɡց"),
    ('h', "һн"),
    ('i', "іιıӏ"),
    ('j', "ј"),
    ('k', "кκ"),
    ('l', "ⅼ"),
    ('m', "м"),
    ('n', "ηп"),
    ('o', "оοσօ"),
    ('p', "рρ"),
    ('q', "ԛ"),
    ('r', "гᴦ"),
    ('s', "ѕ"),
    ('t', "тτ"),
    ('u', "υս"),
    ('v', "νѵ"),
    ('w', "ԝωѡ"),
    ('x', "хχ"),
    ('y', "уγү"),
    ('z', "ᴢ"),
];

/// Numbers and signs that stand for letters; 1 is an `i` or an `l`.
const NUMBERS: [(char, char); 8] = [('0', 'o'), ('3', 'e'), ('4', 'a'), ('5', 's'), ('7', 't'), ('8', 'b'), ('@', 'a'), ('$', 's')];

/// Why a word or a pattern is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadWord {
    /// Nothing is left of it but signs.
    Empty,
    /// It is longer than [`MAX_LENGTH`].
    TooLong,
    /// It is no regular expression, or one that would be too large.
    NoPattern,
}

/// Words that are blocked, ready to be looked for.
#[derive(Debug, Default)]
pub struct Blocklist {
    words: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    word: BlockedWord,
    looked_for: LookedFor,
    /// Whether all of its letters are Latin.
    is_latin: bool,
}

/// What is looked for.
#[derive(Debug)]
enum LookedFor {
    /// Words with a space around each, or without one after them: plainly, and in letters that look Latin.
    Words { plain: String, alike: String },
    /// A pattern.
    Pattern(Regex),
}

impl Blocklist {
    /// Of words that were taken before; others are left out.
    pub fn new(words: &[BlockedWord]) -> Self {
        Self { words: words.iter().filter_map(|word| compile(word).ok()).collect() }
    }

    /// Whether nothing is blocked.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The first word that a prompt says, or that its negative prompt says and may not.
    pub fn find(&self, prompt: &str, negative: &str) -> Option<&BlockedWord> {
        if self.words.is_empty() {
            return None;
        }
        let (prompt, negative) = (Forms::of(prompt), Forms::of(negative));
        let is_said = |found: &&Compiled| found.is_in(&prompt) || (found.word.in_negative && found.is_in(&negative));
        self.words.iter().find(is_said).map(|found| &found.word)
    }
}

impl Compiled {
    fn is_in(&self, forms: &Forms) -> bool {
        let alike = if self.is_latin { &forms.latin } else { &forms.mixed };
        match &self.looked_for {
            LookedFor::Words { plain, alike: looks } => {
                let has = |texts: &[String], words: &str| texts.iter().any(|text| text.contains(words));
                has(&forms.plain, plain) || has(alike, looks)
            }
            LookedFor::Pattern(regex) => forms.plain.iter().chain(alike).any(|text| regex.is_match(text.trim())),
        }
    }
}

/// Whether a word or a pattern can be looked for.
///
/// # Errors
/// Why not.
pub fn check(word: &str) -> Result<(), BadWord> {
    compile(&BlockedWord { word: word.to_owned(), in_negative: false }).map(drop)
}

fn compile(word: &BlockedWord) -> Result<Compiled, BadWord> {
    if word.word.chars().count() > MAX_LENGTH {
        return Err(BadWord::TooLong);
    }
    let plain = plain(&word.word);
    let is_latin = plain.chars().filter(|c| c.is_alphabetic()).all(|c| c.is_ascii());
    let looked_for = match word.word.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        Some("") => return Err(BadWord::Empty),
        Some(pattern) => {
            let regex = RegexBuilder::new(pattern).size_limit(MAX_PROGRAM).dfa_size_limit(MAX_PROGRAM).case_insensitive(true).build();
            LookedFor::Pattern(regex.map_err(|_| BadWord::NoPattern)?)
        }
        None => {
            // A star at the end stands for any letters.
            let (stem, is_open) = plain.trim_end().strip_suffix('*').map_or((plain.as_str(), false), |stem| (stem, true));
            let words = spaced(stem);
            if words.trim().is_empty() {
                return Err(BadWord::Empty);
            }
            let words = if is_open { words.trim_end() } else { &words };
            LookedFor::Words { plain: words.to_owned(), alike: words.chars().map(looks_like).collect() }
        }
    };
    Ok(Compiled { word: word.clone(), looked_for, is_latin })
}

/// The words of a text with a space around each.
fn spaced(text: &str) -> String {
    let words = text.split(|c: char| !(c.is_alphanumeric() || is_mark(c))).filter(|word| !word.is_empty());
    words.fold(" ".to_owned(), |all, word| all + word + " ")
}

/// Signs that stand for letters are of a word too.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '@' | '$' | '!') || is_mark(c)
}

fn is_mark(c: char) -> bool {
    use GeneralCategory::{EnclosingMark, NonspacingMark, SpacingMark};
    matches!(c.general_category(), NonspacingMark | SpacingMark | EnclosingMark)
}

/// A text in all forms in which words are looked for.
struct Forms {
    plain: Vec<String>,
    mixed: Vec<String>,
    latin: Vec<String>,
}

impl Forms {
    fn of(text: &str) -> Self {
        let plain = plain(text);
        let alike = |word: &str| word.chars().map(looks_like).collect::<String>();
        let mixed = by_word(&plain, |word| if is_mixed(word) { alike(word) } else { String::new() });
        let latin = by_word(&plain, alike);
        let all = |text: String| {
            let read = |one: char| spaced(&by_word(&text, |word| without_numbers(word, one)));
            let mut all = vec![read('i'), read('l'), spaced(&text)];
            all.dedup();
            all
        };
        Self { plain: all(plain), mixed: all(mixed), latin: all(latin) }
    }
}

/// Composed, folded, without what is not seen, and without marks that nobody writes on the letters before them.
fn plain(text: &str) -> String {
    let folded = text.nfkc().collect::<String>().to_uppercase().to_lowercase();
    let mut plain = String::with_capacity(folded.len());
    let mut is_after_letter = false;
    for c in folded.nfkc() {
        if is_unseen(c) || (is_mark(c) && is_after_letter) {
            continue;
        }
        is_after_letter = c.is_ascii_alphabetic() || is_greek(c) || is_cyrillic(c);
        plain.push(c);
    }
    plain
}

/// Zero-width signs, those that turn the direction, and others that have no shape.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
        || c.general_category() == GeneralCategory::Format
        || (c.is_control() && !c.is_whitespace())
}

fn is_greek(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}')
}

fn is_cyrillic(c: char) -> bool {
    matches!(c, '\u{400}'..='\u{52f}')
}

/// Whether the letters of a word are of several scripts of those that look alike.
fn is_mixed(word: &str) -> bool {
    let has = |of: fn(char) -> bool| word.chars().any(of);
    let n_scripts = [has(|c| c.is_ascii_alphabetic()), has(is_greek), has(is_cyrillic)].into_iter().filter(|has| *has).count();
    n_scripts > 1
}

fn looks_like(c: char) -> char {
    LOOKALIKES.iter().find(|(_, others)| others.contains(c)).map_or(c, |(latin, _)| *latin)
}

/// A word with letters for its numbers, where it has more letters than numbers; `one` is what 1 stands for.
fn without_numbers(word: &str, one: char) -> String {
    let n_letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let read =
        |c: char| if c == '1' || c == '!' { one } else { NUMBERS.iter().find(|(number, _)| *number == c).map_or(c, |(_, letter)| *letter) };
    let n_read = word.chars().filter(|c| read(*c) != *c).count();
    if n_read == 0 || n_letters < n_read { word.to_owned() } else { word.chars().map(read).collect() }
}

/// Changes each word of a text, and leaves what is between them.
fn by_word(text: &str, change: impl Fn(&str) -> String) -> String {
    let mut changed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_word = is_of_word(c);
        let end = rest.find(|c: char| is_of_word(c) != is_word).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        if is_word {
            changed.push_str(&change(piece))
        } else {
            changed.push_str(piece)
        }
        rest = after;
    }
    changed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(word: &str, text: &str) -> bool {
        Blocklist::new(&[BlockedWord { word: word.to_owned(), in_negative: false }]).find(text, "").is_some()
    }

    #[test]
    fn a_word_is_found_however_it_is_written() {
        for text in [
            "gore",
            "a GORE picture",
            "some (gore), please",
            "gore_and_more",
            "ｇｏｒｅ",
            "𝓰𝓸𝓻𝓮",
            "g\u{200b}o\u{200d}r\u{2060}e",
            "\u{202e}gore\u{202c}",
            "g\u{ad}ore",
            "gоre",
            "gοrе",
            "g0re",
            "g0r3",
            "go\u{336}r\u{336}e\u{336}",
            "ⓖⓞⓡⓔ",
        ] {
            assert!(blocks("gore", text), "{text:?}");
        }
        for text in ["gorey", "category", "g o r e", "60re", "gor", "igore", "görе"] {
            assert!(!blocks("gore", text), "{text:?}");
        }
        for (word, text) in [
            ("GÖRE", "göre"),
            ("straße", "STRASSE"),
            ("blood bath", "a Blood-Bath of"),
            ("gore*", "goreyest"),
            ("кровь", "КРОВЬ"),
            ("кровь", "кpовь"),
            ("skill", "sk1ll"),
            ("kiss", "k1ss"),
            ("流血", "很 流血 很"),
            ("/gor+e?/", "a gorrrre"),
        ] {
            assert!(blocks(word, text), "{word} in {text}");
        }
        for (word, text) in
            [("рот", "a pot"), ("pot", "а 907"), ("ass", "455"), ("ass", "class"), ("blood bath", "bloodbath"), ("tit", "title 7 1 7")]
        {
            assert!(!blocks(word, text), "{word} in {text}");
        }
    }

    #[test]
    fn negative_prompts_are_looked_at_where_the_word_says_so() {
        let word = |in_negative| Blocklist::new(&[BlockedWord { word: "gore".into(), in_negative }]);
        assert_eq!(word(false).find("a frog", "gore"), None);
        assert!(word(true).find("a frog", "gore").is_some() && word(true).find("gore", "").is_some());
        assert!(Blocklist::new(&[]).is_empty());
    }

    #[test]
    fn what_cannot_be_looked_for_is_not_taken() {
        for (word, expected) in [
            ("gore", Ok(())),
            ("/go+re/", Ok(())),
            ("", Err(BadWord::Empty)),
            (" \u{200b}-* ", Err(BadWord::Empty)),
            ("//", Err(BadWord::Empty)),
            ("/(/", Err(BadWord::NoPattern)),
            (r"/(?:\p{L}{90}){90}/", Err(BadWord::NoPattern)),
            (&"x".repeat(MAX_LENGTH + 1), Err(BadWord::TooLong)),
        ] {
            assert_eq!(check(word), expected, "{word:?}");
        }
    }

    proptest! {
        #[test]
        fn a_word_is_found_among_others_and_as_it_is(before in "[a-z ]{0,20}", word in "[a-zäöüßа-яα-ω一-龥]{2,12}", after in "[a-z ]{0,20}") {
            let text = format!("{before} {word} {after}");
            prop_assert!(blocks(&word, &text), "{word:?} in {text:?}");
            prop_assert!(blocks(&word, &text.to_uppercase()), "{word:?} in {:?}", text.to_uppercase());
        }

        #[test]
        fn whatever_is_read_ends(text in "\\PC{0,200}", word in "\\PC{0,40}") {
            blocks(&word, &text);
        }
    }
}
