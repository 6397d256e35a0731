//! A person's own words: what `/prefer` and `/style` say of them.

use super::words::shorten;
use crate::{
    answer::{Answer, File},
    chosen::MAX_OWN,
    prompt::{MAX_PIECE, Personal, PieceError},
};

/// Longest piece that is shown whole; the file has all of it.
const MAX_SHOWN: usize = 60;

/// What of somebody's own words was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed<'a> {
    /// A piece stands under this name now.
    Option(&'a str),
    /// A set stands under this name now.
    Style(&'a str),
    /// This name stands for nothing any more.
    Removed(&'a str),
    /// What is added to each prompt.
    Suffix,
    /// Nothing is added any more.
    NoSuffix,
}

/// What is changed, and what stands for what now.
pub fn preferred(changed: Changed<'_>, personal: &Personal) -> Answer {
    let first = match changed {
        Changed::Option(name) => format!("Kept: `--{name}` in a prompt stands for `{}` from now on.", shown(&personal.options, name)),
        Changed::Style(name) => format!("Kept: `--style {name}` adds `{}` from now on.", shown(&personal.styles, name)),
        Changed::Removed(name) => format!("`{name}` stands for nothing any more."),
        Changed::Suffix => {
            let suffix = personal.suffix.as_deref().unwrap_or_default();
            format!(
                "From now on `{}` is added to each of your prompts. /prefer suffix without words takes it away.",
                code(suffix, MAX_PIECE)
            )
        }
        Changed::NoSuffix => "Nothing is added to your prompts any more.".to_owned(),
    };
    Answer::text(shorten(&first, 2000))
}

fn shown(all: &[(String, String)], name: &str) -> String {
    all.iter().find(|(known, _)| known == name).map(|(_, piece)| code(piece, MAX_PIECE)).unwrap_or_default()
}

/// Everything that somebody chose, in short and as a file.
pub fn all_preferred(personal: &Personal, exported: &serde_json::Value) -> Answer {
    let line = |sign: &str, (name, piece): &(String, String)| format!("• `{sign}{name}`: `{}`", code(piece, MAX_SHOWN));
    let mut lines: Vec<String> = personal.options.iter().map(|option| line("--", option)).collect();
    if lines.is_empty() {
        lines.push(
            "You have no options of your own yet. `/prefer option set` keeps a piece of a prompt under a name, such as `--mine`."
                .to_owned(),
        );
    } else {
        lines.insert(0, format!("Your own options ({} of {MAX_OWN}), as they stand in your prompts:", personal.options.len()));
    }
    if let Some(suffix) = &personal.suffix {
        lines.push(format!("• added to each prompt: `{}`", code(suffix, MAX_SHOWN)));
    }
    let file = File {
        name: "what-you-chose.json".into(),
        bytes: serde_json::to_vec_pretty(exported).unwrap_or_default(),
        description: "All that you chose with /settings, /prefer, /style and /model".into(),
    };
    Answer { files: vec![file], ..Answer::text(shorten(&lines.join("\n"), 2000)) }
}

/// The sets that somebody may name here.
pub fn styles(all: &[(String, String)]) -> Answer {
    if all.is_empty() {
        return Answer::text(
            "There are no styles yet. `/style set` keeps words and parameters under a name; `--style NAME` in a prompt adds them.",
        );
    }
    let line = |(name, piece): &(String, String)| format!("• `--style {name}`: `{}`", code(piece, MAX_SHOWN));
    let lines: Vec<String> = ["Styles, yours and this place's:".to_owned()].into_iter().chain(all.iter().map(line)).collect();
    Answer::text(shorten(&lines.join("\n"), 2000))
}

/// Somebody's words between marks of code.
fn code(text: &str, most: usize) -> String {
    shorten(&crate::system::printable::printable(text).replace('`', "'"), most)
}

/// Why own words are not kept.
pub(super) fn refused(error: &PieceError) -> String {
    match error {
        PieceError::Unread(error) => error.to_string(),
        other => format!("I cannot keep that: {other}."),
    }
}
