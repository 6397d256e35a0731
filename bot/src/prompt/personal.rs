//! A person's own words: pieces of a line under a name, named sets, and what is added to each line. They are put into the line before it is read.

use super::{
    PromptError, TypedOptions,
    lookup::{find, names},
    parameter::Key,
    permute::permutations,
    split::{clean, parameter_name, split},
};

/// Longest name of a piece or a set, in characters.
pub const MAX_NAME: usize = 32;
/// Longest piece, set or addition, in characters.
pub const MAX_PIECE: usize = 1000;
/// Lines that a piece may stand for when it is tried out.
const MAX_TRIED: u32 = 40;

/// A person's own words, by names in small letters without dashes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Personal {
    /// `--NAME` stands for this piece of a line.
    pub options: Vec<(String, String)>,
    /// `--style NAME` adds these words and parameters; the line's own parameters stand before them.
    pub styles: Vec<(String, String)>,
    /// Added to each line; the line's own parameters, and those of a style, stand before it.
    pub suffix: Option<String>,
}

/// Why somebody's own words cannot be kept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PieceError {
    /// Not the shape of a name.
    #[error("`{}` is no name that I can keep: it must have 1 to {MAX_NAME} letters a–z, digits, `-` and `_`, and begin with a letter", .0.replace('`', "'"))]
    Name(String),
    /// A parameter of that name is there already.
    #[error("`--{0}` has a meaning of its own. Please choose another name")]
    Taken(String),
    /// Nothing to keep.
    #[error("there is nothing to keep: say what it shall stand for")]
    Empty,
    /// Too much to keep.
    #[error("that has {0} characters, and {MAX_PIECE} are the most")]
    Long(usize),
    /// It would not be read.
    #[error("{0}")]
    Unread(#[from] PromptError),
}

/// The name of a piece that may be kept, in small letters and without dashes.
///
/// # Errors
/// It has not the shape of a name, or is that of a parameter.
pub fn option_name(typed: &str) -> Result<String, PieceError> {
    let name = shaped(typed)?;
    let is_taken = names().any(|known| known == name) || super::foreign::takes(&name).is_some();
    if is_taken { Err(PieceError::Taken(name)) } else { Ok(name) }
}

/// The name of a set that may be kept, in small letters.
///
/// # Errors
/// It has not the shape of a name, or is `raw`.
pub fn style_name(typed: &str) -> Result<String, PieceError> {
    let name = shaped(typed)?;
    if name == "raw" { Err(PieceError::Taken("style raw".to_owned())) } else { Ok(name) }
}

fn shaped(typed: &str) -> Result<String, PieceError> {
    let name = typed.trim().trim_start_matches(['-', '—']).to_lowercase();
    let is_sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-' || sign == '_';
    let is_fine = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= MAX_NAME && name.chars().all(is_sign);
    if is_fine { Ok(name) } else { Err(PieceError::Name(typed.chars().take(MAX_NAME).collect())) }
}

/// A piece of a line as it is kept: it must read as one, and name nobody's own pieces.
///
/// # Errors
/// It is empty, too long, or has a parameter that there is not.
pub fn piece(typed: &str) -> Result<String, PieceError> {
    let text = clean(typed);
    match text.chars().count() {
        0 => return Err(PieceError::Empty),
        found if found > MAX_PIECE => return Err(PieceError::Long(found)),
        _ => {}
    }
    for line in permutations(&text, MAX_TRIED)? {
        split(&format!("a {line}"))?;
    }
    Ok(text)
}

/// A parameter with all that stands behind it, or a group in braces that has some.
struct Segment {
    /// Its name in small letters; of a group, those that stand in it.
    names: Vec<String>,
    words: Vec<String>,
    is_group: bool,
}

/// A line as words and what follows them.
struct Pieces {
    words: Vec<String>,
    segments: Vec<Segment>,
}

/// The parameters' names in a word or a group of them.
fn named(group: &str) -> Vec<String> {
    let inside = group.split_whitespace().flat_map(|word| word.split(['{', ',', '}']));
    let names = inside.filter_map(parameter_name).map(|name| name.split('=').next().unwrap_or(name).to_lowercase());
    names.collect()
}

impl Pieces {
    fn read(line: &str) -> Self {
        let mut read = Self { words: Vec::new(), segments: Vec::new() };
        for group in groups(line) {
            let (names, is_group) = (named(&group), parameter_name(&group).is_none());
            match (names.is_empty(), read.segments.last_mut()) {
                (false, _) => read.segments.push(Segment { names, words: vec![group], is_group }),
                (true, Some(last)) => last.words.push(group),
                (true, None) => read.words.push(group),
            }
        }
        read
    }
}

