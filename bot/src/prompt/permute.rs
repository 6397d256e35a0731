//! Permutations: `a {red, green} frog` is two lines.

use std::collections::HashMap;

use super::PromptError;

/// Groups within groups, at most.
const MAX_DEPTH: usize = 8;

/// A stretch of a line.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    /// One of these.
    Group(Vec<Vec<Piece>>),
}

/// The lines that a line stands for: itself, or one for each way to choose among what stands in braces, in order.
///
/// `{a, b}` is a group if it has a comma of its own; its options may hold groups, and may be empty. `\{`, `\}` and `\,` are text. Braces without a comma, and such
/// as nobody closes, are text too. A group may stand in the prompt and among its parameters: `--ar {3:2, 1:1}`. What comes out has no groups.
///
/// # Errors
/// More than `max` lines, groups nested too deeply.
pub fn permutations(line: &str, max: u32) -> Result<Vec<String>, PromptError> {
    let pieces = read(line)?;
    if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) {
        return Ok(vec![line.to_owned()]);
    }
    let found = count(&pieces);
    if found > u64::from(max) {
        return Err(PromptError::TooManyJobs { found, max });
    }
    Ok(spread(&pieces))
}

/// What is open while a line is read: a brace, its finished options, and the one that is read.
struct Open {
    options: Vec<Vec<Piece>>,
    current: Vec<Piece>,
}

impl Open {
    fn new() -> Self {
        Self { options: Vec::new(), current: Vec::new() }
    }

    fn text(&mut self, text: &str) {
        match self.current.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.current.push(Piece::Text(text.to_owned())),
        }
    }

    fn append(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.text(&text),
                group => self.current.push(group),
            }
        }
    }
}

fn read(line: &str) -> Result<Vec<Piece>, PromptError> {
    let pairs = pairs(line);
    let (mut open, mut n_text_pairs) = (vec![Open::new()], 0_usize);
    let mut characters = line.char_indices();
    while let Some((place, character)) = characters.next() {
        let depth = open.len() - 1;
        let Some(top) = open.last_mut() else { break };
        match (character, pairs.get(&place)) {
            ('\\', _) => match characters.next().map(|(_, character)| character) {
                // The engine leaves the backslash out; a plain comma would part again within braces that are text.
                Some(',') if depth > 0 && n_text_pairs == 0 => top.text(","),
                escaped => {
                    top.text("\\");
                    top.text(&escaped.map(String::from).unwrap_or_default());
                }
            },
            ('{', Some(Brace::OfGroup)) if depth == MAX_DEPTH => return Err(PromptError::TooDeep { max: MAX_DEPTH }),
            ('{', Some(Brace::OfGroup)) => open.push(Open::new()),
            ('}', Some(Brace::OfGroup)) => {
                let Some(mut group) = open.pop() else { break };
                group.options.push(std::mem::take(&mut group.current));
                open.last_mut().into_iter().for_each(|outer| outer.current.push(Piece::Group(std::mem::take(&mut group.options))));
            }
            (',', Some(Brace::OfGroup)) => {
                let option = std::mem::take(&mut top.current);
                top.options.push(option);
            }
            (_, brace) => {
                match (character, brace) {
                    ('{', Some(Brace::OfText)) => n_text_pairs += 1,
                    ('}', Some(Brace::OfText)) => n_text_pairs = n_text_pairs.saturating_sub(1),
                    _ => {}
                }
                top.text(character.encode_utf8(&mut [0; 4]));
            }
        }
    }
    let mut whole = Open::new();
    open.into_iter().for_each(|open| whole.append(open.current));
    Ok(whole.current)
}

/// What a brace with its partner, or a comma in between, belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Brace {
    OfGroup,
    OfText,
}

/// The braces of a line that have a partner, and the commas of groups, by their places.
fn pairs(line: &str) -> HashMap<usize, Brace> {
    let (mut pairs, mut open, mut is_escaped) = (HashMap::new(), Vec::<(usize, Vec<usize>)>::new(), false);
    for (place, character) in line.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match character {
            '\\' => is_escaped = true,
            '{' => open.push((place, Vec::new())),
            ',' => open.iter_mut().next_back().into_iter().for_each(|(_, commas)| commas.push(place)),
            '}' => {
                let Some((start, commas)) = open.pop() else { continue };
                let brace = if commas.is_empty() { Brace::OfText } else { Brace::OfGroup };
                pairs.extend([start, place].into_iter().chain(commas).map(|place| (place, brace)));
            }
            _ => {}
        }
    }
    pairs
}

