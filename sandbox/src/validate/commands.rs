use super::{is_given, items, join, number, text};
use crate::error::FormErrors;
use serde_json::Value;
use std::collections::HashSet;

const SLASH: u64 = 1;
const SUBCOMMAND: u64 = 1;
const GROUP: u64 = 2;
const STRING: u64 = 3;
const INTEGER: u64 = 4;
const NUMBER: u64 = 10;
/// What options a command, a group of subcommands and a subcommand have.
const OF_COMMAND: [u64; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const OF_GROUP: [u64; 1] = [SUBCOMMAND];
const OF_SUBCOMMAND: [u64; 9] = [3, 4, 5, 6, 7, 8, 9, 10, 11];
const N_OPTIONS: usize = 25;
const N_CHOICES: usize = 25;
/// Whole numbers beyond are not exact in JSON.
const MAX_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Notes what is wrong with a command that a bot registers.
pub(crate) fn command(errors: &mut FormErrors, at: &str, command: &Value) {
    let kind = command["type"].as_u64().unwrap_or(SLASH);
    text(errors, &join(at, "name"), &command["name"], 1, 32);
    match kind {
        SLASH => {
            names(errors, at, command);
            text(errors, &join(at, "description"), &command["description"], 1, 100);
            options(errors, &join(at, "options"), items(&command["options"]), &OF_COMMAND);
        }
        2 | 3 => {
            for field in ["description", "options"].iter().filter(|field| is_given(&command[**field])) {
                let told = format!("Context menu commands cannot have {field}");
                errors.add(&join(at, field), "APPLICATION_COMMAND_CONTEXT_MENU_INVALID", told);
            }
        }
        4 => {}
        _ => errors.choice(&join(at, "type"), "1, 2, 3, 4"),
    }
}

fn options(errors: &mut FormErrors, at: &str, options: &[Value], allowed: &[u64]) {
    if options.len() > N_OPTIONS {
        errors.too_long(at, N_OPTIONS);
    }
    let n_nested = options.iter().filter(|option| is_nested(option)).count();
    if n_nested > 0 && n_nested < options.len() {
        let told = "Sub-command and sub-command group option types are mutually exclusive to all other types";
        errors.add(at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", told);
    }
    let (mut seen, mut seen_optional) = (HashSet::new(), false);
    for (n, option) in options.iter().enumerate() {
        let path = format!("{at}.{n}");
        let kind = option["type"].as_u64();
        if !kind.is_some_and(|kind| allowed.contains(&kind)) {
            errors.union(&path, &allowed.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
            continue;
        }
        text(errors, &format!("{path}.name"), &option["name"], 1, 32);
        names(errors, &path, option);
        text(errors, &format!("{path}.description"), &option["description"], 1, 100);
        let name = option["name"].as_str().unwrap_or_default();
        if !seen.insert(name) {
            errors.add(&path, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", format!("Option name {name} is already used in these options"));
        }
        let is_required = option["required"] == true;
        if is_required && seen_optional {
            let message = "Required options must be placed before non-required options";
            errors.add(&path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message);
        }
        seen_optional |= !is_required && !is_nested(option);
        match kind {
            Some(SUBCOMMAND) => self::options(errors, &format!("{path}.options"), items(&option["options"]), &OF_SUBCOMMAND),
            Some(GROUP) => self::options(errors, &format!("{path}.options"), items(&option["options"]), &OF_GROUP),
            _ => value(errors, &path, option),
        }
    }
}

fn is_nested(option: &Value) -> bool {
    matches!(option["type"].as_u64(), Some(SUBCOMMAND | GROUP))
}

/// Notes what is wrong with the values that an option says it takes.
fn value(errors: &mut FormErrors, path: &str, option: &Value) {
    if option["autocomplete"] == true && is_given(&option["choices"]) {
        errors.add(path, "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Autocomplete options cannot have choices");
    }
    choices(errors, &format!("{path}.choices"), &option["choices"], &[option]);
    number(errors, &format!("{path}.min_length"), &option["min_length"], 0, 6000);
    number(errors, &format!("{path}.max_length"), &option["max_length"], 1, 6000);
    for (least, most) in [("min_length", "max_length"), ("min_value", "max_value")] {
        if let (Some(min), Some(max)) = (option[least].as_f64(), option[most].as_f64())
            && min > max
        {
            errors.add(&format!("{path}.{least}"), "NUMBER_TYPE_MAX", format!("{least} must be less than or equal to {most}."));
        }
    }
}

/// Notes what is wrong with the choices of an option, or with those that an autocomplete callback suggests.
///
/// `options`: each value must suit one of them; any value will do when there is none.
pub(crate) fn choices(errors: &mut FormErrors, at: &str, choices: &Value, options: &[&Value]) {
    if items(choices).len() > N_CHOICES {
        errors.too_long(at, N_CHOICES);
    }
    for (n, choice) in items(choices).iter().enumerate() {
        text(errors, &format!("{at}.{n}.name"), &choice["name"], 1, 100);
        let faults: Vec<_> = options.iter().map(|option| unsuitable(option, &choice["value"])).collect();
        if let Some(Some((code, told))) = faults.first().filter(|_| faults.iter().all(Option::is_some)) {
            errors.add(&format!("{at}.{n}.value"), code, told.as_str());
        }
    }
}

/// Why a value is none for an option.
fn unsuitable(option: &Value, value: &Value) -> Option<(&'static str, String)> {
    let range = |number: f64| {
        let (min, max) = (option["min_value"].as_f64(), option["max_value"].as_f64());
        match (min.filter(|min| number < *min), max.filter(|max| number > *max)) {
            (Some(min), _) => Some(("NUMBER_TYPE_MIN", format!("value should be greater than or equal to {min}."))),
            (_, Some(max)) => Some(("NUMBER_TYPE_MAX", format!("value should be less than or equal to {max}."))),
            (None, None) => None,
        }
    };
    match (option["type"].as_u64(), value) {
        (Some(STRING), Value::String(text)) => {
            (text.chars().count() > 100).then(|| ("BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.".to_owned()))
        }
        (Some(STRING), _) => Some(("STRING_TYPE_CONVERT", "Could not interpret the value as string.".to_owned())),
        (Some(INTEGER), _) => match value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= MAX_INTEGER) {
            Some(number) => range(number),
            None => Some(("NUMBER_TYPE_COERCE", format!("Value {value} is not int."))),
        },
        (Some(NUMBER), _) => match value.as_f64() {
            Some(number) => range(number),
            None => Some(("NUMBER_TYPE_COERCE", format!("Value {value} is not float."))),
        },
        _ => None,
    }
}

/// The options of a command, at any depth, whose values the bot suggests.
pub(crate) fn suggesting(command: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    for option in items(&command["options"]) {
        if option["autocomplete"] == true {
            found.push(option);
        }
        found.extend(suggesting(option));
    }
    found
}

fn names(errors: &mut FormErrors, at: &str, named: &Value) {
    let translations = named["name_localizations"].as_object().into_iter().flatten();
    let translations = translations.map(|(locale, name)| (join(at, &format!("name_localizations.{locale}")), name));
    for (path, name) in std::iter::once((join(at, "name"), &named["name"])).chain(translations) {
        if name.as_str().is_some_and(|name| !name.chars().all(is_of_name)) {
            errors.add(&path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
        }
    }
}

/// `[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]`, in lower case where there is one.
fn is_of_name(c: char) -> bool {
    let has_lower_case = c.to_lowercase().ne([c]);
    let is_marked = matches!(c, '\u{900}'..='\u{97f}' | '\u{a8e0}'..='\u{a8ff}' | '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e5b}');
    (c.is_alphanumeric() || is_marked || matches!(c, '-' | '_' | '\'')) && !has_lower_case
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_in_lower_case() {
        let check = |name: &str, expected| assert_eq!(name.chars().all(is_of_name), expected, "{name}");
        for name in ["imagine", "two-words", "o'clock", "größe", "画像", "चित्र", "รูปภาพ", "v2"] {
            check(name, true);
        }
        for name in ["Imagine", "two words", "a/b", "grÖße", "Ǆ", "ǅ", "a.b", "🦊"] {
            check(name, false);
        }
    }
}
