//! Parts of a prompt with weights of their own, such as `hot:: dog::2 lake::-0.5`.

use super::refusal::{MAX_WEIGHT, PromptError};

/// Most parts; each is encoded alone.
pub const MAX_PARTS: usize = 16;

const MARK: &str = "::";
/// Characters of a weight, at most.
const LONGEST_NUMBER: usize = 30;

/// A part of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptPart<'a> {
    /// Its words, which may have weights in brackets, breaks and adapters as any prompt.
    pub text: &'a str,
    /// Its share: those of all parts add up to 1.
    pub share: f64,
}

/// The parts of a prompt; `None` where nothing parts it.
///
/// Midjourney's grammar, as strict as it can be read in what people write for other reasons (`std::vec`, `a::b`):
///
/// ```text
/// prompt = words mark { words mark } [ words ]
/// mark   = "::" [ "+" | "-" ] [ digits ] [ "." digits ]
/// ```
///
/// A mark stands outside of all brackets and `<…>`, behind words, whether white space lies between or not, and before white space, a comma or the
/// prompt's end; any other `::` is text, and so is one after a backslash. It ends a part, and its number, 1 where there is none, is that part's weight. Words behind the last mark
/// are a part of weight 1. Commas and white space round a part are not its own. Weights in brackets, `(dog:1.2)`, have one colon: they say how much a
/// word counts within its part.
///
/// # Errors
/// A weight out of range, weights that do not add up to more than 0, too many parts.
pub fn parts(text: &str) -> Result<Option<Vec<PromptPart<'_>>>, PromptError> {
    let (mut found, mut start) = (Vec::new(), 0);
    for Mark { place, end, weight } in marks(text) {
        let words = trimmed(&text[start..place]);
        // A mark behind nothing is no mark: its number belongs to nobody.
        if words.is_empty() {
            continue;
        }
        if weight.abs() > MAX_WEIGHT {
            return Err(PromptError::Weight(weight));
        }
        found.push((words, weight));
        start = end;
    }
    if found.is_empty() {
        return Ok(None);
    }
    let rest = trimmed(&text[start..]);
    if !rest.is_empty() {
        found.push((rest, 1.0));
    }
    if found.len() > MAX_PARTS {
        return Err(PromptError::TooManyParts { found: found.len(), max: MAX_PARTS });
    }
    let sum: f64 = found.iter().map(|(_, weight)| weight).sum();
    if sum <= SMALLEST_SUM {
        return Err(PromptError::NoWeight { sum });
    }
    Ok(Some(found.into_iter().map(|(text, weight)| PromptPart { text, share: weight / sum }).collect()))
}

/// Smaller sums are rounding.
const SMALLEST_SUM: f64 = 1e-9;

/// Whether a prompt is parted by `::`.
pub fn is_parted(text: &str) -> bool {
    !matches!(parts(text), Ok(None))
}

fn trimmed(words: &str) -> &str {
    words.trim_matches(|c: char| c.is_whitespace() || c == ',')
}

struct Mark {
    place: usize,
    /// Where the next part begins.
    end: usize,
    weight: f64,
}

/// Every mark of a text, in linear time.
fn marks(text: &str) -> Vec<Mark> {
    let (mut marks, mut depth, mut is_tag, mut skipped) = (Vec::new(), 0_usize, false, 0);
    for (place, character) in text.char_indices() {
        if place < skipped {
            continue;
        }
        match character {
            // What it protects is text.
            '\\' => skipped = place + 1 + text[place + 1..].chars().next().map_or(0, char::len_utf8),
            '<' => is_tag = text[place..].starts_with("<lora:") || text[place..].starts_with("<lyco:"),
            '>' => is_tag = false,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && !is_tag && text[place..].starts_with(MARK) => {
                let after = place + MARK.len();
                skipped = after;
                if let Some((weight, length)) = weight(&text[after..]) {
                    marks.push(Mark { place, end: after + length, weight });
                    skipped = after + length;
                }
            }
            _ => {}
        }
    }
    marks
}

