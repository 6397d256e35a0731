//! Words of strangers in a line that somebody else reads: nothing in them moves a cursor, turns the reading direction or hides.

use std::borrow::Cow;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};

/// Most marks on one letter; the scripts that need most have four.
const MAX_MARKS: usize = 5;
const JOINER: char = '\u{200d}';
const NON_JOINER: char = '\u{200c}';

/// The text in one line, without what cannot be seen: control and format characters (also those that turn the reading direction), fillers, and marks
/// beyond five on one letter. What belongs to a script or an emoji stays.
pub fn printable(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut n_marks = 0;
    for (place, character) in characters.iter().copied().enumerate() {
        match kind(character) {
            Kind::Seen => {
                n_marks = 0;
                kept.push(character);
            }
            Kind::Mark if n_marks < MAX_MARKS => {
                n_marks += 1;
                kept.push(character);
            }
            Kind::Break => kept.push(' '),
            Kind::Hidden if joins(&characters, place) => kept.push(character),
            Kind::Mark | Kind::Hidden => {}
        }
    }
    kept
}

/// The text in one line with what cannot be seen written out (`\u{1b}`), so that two names that differ also look different.
pub fn visible(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut shown = String::with_capacity(text.len());
    let mut n_marks = 0;
    for (place, character) in characters.iter().copied().enumerate() {
        let kind = kind(character);
        n_marks = if matches!(kind, Kind::Mark) { n_marks + 1 } else { 0 };
        let is_shown = match kind {
            Kind::Seen => true,
            Kind::Mark => n_marks <= MAX_MARKS,
            Kind::Hidden => joins(&characters, place),
            Kind::Break => false,
        };
        if is_shown { shown.push(character) } else { shown.extend(character.escape_default()) }
    }
    shown
}

/// A text as one word of a POSIX shell's line, to be copied.
pub fn shell_quote(text: &str) -> Cow<'_, str> {
    // No argument can hold a zero byte, so there is nothing right to show.
    shlex::try_quote(text).unwrap_or_else(|_| Cow::Owned(visible(text)))
}

enum Kind {
    Seen,
    /// A mark on the letter before it.
    Mark,
    /// The end of a line or a leap in it.
    Break,
    /// Nothing that an eye sees.
    Hidden,
}

fn kind(character: char) -> Kind {
    match character {
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Kind::Break,
        // Letters by their category and blank to the eye: Hangul fillers and the empty Braille cell.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' => Kind::Hidden,
        // Marks that are never drawn.
        '\u{34f}' | '\u{17b4}' | '\u{17b5}' => Kind::Hidden,
        // The common case, without a search.
        ' '..='~' => Kind::Seen,
        _ => match (character.general_category(), character.general_category_group()) {
            (GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::Surrogate, _) => Kind::Hidden,
            (GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark, _) => Kind::Mark,
            (_, GeneralCategoryGroup::Other) if is_noncharacter(character) => Kind::Hidden,
            _ => Kind::Seen,
        },
    }
}

fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// Whether a joiner does its work here: between the parts of an emoji, or between letters of a script that writes with it.
fn joins(characters: &[char], place: usize) -> bool {
    if !matches!(characters[place], JOINER | NON_JOINER) {
        return false;
    }
    let is_part = |c: &char| c.is_emoji_char() && !c.is_ascii() || *c == '\u{fe0f}';
    // Letters that join are from Arabic's block on; Latin, Greek, Cyrillic and Hebrew never need one.
    let is_letter = |c: &char| u32::from(*c) >= 0x600 && (c.is_alphabetic() || matches!(kind(*c), Kind::Mark));
    let before = place.checked_sub(1).map(|place| &characters[place]);
    let after = characters.get(place + 1);
    let around = |is: &dyn Fn(&char) -> bool| before.is_some_and(is) && after.is_some_and(is);
    characters[place] == JOINER && around(&is_part) || around(&is_letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_seen_is_dropped_or_written_out() {
        for (text, dropped, written) in [
            ("a frog", "a frog", "a frog"),
            ("a\u{1b}[31mred\u{1b}]0;pwned\u{7}", "a[31mred]0;pwned", r"a\u{1b}[31mred\u{1b}]0;pwned\u{7}"),
            ("two\nlines\r\n", "two lines  ", r"two\nlines\r\n"),
            ("a\u{202e}gnp.exe\u{202c}", "agnp.exe", r"a\u{202e}gnp.exe\u{202c}"),
            ("\u{2066}x\u{2069}", "x", r"\u{2066}x\u{2069}"),
            ("pay\u{200b}pal\u{feff}", "paypal", r"pay\u{200b}pal\u{feff}"),
            ("a\u{200d}b", "ab", r"a\u{200d}b"),
            ("a\u{3164}b\u{2800}", "ab", r"a\u{3164}b\u{2800}"),
            ("x\u{e0041}", "x", r"x\u{e0041}"),
            ("x\u{2028}y\u{9b}1m", "x y1m", r"x\u{2028}y\u{9b}1m"),
            ("x\u{fffe}\u{1ffff}", "x", r"x\u{fffe}\u{1ffff}"),
        ] {
            assert_eq!((printable(text).as_str(), visible(text).as_str()), (dropped, written), "{text:?}");
        }
        assert_eq!(printable(&format!("z{}z", "\u{337}".repeat(400))), format!("z{}z", "\u{337}".repeat(MAX_MARKS)));
    }

    #[test]
    fn scripts_and_emoji_stay_as_they_are() {
        for text in ["Žluťoučký kůň", "Việt Nam", "می‌خواهم", "नमस्ते श्री", "ภาษาไทยที่", "שָׁלוֹם", "モデル", "👩‍🚀 ❤️‍🔥 👍🏽 🏳️‍🌈", "a  b", "½ × ∑ €"]
        {
            assert_eq!((printable(text).as_str(), visible(text).as_str()), (text, text));
        }
    }

    #[test]
    fn quoted_words_are_one_word_and_never_a_command() {
        for (text, quoted) in [
            ("frog.safetensors", "frog.safetensors"),
            ("my style", "'my style'"),
            ("a\"; $(touch pwned) \"", "'a\"; $(touch pwned) \"'"),
            ("it's", "\"it's\""),
            ("", "''"),
        ] {
            assert_eq!(shell_quote(text), quoted);
            assert_eq!(shlex::split(&shell_quote(text)).expect("whole"), [text]);
        }
    }

    proptest! {
        #[test]
        fn every_line_is_one_line_and_has_nothing_hidden(text in "\\PC*|[\\x00-\\x1f\\u{7f}-\\u{9f}\\u{200b}-\\u{200f}\\u{2028}-\\u{202e}\\u{2060}-\\u{206f}a-z]*") {
            for line in [printable(&text), visible(&text)] {
                let turns = |c: char| ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
                prop_assert!(!line.contains(|c: char| c.is_control() || turns(c)), "it is one plain line");
                prop_assert_eq!(printable(&line), line.clone(), "once is enough");
            }
        }

        #[test]
        fn quoted_words_come_back(text in "[^\\x00]*") {
            prop_assert_eq!(shlex::split(&shell_quote(&text)).expect("whole"), [text]);
        }
    }
}
