//! What the Dockerfile names exists: paths, features, packages, programs, subcommands, and the place where the starter model is looked for.

use std::{collections::BTreeSet, path::PathBuf};

const DOCKERFILE: &str = include_str!("../../Dockerfile");
const IGNORED: &str = include_str!("../../.dockerignore");
const WORKSPACE: &str = include_str!("../../Cargo.toml");
const PACKAGE: &str = include_str!("../Cargo.toml");

/// An instruction's name and its words, in order; continued lines are one.
fn instructions() -> Vec<(String, String)> {
    let text: String = DOCKERFILE.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).expect("name and words")).collect()
}

fn words_of(name: &str) -> Vec<Vec<String>> {
    let of_name = instructions().into_iter().filter(|(found, _)| found == name);
    of_name.map(|(_, rest)| rest.split_whitespace().map(str::to_owned).collect()).collect()
}

fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).expect("the JSON form")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether the build may see a path: the last pattern that matches it or a folder above it decides, as docker does it.
fn is_sent(path: &str) -> bool {
    let matches = |pattern: &str| pattern == "*" || path == pattern || path.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('/'));
    IGNORED.lines().fold(true, |is_sent, line| match line.strip_prefix('!') {
        Some(pattern) => is_sent || matches(pattern),
        None => is_sent && !matches(line),
    })
}

#[test]
fn every_copied_path_exists_and_is_sent() {
    let stages: BTreeSet<_> = words_of("FROM").into_iter().filter_map(|words| words.get(2).cloned()).collect();
    let mut n_copied = 0;
    for words in words_of("COPY") {
        if let Some(stage) = words[0].strip_prefix("--from=") {
            assert!(stages.contains(stage), "{words:?} copies from an unknown stage");
            continue;
        }
        for source in &words[..words.len() - 1] {
            assert!(root().join(source).exists(), "{source} does not exist");
            assert!(is_sent(source), "{source} is in .dockerignore");
            n_copied += 1;
        }
    }
    assert!(n_copied >= 12);
    for hidden in ["target/dist/atelier", ".git/config", "atelier-data/atelier.sqlite", "models/starter/reference/0.png"] {
        assert!(!is_sent(hidden), "{hidden} is sent to the build");
    }
}

#[test]
fn every_member_of_the_workspace_is_copied() {
    let workspace: toml::Table = toml::from_str(WORKSPACE).expect("TOML");
    let members = workspace["workspace"]["members"].as_array().expect("a list");
    let copied = words_of("COPY");
    let n_builds = words_of("RUN").iter().filter(|words| words.contains(&"build".into())).count();
    for member in members.iter().filter_map(toml::Value::as_str) {
        assert_eq!(copied.iter().filter(|words| words[0] == member).count(), n_builds, "{member}");
    }
    let minimum = workspace["workspace"]["package"]["rust-version"].as_str().expect("a version");
    assert!(DOCKERFILE.contains(&format!("FROM rust:{minimum}-")), "the image's Rust is not {minimum}");
}

#[test]
fn every_build_names_a_package_a_program_and_features_that_exist() {
    let package: toml::Table = toml::from_str(PACKAGE).expect("TOML");
    let workspace: toml::Table = toml::from_str(WORKSPACE).expect("TOML");
    let features = package["features"].as_table().expect("features");
    let mut built = Vec::new();
    for words in words_of("RUN").into_iter().filter(|words| words.windows(2).any(|pair| pair == ["cargo", "build"])) {
        let start = words.iter().position(|word| word == "build").expect("found above") + 1;
        let mut options = words[start..].iter().take_while(|word| *word != "&&");
        let mut named = Vec::new();
        while let Some(option) = options.next() {
            match option.as_str() {
                "--locked" => {}
                "--profile" => {
                    let profile = options.next().expect("a profile").as_str();
                    assert!(workspace["profile"].get(profile).is_some(), "Cargo.toml has no profile `{profile}`");
                }
                "--package" => assert_eq!(options.next().map(String::as_str), package["package"]["name"].as_str()),
                "--bin" => assert_eq!(options.next().map(String::as_str), package["bin"][0]["name"].as_str()),
                "--features" => named.extend(options.next().expect("features").split(',').map(str::to_owned)),
                other => panic!("`cargo build {other}` is not known to this test"),
            }
        }
        for feature in &named {
            assert!(features.contains_key(feature), "bot/Cargo.toml has no feature `{feature}`");
        }
        assert!(words.iter().any(|word| word == "target/dist/atelier"));
        built.push(named);
    }
    assert_eq!(built, [vec![], vec!["cuda".to_owned()]]);
}

#[test]
fn what_the_image_runs_is_a_command_line_of_atelier() {
    let text_of = |name: &str| instructions().into_iter().filter(|(found, _)| found == name).map(|(_, rest)| rest).collect::<Vec<_>>();
    let (entrypoints, commands) = (text_of("ENTRYPOINT"), text_of("CMD"));
    assert_eq!((entrypoints.len(), commands.len()), (2, 2));
    for (entrypoint, command) in entrypoints.iter().zip(&commands) {
        let line = [list(entrypoint), list(command)].concat();
        assert_eq!(line[0], "atelier");
        if let Err(error) = atelier::cli::command().try_get_matches_from(&line) {
            panic!("{line:?}: {error}");
        }
    }
}

#[test]
fn the_images_keep_data_in_a_volume_and_are_not_root() {
    for stage in DOCKERFILE.split("\nFROM ").filter(|stage| stage.contains("ENTRYPOINT")) {
        for line in ["USER atelier", "WORKDIR /data", "VOLUME /data"] {
            assert!(stage.lines().any(|found| found == line), "{line} is not in {}", stage.lines().next().unwrap_or_default());
        }
        assert!(stage.contains("useradd --system") && stage.contains("--owner atelier"));
        // `models::starter` looks in `../share/atelier/models/starter` beside the program.
        assert!(stage.contains(" /usr/local/bin/atelier\n"));
        for part in ["model", "upscaler", "guide"] {
            assert!(stage.contains(&format!("COPY models/starter/{part} /usr/local/share/atelier/models/starter/{part}\n")));
        }
    }
}
