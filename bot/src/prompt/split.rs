//! A line as the prompt's words and the parameters after them.

use inference::{sampler::SamplerChoice, schedule::ScheduleKind};

use super::{
    PromptError, foreign, lookup,
    near::slipped,
    parameter::{Key, Takes},
};

/// Most words of a sampler's and a schedule's name together: `DPM++ 2M SDE SGM Uniform`.
const MAX_NAME_WORDS: usize = 5;

/// One option as it was written.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) key: Key,
    pub(super) value: String,
    /// How an error names it.
    pub(super) shown: String,
}

/// A line in its parts.
pub(super) struct Line {
    pub(super) prompt: String,
    /// The parameters in their order.
    pub(super) parameters: Vec<Given>,
    /// Those that have no meaning here, each once, with their dashes.
    pub(super) foreign: Vec<String>,
}

/// Drops control characters and makes every run of white space one space.
pub(super) fn clean(text: &str) -> String {
    let printable: String = text.chars().filter(|c| c.is_whitespace() || !c.is_control()).collect();
    printable.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line in its parts.
pub(super) fn split(line: &str) -> Result<Line, PromptError> {
    let line = clean(line);
    let mut words = line.split(' ').peekable();
    let prompt = take_text(&mut words).join(" ");
    let mut split = Line { prompt, parameters: Vec::new(), foreign: Vec::new() };
    while let Some(word) = words.next() {
        let (name, values) = raw(named(word, take_text(&mut words)));
        match foreign::takes(&name) {
            Some(takes) => {
                check_foreign(&name, takes, &values)?;
                let name = format!("--{name}");
                if !split.foreign.contains(&name) {
                    split.foreign.push(name);
                }
            }
            None => split.parameters.push(parameter(&name, &values)?),
        }
    }
    Ok(split)
}

/// The first parameter in a text, with its dashes.
pub(super) fn first_parameter(text: &str) -> Option<String> {
    clean(text).split(' ').find_map(parameter_name).map(|name| format!("--{name}"))
}

/// The words that stand before the first parameter of a text.
pub fn words_before_parameters(text: &str) -> String {
    take_text(&mut clean(text).split(' ').peekable()).join(" ")
}

/// The words up to the next parameter.
fn take_text<'a>(words: &mut std::iter::Peekable<std::str::Split<'a, char>>) -> Vec<&'a str> {
    std::iter::from_fn(|| words.next_if(|word| parameter_name(word).is_none())).collect()
}

/// What follows the dashes of a parameter. An em dash begins one only before a letter: people write it between words too.
pub(super) fn parameter_name(word: &str) -> Option<&str> {
    let (name, is_start): (_, fn(char) -> bool) = match word.strip_prefix("--") {
        Some(name) => (name, char::is_alphanumeric),
        None => (word.strip_prefix('—')?, |c| c.is_ascii_alphabetic()),
    };
    name.starts_with(is_start).then_some(name)
}

/// A parameter's name in small letters, and the words behind it.
fn named<'a>(word: &'a str, mut values: Vec<&'a str>) -> (String, Vec<&'a str>) {
    let name = parameter_name(word).unwrap_or(word);
    // `--seed=7` is `--seed 7`.
    let name = match name.split_once('=') {
        Some((name, value)) => {
            values.insert(0, value);
            name
        }
        None => name,
    };
    (name.to_lowercase(), values)
}

/// `--style raw` is `--raw`; Midjourney's other styles have no meaning here.
fn raw((name, mut values): (String, Vec<&str>)) -> (String, Vec<&str>) {
    if name == "style" && values.first().is_some_and(|value| value.eq_ignore_ascii_case("raw")) {
        values.remove(0);
        return ("raw".to_owned(), values);
    }
    (name, values)
}

/// What stands behind a parameter without a meaning must be its value: words of a prompt are not lost.
fn check_foreign(name: &str, takes: Takes, values: &[&str]) -> Result<(), PromptError> {
    let n_values = match takes {
        Takes::Nothing => 0,
        Takes::One | Takes::Name => 1.min(values.len()),
        Takes::All => values.len(),
    };
    if values.len() == n_values {
        return Ok(());
    }
    let after = format!("--{name} {}", values[..n_values].join(" ")).trim_end().to_owned();
    Err(PromptError::Stray { words: values[n_values..].join(" "), after })
}

/// One parameter, of its name in small letters and the words behind it.
pub(super) fn parameter(name: &str, values: &[&str]) -> Result<Given, PromptError> {
    let Some(found) = lookup::find(name) else {
        return Err(PromptError::Unknown { near: slipped(lookup::names(), name), name: format!("--{name}") });
    };
    let key = found.key;
    let (value, n_values) = match (found.takes, quoted(values)) {
        (Takes::All, _) => (values.join(" "), values.len()),
        (Takes::Nothing, _) if key == Key::Speed => (name.to_owned(), 0),
        (Takes::Nothing, _) => (String::new(), 0),
        (_, Some(quoted)) => quoted,
        (Takes::Name, _) if key == Key::Schedule => longest_name(values, |name| name.parse::<ScheduleKind>().is_ok()),
        (Takes::Name, _) => longest_name(values, |name| name.parse::<SamplerChoice>().is_ok()),
        (Takes::One, _) => (values.first().copied().unwrap_or_default().to_owned(), 1),
    };
    if value.is_empty() && found.takes != Takes::Nothing {
        return Err(PromptError::NoValue { name: name.to_owned(), example: found.example });
    }
    let shown = if n_values == 0 { format!("--{name}") } else { format!("--{name} {value}") };
    if values.len() > n_values {
        return Err(PromptError::Stray { words: values[n_values..].join(" "), after: shown });
    }
    Ok(Given { key, value, shown })
}

/// Quotation marks; phones make them round.
const MARKS: [char; 4] = ['"', '“', '”', '„'];

/// A value without the quotation marks round it.
pub(super) fn unquoted(value: &str) -> &str {
    let is_quoted = value.chars().count() > 1 && value.starts_with(MARKS) && value.ends_with(MARKS);
    if is_quoted { value.trim_matches(MARKS).trim() } else { value }
}

/// What stands in quotation marks, and how many words it takes.
fn quoted(values: &[&str]) -> Option<(String, usize)> {
    values.first().filter(|first| first.starts_with(MARKS))?;
    let n_values = (1..=values.len()).find(|n| {
        let word = values[n - 1];
        // A mark that stands alone at the start opens and does not close.
        word.ends_with(MARKS) && (*n > 1 || word.chars().count() > 1)
    })?;
    Some((unquoted(&values[..n_values].join(" ")).to_owned(), n_values))
}

/// The most words that are a name together, or all of them where none are.
fn longest_name(values: &[&str], is_name: impl Fn(&str) -> bool) -> (String, usize) {
    let n_values = (1..=values.len().min(MAX_NAME_WORDS)).rev().find(|n| is_name(&values[..*n].join(" "))).unwrap_or(values.len());
    (values[..n_values].join(" "), n_values)
}