/// The number after a mark, and its length in bytes; `None` where what follows makes it no mark.
fn weight(after: &str) -> Option<(f64, usize)> {
    // Bounded, or the time would grow with the square of the length.
    let end = after.char_indices().take(LONGEST_NUMBER + 1).find(|(_, c)| c.is_whitespace() || *c == ',').map(|(place, _)| place);
    let length = end.or_else(|| Some(after.len()).filter(|length| *length <= LONGEST_NUMBER))?;
    let number = &after[..length];
    if number.is_empty() {
        return Some((1.0, 0));
    }
    let is_number = number.strip_prefix(['+', '-']).unwrap_or(number).bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    Some((number.parse().ok().filter(|_| is_number)?, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, f64)]) {
        let found = parts(text).expect(text).expect(text);
        let found: Vec<_> = found.iter().map(|part| (part.text, (part.share * 1e6).round() / 1e6)).collect();
        assert_eq!(found, expected, "{text}");
        assert!(is_parted(text));
    }

    #[test]
    fn marks_end_parts_and_numbers_are_their_weights() {
        check("hot:: dog", &[("hot", 0.5), ("dog", 0.5)]);
        check("hot::3 dog", &[("hot", 0.75), ("dog", 0.25)]);
        check("hot::1 dog::3", &[("hot", 0.25), ("dog", 0.75)]);
        check("a frog ::.5 a lake::+1.5", &[("a frog", 0.25), ("a lake", 0.75)]);
        check("tulips::1 red::-.5", &[("tulips", 2.0), ("red", -1.0)]);
        check("a frog::2, a lake,::2", &[("a frog", 0.5), ("a lake", 0.5)]);
        check("a frog::7", &[("a frog", 1.0)]);
        check(":: a frog::2 ::3 lake::2", &[(":: a frog", 0.5), ("::3 lake", 0.5)]);
        check("a (red:1.2) frog::1 [old] lake BREAK x::1", &[("a (red:1.2) frog", 0.5), ("[old] lake BREAK x", 0.5)]);
        check("<lora:ink:0.8> a frog:: lake", &[("<lora:ink:0.8> a frog", 0.5), ("lake", 0.5)]);
        check("(un(closed) :) a:: b", &[("(un(closed) :) a", 0.5), ("b", 0.5)]);
        check("🐸:: é::1", &[("🐸", 0.5), ("é", 0.5)]);
    }

    #[test]
    fn other_colons_are_text() {
        for text in [
            "",
            "a frog",
            "std::vec",
            "a::b",
            "a::2b c",
            "a frog: a lake",
            "(frog:1.2)",
            "(a:: b)",
            "[a::2 b]",
            "(a:: b",
            r"a\:: b",
            "::",
            ":: a",
            " ::2",
            "a:::2 b",
            "a::1e3 b",
            "a::-- b",
            "<lora:a:: b>",
            "a::1.2.3 b",
            "a::∞ b",
        ] {
            assert_eq!(parts(text), Ok(None), "{text}");
            assert!(!is_parted(text));
        }
    }

    #[test]
    fn weights_that_say_nothing_are_refused() {
        assert_eq!(parts("a::1 b::-1"), Err(PromptError::NoWeight { sum: 0.0 }));
        assert_eq!(parts("a::-2 b"), Err(PromptError::NoWeight { sum: -1.0 }));
        assert_eq!(parts("a::0"), Err(PromptError::NoWeight { sum: 0.0 }));
        assert!(matches!(parts("a::0.1 b::0.2 c::-0.3"), Err(PromptError::NoWeight { .. })), "rounding is no weight");
        assert_eq!(parts("a::101 b"), Err(PromptError::Weight(101.0)));
        assert_eq!(parts("a::999999999999999999999999 b"), Err(PromptError::Weight(1e24)));
        assert_eq!(parts(&"a:: ".repeat(17)), Err(PromptError::TooManyParts { found: 17, max: 16 }));
        assert!(is_parted("a::-2 b"), "it is meant as one");
        for pathological in [":".repeat(100_000), "a::".repeat(100_000), "<lora:".repeat(50_000), "(".repeat(100_000) + ":: a"] {
            assert!(parts(&pathological).is_ok());
        }
    }

    proptest! {
        #[test]
        fn shares_add_up_to_one_and_words_stay(text in r"(\PC|[a-z ]|::|::-?[0-9.]{1,3}[ ,]|[()<>\\]){0,40}") {
            let Ok(Some(parts)) = parts(&text) else { return Ok(()) };
            let sum: f64 = parts.iter().map(|part| part.share).sum();
            prop_assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            let mut from = 0;
            for part in parts {
                prop_assert!(!part.text.is_empty());
                let place = text[from..].find(part.text).map(|place| from + place);
                prop_assert!(place.is_some(), "{} of {}", part.text, text);
                from = place.unwrap_or(0) + part.text.len();
            }
        }
    }
}
