//! Syntax of other programs that means nothing here and is drawn as words: what a person should be told of.
//!
//! The grammar is that of the AUTOMATIC1111 web UI (`modules/prompt_parser.py`: `schedule_parser`, `re_AND`; `modules/extra_networks.py`:
//! `re_extra_net`), of its extension Dynamic Prompts (wildcards, variants) and of Midjourney (weights of parts, permutations). What people write for other reasons (times, ratios, addresses, Discord's own
//! emoji and times) is left alone, though that grammar would take it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::tags;

/// Places that are told of one prompt, at most; somebody may write thousands.
const MAX_FOUND: usize = 20;
/// Characters kept of a place.
const MAX_CHARS: usize = 60;

/// A syntax that means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// `[from:to:when]`, `[to:when]`, `[from::when]`: other words from some step on.
    Schedule,
    /// `[a|b]`: other words every step.
    Alternation,
    /// `a AND b`: several prompts drawn at once.
    Composition,
    /// `<name:…>` of another kind than LoRA.
    Tag,
    /// `__name__`: a word from a file.
    Wildcard,
    /// `{a|b}` and `{a, b}`: one of several words.
    Variant,
    /// `a::2 b`: parts of a prompt with their weights.
    Weight,
}

/// Where a prompt has syntax that means nothing here: its kind and its words, in order of kinds.
pub fn without_meaning(text: &str) -> Vec<(Unread, String)> {
    let mut found = Vec::new();
    let text = without_tags(&tags::take_out(text).0, &mut found);
    groups(&text, &mut found);
    compositions(&text, &mut found);
    wildcards(&text, &mut found);
    weights(&text, &mut found);
    found.sort();
    found.dedup();
    found.truncate(MAX_FOUND);
    found
}

