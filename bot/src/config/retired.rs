//! Keys of older versions: each is refused with the key that says the same now.

use anyhow::bail;
use toml::{Table, Value};

/// What to write in place of a key with this value.
type Instead = fn(&Value) -> String;

/// A key of an older version: its section, its name, and what takes its place.
const RETIRED: [(&str, &str, Instead); 2] = [
    ("model", "device", |device| format!("write `devices = [{device}]` in [engine]")),
    ("engine", "max_loaded_models", |_| "`engine.memory_mib` says how much memory models may take".to_owned()),
];

/// Refuses a key of an older version.
///
/// # Errors
/// One sentence with the key and the new one.
pub(super) fn check(table: &Table) -> anyhow::Result<()> {
    for (section, key, instead) in RETIRED {
        if let Some(value) = table.get(section).and_then(|section| section.get(key)) {
            bail!("`{section}.{key}` is a key of an older version: {}", instead(value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, tests::EXAMPLE};

    use super::RETIRED;

    #[test]
    fn a_key_of_an_older_version_is_answered_with_the_new_one() {
        for (text, sentence) in [
            ("[model]\ndevice = \"cuda:1\"", "`model.device` is a key of an older version: write `devices = [\"cuda:1\"]` in [engine]"),
            (
                "[engine]\nmax_loaded_models = 2",
                "`engine.max_loaded_models` is a key of an older version: `engine.memory_mib` says how much memory models may take",
            ),
        ] {
            let error = Config::parse(text).expect_err("an old key");
            assert_eq!(format!("{error:#}"), sentence);
        }
    }

    #[test]
    fn no_key_of_today_is_retired() {
        let example: toml::Table = toml::from_str(EXAMPLE).expect("the example is TOML");
        for (section, key, _) in RETIRED {
            assert!(example[section].get(key).is_none(), "{section}.{key}");
        }
    }
}
