//! What commands are called and described by in other languages, from one catalogue a language whose keys are the English words.
//!
//! Commands and options keep their names: messages speak of them. Choices and the entries of menus are read, so they are translated.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Discord's name of each language, and its catalogue.
const CATALOGUES: [(&str, &str); 1] = [("de", include_str!("../../locales/commands.de.json"))];
/// Where a description says what a picture costs.
const COST: (&str, &str, char) = ("(a usual picture: ", "{cost}", ')');

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    names: BTreeMap<String, String>,
    descriptions: BTreeMap<String, String>,
}

impl Catalogue {
    fn description(&self, english: &str) -> Option<String> {
        let cost = costs(english);
        let translated = self.descriptions.get(&cost.map_or_else(|| english.to_owned(), |cost| template(english, cost)))?;
        Some(translated.replace(COST.1, cost.unwrap_or_default()))
    }
}

/// What a description says that a picture costs.
fn costs(english: &str) -> Option<&str> {
    Some(english.split_once(COST.0)?.1.split_once(COST.2)?.0)
}

fn template(english: &str, cost: &str) -> String {
    english.replacen(&format!("{}{cost}{}", COST.0, COST.2), &format!("{}{}{}", COST.0, COST.1, COST.2), 1)
}

/// Adds all languages to commands as Discord gets them.
pub(super) fn localise(commands: &mut Value) {
    for (language, catalogue) in CATALOGUES {
        let catalogue: Catalogue = serde_json::from_str(catalogue).expect("a test reads the catalogue that is built in");
        each(commands, &mut |named| {
            let description = named.get("description").and_then(Value::as_str).and_then(|english| catalogue.description(english));
            // Of a word that stands on a choice and is a command's name too, the command keeps it.
            let english = named.get("name").and_then(Value::as_str).filter(|_| !has_description(named));
            let name = english.and_then(|english| catalogue.names.get(english).cloned());
            put(named, "name_localizations", (language, name));
            put(named, "description_localizations", (language, description));
        });
    }
}

fn has_description(named: &Map<String, Value>) -> bool {
    named.get("description").and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

fn put(named: &mut Map<String, Value>, field: &str, (language, translated): (&str, Option<String>)) {
    let Some(translated) = translated else { return };
    let all = named.entry(field).or_insert(Value::Null);
    if !all.is_object() {
        *all = json!({});
    }
    all[language] = translated.into();
}

/// Visits commands, their options and the choices of these.
fn each(all: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    for named in all.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        visit(named);
        for field in ["options", "choices"] {
            if let Some(inner) = named.get_mut(field) {
                each(inner, visit);
            }
        }
    }
}