/// Words, those within braces together. Braces that nobody closes are text.
fn groups(line: &str) -> Vec<String> {
    let (mut found, mut open, mut depth): (Vec<String>, Vec<&str>, usize) = (Vec::new(), Vec::new(), 0);
    for word in line.split_whitespace() {
        let mut characters = word.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => drop(characters.next()),
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        open.push(word);
        if depth == 0 {
            found.push(std::mem::take(&mut open).join(" "));
        }
    }
    found.extend(open.into_iter().map(str::to_owned));
    found
}

/// A line with somebody's own words in place; `None` where there are none in it.
///
/// What a piece stands for is not looked through for further pieces. A piece's words go to the prompt's, behind it.
///
/// # Errors
/// Words behind a piece's name.
pub(super) fn expanded(line: &str, typed: &TypedOptions, personal: &Personal) -> Result<Option<String>, PromptError> {
    let of = |known: &[(String, String)], name: &str| {
        let found = known.iter().find(|(known, _)| known == name);
        found.map(|(_, piece)| Pieces::read(piece))
    };
    let Pieces { mut words, segments } = Pieces::read(line);
    let (mut said, mut later, mut is_changed) = (Vec::new(), Vec::new(), false);
    for segment in segments {
        let name = segment.names.first().filter(|_| !segment.is_group).map(String::as_str).unwrap_or_default();
        let option = of(&personal.options, name);
        let style = segment.style().filter(|_| option.is_none()).and_then(|style| of(&personal.styles, &style));
        let n_own = if option.is_some() { 1 } else { segment.n_of_style() };
        if (option.is_some() || style.is_some()) && segment.words.len() > n_own {
            let (own, stray) = segment.words.split_at(n_own);
            return Err(PromptError::Stray { words: stray.join(" "), after: own.join(" ") });
        }
        is_changed |= option.is_some() || style.is_some();
        match (option, style) {
            (Some(piece), _) => {
                words.extend(piece.words);
                said.extend(piece.segments);
            }
            (None, Some(piece)) => {
                words.extend(piece.words);
                later.extend(piece.segments);
            }
            (None, None) => said.push(segment),
        }
    }
    if let Some(suffix) = &personal.suffix {
        let piece = Pieces::read(suffix);
        words.extend(piece.words);
        later.extend(piece.segments);
        is_changed = true;
    }
    if !is_changed {
        return Ok(None);
    }
    let mut keys: Vec<Key> = typed.keys().chain(said.iter().flat_map(Segment::keys)).collect();
    for segment in later {
        let own: Vec<Key> = segment.keys().collect();
        let is_said =
            own.iter().any(|key| *key != Key::Lora && (keys.contains(key) || key.rivals().iter().any(|rival| keys.contains(rival))));
        if !is_said {
            keys.extend(own);
            said.push(segment);
        }
    }
    let all = words.into_iter().chain(said.into_iter().flat_map(|segment| segment.words));
    Ok(Some(all.collect::<Vec<_>>().join(" ")))
}

impl Segment {
    fn keys(&self) -> impl Iterator<Item = Key> {
        self.names.iter().filter_map(|name| find(name)).map(|parameter| parameter.key)
    }

    /// The style that it names.
    fn style(&self) -> Option<String> {
        let first = self.words.first()?;
        let value = match first.split_once('=') {
            Some((_, value)) => value,
            None => self.words.get(1)?,
        };
        (!self.is_group && self.names.first()? == "style").then(|| value.to_lowercase())
    }

