//! One rule for the names of models, adapters and embeddings: what is listed can be said, on the command line and in Discord.

use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use crate::system::printable::visible;

/// Longest name in characters.
const MAX_NAME: usize = 80;
/// These end a tag, a weight, a path or a quoted name.
const SIGNS: [char; 8] = ['/', '\\', ':', '<', '>', '`', '"', ','];

/// Why nobody could say a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {MAX_NAME} letters, digits, single spaces and signs other than / \\ : < > ` \" and the comma; this one {}", reason(.0))]
pub struct NameFault(Fault);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Empty,
    Long(usize),
    Sign(char),
    Start(char),
    Spaces,
    Dashes,
    Hidden(char),
}

fn reason(fault: &Fault) -> String {
    match fault {
        Fault::Empty => "is empty".to_owned(),
        Fault::Long(n) => format!("has {n} characters"),
        Fault::Sign(sign) => format!("has `{sign}`"),
        Fault::Start(sign) => format!("begins with `{sign}`"),
        Fault::Spaces => "has a space at an end or two together".to_owned(),
        Fault::Dashes => "has a word that begins as a parameter does".to_owned(),
        Fault::Hidden(sign) => format!("has {}, which nobody sees", sign.escape_unicode()),
    }
}

/// Whether people can say a name: in a prompt's tag, behind a parameter (in quotation marks where it has spaces), and never as a path.
///
/// # Errors
/// What is wrong with it.
pub fn check(name: &str) -> Result<(), NameFault> {
    let n_characters = name.chars().count();
    let fault = if name.is_empty() {
        Some(Fault::Empty)
    } else if n_characters > MAX_NAME {
        Some(Fault::Long(n_characters))
    } else if let Some(sign) = name.chars().find(|sign| SIGNS.contains(sign)) {
        Some(Fault::Sign(sign))
    } else if let Some(sign) = name.chars().find(|sign| *sign != ' ' && (sign.is_whitespace() || sign.is_control())) {
        Some(Fault::Hidden(sign))
    } else if name.starts_with(' ') || name.ends_with(' ') || name.contains("  ") {
        Some(Fault::Spaces)
    } else if name.split(' ').any(|word| word.starts_with("--") || word.starts_with('—')) {
        Some(Fault::Dashes)
    } else if visible(name) != name {
        name.chars().find(|sign| visible(sign.encode_utf8(&mut [0; 4])).chars().count() > 1).map(Fault::Hidden)
    } else {
        name.chars().next().filter(|sign| matches!(sign, '.' | '-' | '—' | '“' | '”' | '„')).map(Fault::Start)
    };
    fault.map_or(Ok(()), |fault| Err(NameFault(fault)))
}

/// The name of what only its path names: the folder's, or the file's without `.safetensors`, composed as people type it.
pub fn of_path(path: &Path) -> String {
    // `.` and `..` have names too.
    let real = if path.file_name().is_none() { std::fs::canonicalize(path).ok() } else { None };
    let path = real.as_deref().unwrap_or(path);
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.map_or_else(|| "model".into(), |name| composed(&name.to_string_lossy()))
}

/// A name as people type it: some systems write the letters of file names and their accents apart.
pub fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// A name in a line of words: in quotation marks if it has spaces.
pub fn quoted(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains(' ') { format!("\"{name}\"").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        for name in ["ink", "my style", "Dreamy Mix [v1.2] (fp16)", "upper", "モデル", "émail", "a.b-c_d", "(x)", "2ch", "👩‍🚀 style"]
        {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for (name, expected) in [
            ("", "this one is empty"),
            ("a:b", "this one has `:`"),
            ("../x", "this one has `/`"),
            ("a>b", "this one has `>`"),
            ("a, b", "this one has `,`"),
            ("say \"x\"", "this one has `\"`"),
            (".hidden", "this one begins with `.`"),
            ("-model", "this one begins with `-`"),
            ("a --seed", "has a word that begins as a parameter does"),
            (" a", "has a space at an end or two together"),
            ("a  b", "has a space at an end or two together"),
            ("a\tb", "has \\u{9}, which nobody sees"),
            ("a\u{1b}[31m", "has \\u{1b}, which nobody sees"),
            ("a\u{202e}b", "has \\u{202e}, which nobody sees"),
            ("a\u{a0}b", "has \\u{a0}, which nobody sees"),
            ("a\u{200b}b", "has \\u{200b}, which nobody sees"),
        ] {
            let error = check(name).expect_err(name).to_string();
            assert!(error.starts_with("a name has 1 to 80 letters") && error.ends_with(expected), "{error}");
        }
        assert!(check(&"é".repeat(80)).is_ok() && check(&"é".repeat(81)).is_err());
    }

    #[test]
    fn paths_give_the_name_that_people_see() {
        for (path, name) in [
            ("/m/bad hands.safetensors", "bad hands"),
            ("/m/upper.SAFETENSORS", "upper"),
            ("/m/Dreamy Mix [v1.2] (fp16).safetensors", "Dreamy Mix [v1.2] (fp16)"),
            ("/m/e\u{301}mail.safetensors", "émail"),
        ] {
            assert_eq!(of_path(Path::new(path)), name);
        }
    }

    proptest! {
        #[test]
        fn a_name_that_can_be_said_is_one_plain_line(name in "\\PC{0,90}|[ -~\\u{80}-\\u{2fff}]{0,90}") {
            if check(&name).is_ok() {
                prop_assert_eq!(name.split_whitespace().collect::<Vec<_>>().join(" "), name.clone());
                prop_assert_eq!(&visible(&name), &name);
            }
        }
    }
}