fn tell(found: &mut Vec<(Unread, String)>, kind: Unread, words: &str) {
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let is_short = words.chars().count() <= MAX_CHARS;
    let words = if is_short { words } else { words.chars().take(MAX_CHARS - 1).chain(['…']).collect() };
    // Sorted out later; far more than are told are not even kept.
    if found.len() < 50 * MAX_FOUND {
        found.push((kind, words));
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Takes out every `<name:…>`, as that program would.
fn without_tags(text: &str, found: &mut Vec<(Unread, String)>) -> String {
    let (mut kept, mut done, mut from, mut close) = (String::new(), 0, 0, None);
    while let Some(start) = text[from..].find('<').map(|place| from + place) {
        from = start + 1;
        let name_end = text[from..].find(|c| !is_word(c)).map_or(text.len(), |n| from + n);
        if name_end == from || !text[name_end..].starts_with(':') {
            continue;
        }
        let first = name_end + 1;
        // Found once for all tags before it, or the time would grow with the square of their number.
        close = close.filter(|close| *close >= first).or_else(|| Some(first + text[first..].find('>')?));
        let Some(end) = close else { break };
        let (name, body) = (&text[from..name_end], &text[first..end]);
        if body.is_empty() || body.starts_with("//") || is_of_discord(name, body) {
            continue;
        }
        tell(found, Unread::Tag, &text[start..=end]);
        kept.push_str(&text[done..start]);
        (done, from) = (end + 1, end + 1);
    }
    kept.push_str(&text[done..]);
    kept
}

/// A moving emoji `<a:name:id>`, a time `<t:1700000000:R>`, an address for letters.
fn is_of_discord(name: &str, body: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (first, rest) = body.split_once(':').unwrap_or((body, ""));
    match name {
        "a" => is_number(rest) && first.chars().all(is_word),
        "t" => is_number(first) && rest.len() <= 1,
        "id" | "mailto" | "tel" => true,
        _ => false,
    }
}

/// A bracket that is open.
struct Open {
    bracket: char,
    start: usize,
    /// Places of `:`, numbers of `|` and `,` in it, not in brackets inside it.
    colons: Vec<usize>,
    bars: usize,
    commas: usize,
}

/// Square brackets with a time or alternatives in them, and braces with alternatives.
fn groups(text: &str, found: &mut Vec<(Unread, String)>) {
    let mut open: Vec<Open> = Vec::new();
    let mut is_escaped = false;
    for (place, character) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match character {
            '\\' => is_escaped = true,
            '(' | '[' | '{' => open.push(Open { bracket: character, start: place, colons: Vec::new(), bars: 0, commas: 0 }),
            ')' | ']' | '}' => {
                let opening = match character {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                // One that closes nothing is text.
                if open.last().is_some_and(|group| group.bracket == opening)
                    && let Some(group) = open.pop()
                    && let Some(kind) = group.kind(text, place)
                {
                    tell(found, kind, &text[group.start..=place]);
                }
            }
            ':' => open.iter_mut().next_back().into_iter().for_each(|group| group.colons.push(place)),
            '|' => open.iter_mut().next_back().into_iter().for_each(|group| group.bars += 1),
            ',' => open.iter_mut().next_back().into_iter().for_each(|group| group.commas += 1),
            _ => {}
        }
    }
}

impl Open {
    fn kind(&self, text: &str, end: usize) -> Option<Unread> {
        match (self.bracket, self.bars, self.colons.len()) {
            ('[', 1.., 0) => Some(Unread::Alternation),
            ('{', 1.., _) => Some(Unread::Variant),
            ('{', 0, _) if self.commas > 0 => Some(Unread::Variant),
            ('[', 0, 1 | 2) => self.is_schedule(text, end).then_some(Unread::Schedule),
            _ => None,
        }
    }

    fn is_schedule(&self, text: &str, end: usize) -> bool {
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut start = self.start + 1;
        for colon in &self.colons {
            parts.push(start..*colon);
            start = colon + 1;
        }
        let words = |range: &Range<usize>| text[range.clone()].trim();
        // Numbers alone are a time or a ratio, `://` stands in an address.
        let is_time = parts.iter().all(|part| is_number(words(part)));
        let is_address = parts.iter().skip(1).any(|part| words(part).starts_with("//")) || text[start..end].starts_with("//");
        is_number(text[start..end].trim()) && !is_time && !is_address
    }
}

/// `SIGNED_NUMBER` of lark's grammar: digits, with a point, an exponent and a sign or without.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && digits(exponent) && !exponent.is_empty()
}

/// The word `AND`, with the weight of what stands before it.
fn compositions(text: &str, found: &mut Vec<(Unread, String)>) {
    for (start, word) in text.match_indices("AND") {
        let end = start + word.len();
        if !text[..start].ends_with(is_word) && !text[end..].starts_with(is_word) {
            tell(found, Unread::Composition, word);
        }
    }
}

/// `__name__`, which may be a path.
fn wildcards(text: &str, found: &mut Vec<(Unread, String)>) {
    const MARK: &str = "__";
    let is_name = |name: &str| {
        let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '*' | '.');
        !name.is_empty()
            && name.chars().all(is_inside)
            && !name.starts_with('_')
            && name.contains(|c: char| c.is_alphanumeric() || c == '*')
    };
    let mut from = 0;
    while let Some(start) = text[from..].find(MARK).map(|place| from + place) {
        let first = start + MARK.len();
        let Some(end) = text[first..].find(MARK).map(|place| first + place) else { break };
        let is_apart = !text[..start].ends_with(is_word) && !text[end + MARK.len()..].starts_with(is_word);
        if is_name(&text[first..end]) && is_apart {
            tell(found, Unread::Wildcard, &text[start..end + MARK.len()]);
            from = end + MARK.len();
        } else {
            from = start + 1;
        }
    }
}