    /// Words that are a style's: its name, and the parameter's where they are two.
    fn n_of_style(&self) -> usize {
        if self.words.first().is_some_and(|first| first.contains('=')) { 1 } else { 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ParseContext, parse_all, tests::context};
    use super::*;

    fn personal() -> Personal {
        let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, piece)| ((*name).to_owned(), (*piece).to_owned())).collect();
        Personal {
            options: own(&[("mine", "in ink --ar 3:2 --steps 30"), ("both", "{red, blue}"), ("twice", "--mine")]),
            styles: own(&[("neon", "neon lights --ar 1:2 --chaos 5 --lora ink"), ("plain", "--raw")]),
            suffix: None,
        }
    }

    fn check(line: &str, suffix: Option<&str>, expected: &str) {
        let personal = Personal { suffix: suffix.map(str::to_owned), ..personal() };
        let found = expanded(line, &TypedOptions::default(), &personal).expect(line);
        assert_eq!(found.as_deref().unwrap_or(line), expected, "{line:?} with {suffix:?}");
    }

    #[test]
    fn own_words_stand_in_the_line_and_what_it_says_stands_before_theirs() {
        check("a  fox --steps 5", None, "a  fox --steps 5");
        check("a fox --mine --seed 7", None, "a fox in ink --ar 3:2 --steps 30 --seed 7");
        check("a fox —MINE", None, "a fox in ink --ar 3:2 --steps 30");
        check("--mine", None, "in ink --ar 3:2 --steps 30");
        check("a fox --twice", None, "a fox --mine");
        check("a fox --style neon --seed 7", None, "a fox neon lights --seed 7 --ar 1:2 --chaos 5 --lora ink");
        check("a fox --style=NEON --ar 4:3 --lora wash", None, "a fox neon lights --ar 4:3 --lora wash --chaos 5 --lora ink");
        check("a fox --style raw", None, "a fox --style raw");
        check("a fox --style other", None, "a fox --style other");
        check("a fox", Some("on paper --ar 2:1"), "a fox on paper --ar 2:1");
        check("a fox --ar 1:1 --no text, ink", Some("on paper --ar 2:1"), "a fox on paper --ar 1:1 --no text, ink");
        check("a fox --quality 2", Some("--steps 5 --seed 1"), "a fox --quality 2 --seed 1");
        check("a fox --style neon", Some("--chaos 9 --weird 9"), "a fox neon lights --ar 1:2 --chaos 5 --lora ink --weird 9");
        check("a {red, blue --ar 3:2} fox --steps 5", Some("on paper --ar 1:1"), "a on paper {red, blue --ar 3:2} fox --steps 5");
        check(r"a \{red, fox} --ar 3:2", Some("on paper"), r"a \{red, fox} on paper --ar 3:2");
        check("a {red, fox --ar 3:2", Some("on paper"), "a {red, fox on paper --ar 3:2");
        let typed = TypedOptions { aspect: Some("1:1".into()), ..TypedOptions::default() };
        let found = expanded("a fox --style neon", &typed, &personal()).expect("a line");
        assert_eq!(found.as_deref(), Some("a fox neon lights --chaos 5 --lora ink"), "what was typed beside the line is said too");
    }

    #[test]
    fn words_behind_a_piece_are_not_lost() {
        for (line, expected) in [("a fox --mine blue", "--mine"), ("a fox --style neon blue", "--style neon")] {
            let found = expanded(line, &TypedOptions::default(), &personal()).expect_err(line);
            assert_eq!(found, PromptError::Stray { words: "blue".into(), after: expected.into() });
        }
    }

    #[test]
    fn a_piece_may_stand_for_several_grids_and_its_like_draws_the_same() {
        let context = ParseContext { personal: personal(), ..context() };
        let tasks = |line: &str| -> Vec<_> {
            let grids = parse_all(line, &TypedOptions::default(), &context).expect(line);
            grids.into_iter().map(|grid| grid.task).collect()
        };
        assert_eq!(tasks("a fox --both --seed 7").len(), 2);
        assert_eq!(tasks("a fox --mine --seed 7"), tasks("a fox in ink --ar 3:2 --steps 30 --seed 7"));
        let found = parse_all("a fox --twice", &TypedOptions::default(), &context).expect_err("not looked through again").to_string();
        assert!(found.contains("`--mine`"), "{found}");
    }

    #[test]
    fn names_and_pieces_are_checked_before_they_are_kept() {
        for (typed, expected) in [("--Mine", "mine"), (" my-own_2 ", "my-own_2"), ("—x", "x")] {
            assert_eq!(option_name(typed).as_deref(), Ok(expected));
        }
        for typed in ["", "--", "2x", "a b", "ä", "a:b", &"x".repeat(33), "`x`"] {
            assert!(matches!(option_name(typed), Err(PieceError::Name(_))), "{typed}");
        }
        for typed in ["ar", "--SEED", "style", "niji", "iw"] {
            assert!(matches!(option_name(typed), Err(PieceError::Taken(_))), "{typed}");
        }
        assert_eq!((style_name("Neon").as_deref(), style_name("raw").is_err()), (Ok("neon"), true));
        assert_eq!(piece(" in\nink  --ar 3:2 ").as_deref(), Ok("in ink --ar 3:2"));
        assert_eq!(piece(" "), Err(PieceError::Empty));
        assert_eq!(piece(&"x".repeat(1001)), Err(PieceError::Long(1001)));
        for typed in ["--mine", "--ar", "{--steps 5, --bogus 2}"] {
            assert!(matches!(piece(typed), Err(PieceError::Unread(_))), "{typed}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_typed_makes_it_stumble(line in r"(a|fox|\{|\}|,|--ar 3:2|--mine|--style neon|\\|=| |--|—x){0,12}", suffix in proptest::option::of(".{0,12}")) {
            let personal = Personal { suffix, ..personal() };
            let _ = expanded(&line, &TypedOptions::default(), &personal);
        }
    }
}
