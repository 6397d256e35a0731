//! Every parameter by every spelling: as a flag and inside the prompt, here and in Discord.

use std::sync::OnceLock;

use clap::Parser;
use inference::catalogue::{Catalogue, ModelCard};

use super::*;
use crate::{
    cli::{Cli, Command},
    models,
    prompt::{self, ParseContext, TypedOptions},
};

/// What is known of the starter model.
fn info() -> &'static ModelCard {
    static CARD: OnceLock<ModelCard> = OnceLock::new();
    CARD.get_or_init(|| {
        let config = models::catalogue_config(&Config::default()).expect("the starter model");
        ModelCard::clone(&Catalogue::open(&config).expect("it is there").models()[0])
    })
}

/// What the command line would draw.
fn task(arguments: &[&str]) -> anyhow::Result<Task> {
    let cli = Cli::try_parse_from(["atelier", "imagine"].iter().chain(arguments))?;
    let Command::Imagine(args) = cli.command else { anyhow::bail!("another command") };
    let folder = tempfile::tempdir()?;
    let mut prepared = prepare::prepare(Config::default(), &args, &Hashes::in_folder(folder.path()))?;
    Ok(submit::submission(&args, &mut prepared, info())?.task)
}

/// What the bot would draw.
fn in_discord(line: &str) -> Result<Task, prompt::PromptError> {
    let config = Config::default();
    let known = models::known(&config).expect("the starter model").swap_remove(0);
    let context = ParseContext {
        models: vec![models::suited(&config, &known, info())],
        loras: Vec::new(),
        gone: prompt::Gone::default(),
        max_steps: 150,
        n_images: 4,
        max_images: prompt::MAX_IMAGES,
        start: prompt::Start::Nothing,
        strength: 0.6,
        random_seed: Seed(7),
        seed_offset: 0,
        max_jobs: 4,
        wildcards: Default::default(),
        usual: Default::default(),
        personal: Default::default(),
        max_seed: prompt::MAX_SEED,
    };
    prompt::parse(line, &TypedOptions::default(), &context).map(|parsed| Task::from(parsed.task))
}

/// Another value than the example's.
fn other(spelling: &str) -> &'static str {
    match spelling {
        "no" | "negative" | "neg" => "noise",
        "ar" | "aspect" => "2:1",
        "width" | "height" => "80",
        "seed" => "8",
        "steps" => "20",
        "cfg" | "guidance" => "3",
        "sampler" => "heun",
        "schedule" => "beta",
        "images" | "count" => "3",
        "model" => "another",
        "clip-skip" => "2",
        "rescale" | "guidance-rescale" => "0.1",
        "hires" => "3",
        "stop" => "30",
        "strength" => "0.3",
        "quality" | "q" => "3",
        "stylize" | "stylise" | "s" => "50",
        "exp" => "10",
        "chaos" | "c" => "20",
        "weird" | "w" => "100",
        "iw" => "2",
        _ => panic!("a new parameter: {spelling}"),
    }
}

#[test]
fn each_parameter_means_the_same_by_each_spelling_in_each_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let init = folder.path().join("init.png");
    RgbImage::new(64, 64).save(&init).expect("a picture");
    let init = init.display().to_string();
    let mut n = 0;
    // A LoRA must be there, and as a flag it may be a file. What is several jobs in Discord is one here.
    for (spelling, example) in prompt::spellings().filter(|(spelling, _)| !matches!(*spelling, "lora" | "repeat" | "r")) {
        let value = if spelling == "model" { models::STARTER_NAME } else { example };
        let flag = format!("--{spelling}");
        let mut rest = if spelling == "seed" { Vec::new() } else { vec!["--seed", "7"] };
        if matches!(spelling, "strength" | "iw") {
            rest.extend(["--init", &init]);
        }
        let drawn = |first: &[&str]| task(&[first, &rest[..]].concat());
        let inside = format!("a fox {flag} {value}");
        let expected = drawn(&[&inside]).expect(&inside);
        let flags: Vec<_> = [flag.as_str(), value].into_iter().filter(|part| !part.is_empty()).collect();
        assert_eq!(drawn(&[&["a fox"], &flags[..]].concat()).expect(&flag), expected, "{flag} as a flag");
        assert_eq!(drawn(&[&[inside.as_str()], &flags[..]].concat()).expect(&flag), expected, "{flag} in both places");
        assert_eq!(drawn(&[&inside, "--parse"]).expect(&flag), expected, "{flag} when asked for");
        // The built-in model has no negative prompt of its own.
        if !matches!(spelling, "model" | "seed" | "raw") {
            assert_ne!(drawn(&["a fox"]).expect("a fox"), expected, "{flag} does something");
        }
        if matches!(spelling, "strength" | "iw") {
            assert!(in_discord(&inside).is_err(), "there is no picture");
        } else {
            assert_eq!(in_discord(&inside).expect(&flag), expected, "{flag} in Discord");
        }
        if !value.is_empty() {
            let second = other(spelling);
            let error = crate::cli::sentence(&drawn(&[&inside, &flag, second]).expect_err(&flag));
            assert!(error.contains(&format!("`{flag} {value}` and `--")) && error.contains("contradict each other"), "{error}");
            assert!(error.contains(&format!(" {second}`")), "{error}");
        }
        n += 1;
    }
    assert_eq!(n, 38, "all of them");
}

#[test]
fn an_aspect_and_a_side_contradict_each_other_wherever_they_stand() {
    for arguments in [
        &["a fox --ar 3:2 --width 96"][..],
        &["a fox --ar 3:2", "--width", "96"],
        &["a fox --ar 3:2", "--height", "96"],
        &["a fox --height 96", "--ar", "3:2"],
    ] {
        let error = crate::cli::sentence(&task(arguments).expect_err("two sizes"));
        assert!(error.contains("contradict each other"), "{arguments:?}: {error}");
    }
    assert!(task(&["a fox", "--ar", "3:2", "--width", "96"]).expect_err("two flags").to_string().contains("cannot be used with"));
}

#[test]
fn what_is_no_parameter_is_refused_as_in_discord_unless_the_prompt_is_taken_as_it_stands() {
    for line in ["a fox --frobnicate 5", "a fox --seed", "a fox --ar 0:2", "a fox --seed 7 in snow"] {
        let error = task(&[line]).expect_err(line).to_string();
        // A seed may be larger here, which no line of these says.
        assert_eq!(error, in_discord(line).expect_err(line).to_string(), "{line}");
        let taken = task(&[line, "--literal"]).ok();
        let Some(drawn) = taken.as_ref().and_then(Task::base) else { panic!("{line}") };
        assert_eq!((drawn.prompt.as_str(), drawn.size), (line, info().native_size));
    }
}

#[test]
fn repetitions_are_pictures_of_one_job_here() {
    let n_images = |arguments: &[&str]| task(arguments).map(|task| task.n_images()).map_err(|error| error.to_string());
    assert_eq!(n_images(&["a fox --repeat 3"]), Ok(12));
    assert_eq!(n_images(&["a fox --images 2", "--r", "2"]), Ok(4));
    assert_eq!(n_images(&["a fox --repeat 5"]), Err("That would be 5 grids, and 4 are the most for one prompt.".into()));
}