/// `::` at the end of words, with the number that follows it.
fn weights(text: &str, found: &mut Vec<(Unread, String)>) {
    const MARK: &str = "::";
    const LONGEST_NUMBER: usize = 20;
    for (start, _) in text.match_indices(MARK) {
        let (before, after) = (&text[..start], &text[start + MARK.len()..]);
        // Both bounded, or the time would grow with the square of the length.
        let number: String = after.chars().take_while(|c| !c.is_whitespace() && *c != ',').take(LONGEST_NUMBER).collect();
        let word: Vec<char> = before.chars().rev().take_while(|c| !c.is_whitespace()).take(MAX_CHARS).collect();
        let word: String = word.into_iter().rev().skip_while(|c| matches!(c, '(' | '[' | '{')).collect();
        let is_part = match word.chars().next_back() {
            Some(last) => is_word(last) || matches!(last, ')' | ']' | '}' | '"' | '!' | '?' | '.' | ','),
            None => before.contains(|c: char| !c.is_whitespace()),
        };
        if is_part && (number.is_empty() || is_number(&number)) {
            tell(found, Unread::Weight, &format!("{word}{MARK}{number}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(Unread, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(kind, words)| (*kind, (*words).to_owned())).collect();
        assert_eq!(without_meaning(text), expected, "{text}");
    }

    #[test]
    fn syntax_of_other_programs_is_found() {
        use Unread::*;
        for (text, kind, words) in [
            ("a [red:green:0.5] frog", Schedule, "[red:green:0.5]"),
            ("a [red::0.5] frog", Schedule, "[red::0.5]"),
            ("a [:red:0.5] frog", Schedule, "[:red:0.5]"),
            ("a [red:.5] frog", Schedule, "[red:.5]"),
            ("a [red:12] frog", Schedule, "[red:12]"),
            ("a [red:green: -1e1 ] frog", Schedule, "[red:green: -1e1 ]"),
            ("a [(red:1.2):green:0.5] frog", Schedule, "[(red:1.2):green:0.5]"),
            ("a ([red:green:0.5]:1.2) frog", Schedule, "[red:green:0.5]"),
            ("a [red|green] frog", Alternation, "[red|green]"),
            ("a [red||(green:2)] frog", Alternation, "[red||(green:2)]"),
            ("a frog AND a toad", Composition, "AND"),
            ("a frog :1.2 AND a toad :0.8", Composition, "AND"),
            ("a frog,AND a toad", Composition, "AND"),
            ("a frog <hypernet:ink:0.5>", Tag, "<hypernet:ink:0.5>"),
            ("a frog <LORA:ink:1>", Tag, "<LORA:ink:1>"),
            ("a frog <lora: :1>", Tag, "<lora: :1>"),
            ("a frog <ti:x>", Tag, "<ti:x>"),
            ("a __colour/dark*__ frog", Wildcard, "__colour/dark*__"),
            ("a {red|green} frog", Variant, "{red|green}"),
            ("a {2$$red|green} frog", Variant, "{2$$red|green}"),
            ("a {red, green} frog", Variant, "{red, green}"),
            ("{a frog, a toad}", Variant, "{a frog, a toad}"),
            ("a frog::2 lake", Weight, "frog::2"),
            ("a frog::-.5, lake", Weight, "frog::-.5"),
            ("hot:: dog", Weight, "hot::"),
            ("a frog ::2", Weight, "::2"),
            ("a frog :: a toad", Weight, "::"),
            ("a (red frog)::1.5 lake", Weight, "frog)::1.5"),
        ] {
            check(text, &[(kind, words)]);
        }
        check("[a:[b|c]:0.5] AND [a:[b|c]:0.5]", &[(Schedule, "[a:[b|c]:0.5]"), (Alternation, "[b|c]"), (Composition, "AND")]);
        check("<hypernet:[a:0.5]:1>", &[(Tag, "<hypernet:[a:0.5]:1>")]);
    }

    #[test]
    fn what_has_a_meaning_or_none_anywhere_is_not() {
        for text in [
            "",
            "a (red:1.3) frog, [green], ((toad)), BREAK",
            "a <lora:ink:0.8> <lyco:wash:te=1:unet=0.5> frog",
            r"a \[red:green:0.5\] frog",
            r"a \[red|green\] frog",
            "at [3:30] or [12:30:15], 16:9 or [16:9]",
            "[https://example.org:8080] <https://example.org>",
            "[ratio 16:9 picture]",
            "[red:green] [a:b:c:0.5] [a:b:c]",
            "red|green (red|green) {red} | 0.5]",
            "SAND, ANDES, _AND, and, And, AND_PROMPT",
            "<a:frog:123456789> <:frog:123456789> <@123> <#123> <t:1700000000:R> a<b a < b : c >",
            "<3 :) :( >:( [: :] <o:",
            "snake__case __init a__b__c ____ >__<",
            "std::vec a::b (frog::2) {red} a::2b ::after",
            "[unclosed:0.5",
            "(crossed [red:green:0.5)]",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn what_is_told_is_bounded() {
        let long = without_meaning(&format!("[{}:0.5]", "x\n".repeat(5000)));
        assert!(long[0].1.chars().count() == MAX_CHARS && !long[0].1.contains(char::is_control));
        let many: String = (0..10_000).map(|i| format!("[a{i}|b]<x:{i}> AND ")).collect();
        assert_eq!(without_meaning(&many).len(), MAX_FOUND);
        for pathological in [
            "[".repeat(100_000),
            "<a:".repeat(100_000),
            "__a".repeat(100_000),
            ":".repeat(100_000),
            "{|".repeat(100_000),
            "a::2".repeat(100_000),
        ] {
            without_meaning(&pathological);
        }
    }

    proptest! {
        #[test]
        fn text_without_its_characters_is_never_told(text in r"[a-zA-Z0-9 ,.()\[\]\\!?'-]{0,80}") {
            prop_assume!(!text.contains("AND"));
            prop_assert_eq!(without_meaning(&text), vec![]);
        }

        #[test]
        fn no_text_is_too_strange(text in r"(\PC|[\[\](){}<>:|_\\AND0-9.]){0,60}") {
            for (_, words) in without_meaning(&text) {
                prop_assert!(!words.is_empty() && words.chars().count() <= MAX_CHARS);
            }
        }
    }
}
