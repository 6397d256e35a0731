//! Commands in other languages: each catalogue says all that is said in English and nothing else, within Discord's limits.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::*;
use serde_json::Value;

/// Discord's name of each language, and its catalogue.
const CATALOGUES: [(&str, &str); 1] = [("de", include_str!("../locales/commands.de.json"))];

in_both_modes! {
    commands_are_registered_in_all_languages,
}

/// Commands, their options and the choices of these.
fn all(named: &Value) -> Vec<&Value> {
    let inner = ["options", "choices"].into_iter().flat_map(|field| named[field].as_array().into_iter().flatten()).flat_map(all);
    std::iter::once(named).chain(inner).collect()
}

fn text<'a>(named: &'a Value, field: &str) -> &'a str {
    named[field].as_str().unwrap_or_default()
}

/// A description with `{cost}` for what a picture costs.
fn template(english: &str) -> String {
    let Some((before, (_, after))) = english.split_once("(a usual picture: ").and_then(|(a, b)| Some((a, b.split_once(')')?))) else {
        return english.to_owned();
    };
    format!("{before}(a usual picture: {{cost}}){after}")
}

async fn commands_are_registered_in_all_languages(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let state = studio.ada.state().await.expect("readable");
    let commands: Vec<&Value> = state["commands"].as_array().into_iter().flatten().flat_map(all).collect();
    for (language, catalogue) in CATALOGUES {
        let catalogue: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(catalogue).expect("a catalogue");
        let (names, descriptions) = (&catalogue["names"], &catalogue["descriptions"]);
        let (mut n_names, mut n_descriptions) = (BTreeSet::new(), BTreeSet::new());
        for named in &commands {
            let (english, name) = (text(named, "description"), text(named, "name"));
            let translated = (&named["name_localizations"][language], &named["description_localizations"][language]);
            if english.is_empty() {
                assert_eq!(translated.0.as_str(), names.get(name).map(String::as_str), "{name}");
                let most = if named.get("value").is_some() { 100 } else { 32 };
                assert!(translated.0.as_str().is_some_and(|name| (1..=most).contains(&name.chars().count())), "{language} lacks {name}");
                n_names.insert(name.to_owned());
            } else {
                assert_eq!(*translated.0, Value::Null, "messages speak of {name}");
                let known = descriptions.get(&template(english)).unwrap_or_else(|| panic!("{language} lacks {english:?}"));
                let said = translated.1.as_str().unwrap_or_default();
                assert!((1..=100).contains(&said.chars().count()) && !said.contains("{cost}"), "{language}: {said:?}");
                // What a picture costs may have so many digits that English has no room for more.
                let has_cost = known.contains("{cost}");
                assert_eq!(has_cost, template(english).contains("{cost}"), "{known}");
                assert!(!has_cost || known.chars().count() <= template(english).chars().count(), "{known}");
                n_descriptions.insert(template(english));
            }
        }
        let unused = |known: &BTreeMap<String, String>, said: &BTreeSet<String>| -> Vec<String> {
            known.keys().filter(|known| !said.contains(*known)).cloned().collect()
        };
        assert_eq!((unused(names, &n_names), unused(descriptions, &n_descriptions)), (vec![], vec![]), "{language} says more");
    }
    studio.close().await;
}
