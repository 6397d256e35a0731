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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::LimitsConfig;

    /// The commands as Discord gets them where a picture costs this.
    fn commands(cost: f64) -> Value {
        let commands = poise::builtins::create_application_commands(&super::super::all(&LimitsConfig::default()));
        super::super::with_all(&commands, &[], &super::super::settings::descriptions(cost))
    }

    #[test]
    fn every_catalogue_says_what_is_said_and_nothing_else() {
        let (mut names, mut descriptions) = (BTreeSet::new(), BTreeSet::new());
        each(&mut commands(0.2), &mut |named| {
            let text = |field: &str| named.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            let english = text("description");
            match costs(&english) {
                _ if english.is_empty() => drop(names.insert(text("name"))),
                Some(cost) => drop(descriptions.insert(template(&english, cost))),
                None => drop(descriptions.insert(english)),
            }
        });
        for (language, catalogue) in CATALOGUES {
            let catalogue: Catalogue = serde_json::from_str(catalogue).expect("it is read");
            for (english, known) in [(&names, &catalogue.names), (&descriptions, &catalogue.descriptions)] {
                let known: BTreeSet<_> = known.keys().cloned().collect();
                let missing: Vec<_> = english.difference(&known).collect();
                let unused: Vec<_> = known.difference(english).collect();
                assert!(missing.is_empty() && unused.is_empty(), "{language}: missing {missing:#?}, not said any more {unused:#?}");
            }
            for (english, translated) in catalogue.descriptions {
                assert_eq!(english.contains(COST.1), translated.contains(COST.1), "{language}: {translated}");
            }
        }
    }

    #[test]
    fn what_is_translated_keeps_discords_limits_whatever_a_picture_costs() {
        for cost in [1e-9, 0.049_152, 13.0, 123_456.789] {
            let (mut n_names, mut n_descriptions) = (0, 0);
            each(&mut commands(cost), &mut |named| {
                let of = |field: &str| named.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
                for name in of("name_localizations").values().filter_map(Value::as_str) {
                    assert!(
                        (1..=32).contains(&name.chars().count()) || named.get("value").is_some() && name.chars().count() <= 100,
                        "{name}"
                    );
                    n_names += 1;
                }
                for description in of("description_localizations").values().filter_map(Value::as_str) {
                    assert!((1..=100).contains(&description.chars().count()) && !description.contains(COST.1), "{description}");
                    n_descriptions += 1;
                }
            });
            assert!(n_names > 10 && n_descriptions > 100, "{n_names} {n_descriptions}");
        }
    }
}
