//! The table of parameters for people, as it stands in `docs/midjourney.md`.

use super::{
    parameter::{Parameter, Takes},
    table::PARAMETERS,
};

/// Every parameter as a row of a Markdown table.
pub fn reference() -> String {
    let head = "| parameter | value | what it does | models | Midjourney's |\n|---|---|---|---|---|\n";
    PARAMETERS.iter().fold(head.to_owned(), |table, parameter| table + &row(parameter))
}

fn row(parameter: &Parameter) -> String {
    let names: Vec<_> = parameter.spellings.iter().map(|spelling| format!("`--{spelling}`")).collect();
    let value = if parameter.takes == Takes::Nothing { "none" } else { parameter.range };
    let theirs = if parameter.theirs.is_empty() { "none" } else { parameter.theirs };
    format!("| {} | {value} | {} | {} | {theirs} |\n", names.join(" "), parameter.about, parameter.served_by())
}

#[cfg(test)]
mod tests {
    use super::{super::parameter::Key, *};

    #[test]
    fn the_documentation_has_every_parameter_as_it_is() {
        let page = include_str!("../../../docs/midjourney.md");
        let start = "<!-- the table of parameters: bot/src/prompt/table.rs -->\n";
        let found = page.split_once(start).and_then(|(_, rest)| rest.split_once("\n\n")).map(|(table, _)| format!("{table}\n"));
        assert_eq!(found.as_deref(), Some(reference().as_str()), "write the table anew");
    }

    #[test]
    fn no_spelling_is_of_two_parameters_and_every_row_says_what_it_is() {
        let mut spellings: Vec<_> = PARAMETERS.iter().flat_map(|parameter| parameter.spellings).collect();
        let n = spellings.len();
        spellings.sort_unstable();
        spellings.dedup();
        assert_eq!(spellings.len(), n);
        for Parameter { spellings, takes, example, range, about, key, .. } in PARAMETERS {
            assert_eq!(takes == Takes::Nothing, example.is_empty() && range.is_empty(), "{spellings:?}");
            assert!(!about.is_empty() && !about.contains('|') && !about.ends_with('.'), "{spellings:?}");
            // A speed is a word or a value.
            assert!(key == Key::Speed || PARAMETERS.iter().filter(|other| other.key == key).count() == 1, "{spellings:?}");
        }
    }
}