fn count(pieces: &[Piece]) -> u64 {
    let of = |piece: &Piece| match piece {
        Piece::Text(_) => 1,
        Piece::Group(options) => options.iter().map(|option| count(option)).fold(0, u64::saturating_add),
    };
    pieces.iter().map(of).fold(1, u64::saturating_mul)
}

fn spread(pieces: &[Piece]) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in pieces {
        let choices = match piece {
            Piece::Text(text) => vec![text.clone()],
            Piece::Group(options) => options.iter().flat_map(|option| spread(option)).map(|option| trimmed(&option).to_owned()).collect(),
        };
        lines = lines.iter().flat_map(|line| choices.iter().map(move |choice| format!("{line}{choice}"))).collect();
    }
    lines
}

/// An option without white space round it, but with what a backslash at its end protects.
fn trimmed(option: &str) -> &str {
    let option = option.trim_start();
    let kept = option.trim_end();
    let n_backslashes = kept.len() - kept.trim_end_matches('\\').len();
    let protected = option[kept.len()..].chars().next().filter(|_| n_backslashes % 2 == 1).map_or(0, char::len_utf8);
    &option[..kept.len() + protected]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        assert_eq!(permutations(line, 40), Ok(expected.iter().map(|line| (*line).to_owned()).collect()), "{line}");
    }

    #[test]
    fn groups_are_every_choice_in_order() {
        check("a {red, green} frog", &["a red frog", "a green frog"]);
        check("{a, b} {c,d}", &["a c", "a d", "b c", "b d"]);
        check("a {red, {dark, light} green} frog", &["a red frog", "a dark green frog", "a light green frog"]);
        check(
            "a frog --ar {3:2, 1:1} --q {.5,1}",
            &["a frog --ar 3:2 --q .5", "a frog --ar 3:2 --q 1", "a frog --ar 1:1 --q .5", "a frog --ar 1:1 --q 1"],
        );
        check("a {, red} frog", &["a  frog", "a red frog"]);
        check("🐸{é, 🦊}", &["🐸é", "🐸🦊"]);
        check(r"a {red\, green, blue} frog", &["a red, green frog", "a blue frog"]);
        check(r"a \{b\} {c, d}", &[r"a \{b\} c", r"a \{b\} d"]);
    }

    #[test]
    fn other_braces_are_text() {
        for line in [
            "",
            "a frog",
            "a {red} frog",
            "a {red, green",
            "red, green} frog",
            r"a \{red, green\} frog",
            r"a {red\, green} frog",
            "} {",
            "a \\",
        ] {
            check(line, &[line]);
        }
        check("{ {a, b}", &["{ a", "{ b"]);
        check("{x {a, b} y}", &["{x a y}", "{x b y}"]);
    }

    #[test]
    fn there_are_not_too_many() {
        let error = |line: &str| permutations(line, 10).expect_err(line).to_string();
        assert_eq!(error("{a, b, c}{a, b}{a, b}"), "That would be 12 grids, and 10 are the most for one prompt.");
        assert_eq!(error(&"{a, b}".repeat(100)), format!("That would be {} grids, and 10 are the most for one prompt.", u64::MAX));
        assert_eq!(error(&("{a,".repeat(9) + &"}".repeat(9))), "Braces can stand in braces 8 times, and no deeper.");
        for pathological in ["{".repeat(50_000), "{,".repeat(20_000), "}".repeat(50_000), "\\".repeat(50_000)] {
            assert_eq!(permutations(&pathological, 10), Ok(vec![pathological.clone()]));
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_has_no_groups(line in r"([a-c ]|[{},]|\\\\[{},]|\\PC){0,30}") {
            let Ok(lines) = permutations(&line, 1000) else { return Ok(()) };
            prop_assert!(!lines.is_empty());
            for line in lines {
                prop_assert_eq!(permutations(&line, 1000), Ok(vec![line.clone()]));
            }
        }
    }
}
