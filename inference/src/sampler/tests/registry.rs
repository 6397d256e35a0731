//! What adding a sampler takes: a file and its line in the registry.

use std::{collections::BTreeSet, fs, path::Path};

use crate::sampler::Sampler;

/// The text of every file below a folder of the source, by its path.
fn sources(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), fs::read_to_string(&path).expect("text"))).collect()
}

#[test]
fn every_sampler_has_a_file_of_its_name_and_every_file_a_sampler() {
    let files: BTreeSet<String> = sources("sampler/methods").into_iter().map(|(name, _)| name).collect();
    let names: BTreeSet<String> = Sampler::ALL.into_iter().map(|sampler| sampler.name().to_owned()).collect();
    assert_eq!(files, names);
}

#[test]
fn names_are_plain_and_each_is_one_samplers() {
    let plain = |name: &str| name.to_lowercase().replace('+', "p").replace(|c: char| !c.is_ascii_alphanumeric(), "");
    let mut seen = BTreeSet::new();
    for sampler in Sampler::ALL {
        let names = sampler.names();
        assert!(names.others.iter().all(|other| plain(other) == *other), "{sampler}");
        assert!(!names.about.is_empty() && !names.about.ends_with('.'), "{sampler}");
        let all: BTreeSet<String> = [names.ours, names.shown].iter().chain(names.others).map(|name| plain(name)).collect();
        for name in all {
            assert!(seen.insert(name.clone()), "{name} is also {sampler}'s");
        }
    }
}

/// A schedule is numbers: whoever reads `schedule/` finds no tensor there and no sampler, so that a new sampler changes nothing in it.
#[test]
fn schedules_know_neither_tensors_nor_samplers() {
    let mut files = sources("schedule");
    files.extend(sources("").into_iter().filter(|(name, _)| name == "schedule"));
    assert!(files.len() > 12, "{}", files.len());
    for (name, text) in files {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let found: Vec<&str> = ["Tensor", "candle_core", "sampler", "Sampler"].into_iter().filter(|word| words.contains(word)).collect();
        assert!(found.is_empty(), "schedule/{name}.rs knows {found:?}");
    }
}
