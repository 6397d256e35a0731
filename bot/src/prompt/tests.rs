use inference::{
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{ImageSize, Seed},
};

use super::*;

mod models;
mod names;
mod properties;
mod sentences;
mod speed;

pub(super) fn model(name: &str) -> ModelDefaults {
    ModelDefaults {
        name: name.into(),
        native_size: ImageSize::new(512, 512),
        size_multiple: 64,
        max_side: 2048,
        steps: 25,
        guidance_scale: 7.5,
        sampler: Sampler::DpmPp2M,
        schedule: ScheduleKind::Normal,
        clip_skip: 0,
        negative_prompt: None,
        reads_parts: true,
    }
}

/// A model whose every default differs from the first one's.
fn dreamy() -> ModelDefaults {
    ModelDefaults {
        name: "dreamy".into(),
        native_size: ImageSize::new(96, 64),
        size_multiple: 16,
        max_side: 256,
        steps: 8,
        guidance_scale: 3.0,
        sampler: Sampler::EulerA,
        schedule: ScheduleKind::Karras,
        clip_skip: 1,
        negative_prompt: Some("noise".into()),
        reads_parts: true,
    }
}

pub(super) fn context() -> ParseContext {
    ParseContext {
        models: vec![model("usual"), dreamy()],
        loras: vec!["ink".into(), "wash".into()],
        gone: Gone::default(),
        max_steps: 100,
        n_images: 4,
        max_images: 4,
        start: Start::Nothing,
        strength: 0.6,
        random_seed: Seed(4242),
        seed_offset: 0,
        max_jobs: 10,
        wildcards: Wildcards::default(),
        usual: Usual::default(),
        personal: Personal::default(),
        max_seed: u32::MAX.into(),
    }
}

pub(super) fn base() -> TextToImage {
    TextToImage {
        prompt: "a fox".into(),
        negative_prompt: None,
        model: Some("usual".into()),
        size: ImageSize::new(512, 512),
        steps: 25,
        guidance_scale: 7.5,
        sampler: Sampler::DpmPp2M,
        schedule: ScheduleKind::Normal,
        seed: Seed(4242),
        n_images: 4,
        ..TextToImage::default()
    }
}

#[track_caller]
pub(super) fn check(line: &str, expected: TextToImage) {
    check_typed(line, TypedOptions::default(), expected);
}

#[track_caller]
fn check_typed(line: &str, typed: TypedOptions, expected: TextToImage) {
    let seed_given = typed.seed.is_some() || line.contains("-seed") || line.contains("—seed");
    assert_eq!(
        parse(line, &typed, &context()),
        Ok(Parsed { task: expected, strength: None, repeat: 1, seed_given, speed: None, notes: Vec::new() }),
        "{line}"
    );
}

#[track_caller]
pub(super) fn check_error(line: &str, expected: &str) {
    check_typed_error(line, TypedOptions::default(), expected);
}

#[track_caller]
fn check_typed_error(line: &str, typed: TypedOptions, expected: &str) {
    assert_eq!(parse(line, &typed, &context()).expect_err(line).to_string(), expected);
}

fn prompt(text: &str) -> TextToImage {
    TextToImage { prompt: text.into(), ..base() }
}

#[test]
fn a_prompt_alone_takes_the_defaults() {
    check("a fox", base());
    check("  a\tfox\n ", base());
    check("a\u{0} f\u{7}ox\u{1b}", base());
}

#[test]
fn parameters_are_read_from_the_end_of_the_prompt() {
    check(
        "a fox in snow --ar 3:2 --no text, people --seed 7 --steps 30 --cfg 7 --sampler euler --schedule karras --images 2",
        TextToImage {
            prompt: "a fox in snow".into(),
            negative_prompt: Some("text, people".into()),
            size: ImageSize::new(640, 448),
            steps: 30,
            guidance_scale: 7.0,
            sampler: Sampler::Euler,
            schedule: ScheduleKind::Karras,
            seed: Seed(7),
            n_images: 2,
            ..base()
        },
    );
}

#[test]
fn every_spelling_sets_its_option() {
    for line in ["a fox --no text", "a fox --negative text", "a fox --neg text", "a fox —no text", "a fox --NO text", "a fox --no=text"] {
        check(line, TextToImage { negative_prompt: Some("text".into()), ..base() });
    }
    for line in ["a fox --ar 2:1", "a fox --aspect 2:1", "a fox —ar 2:1", "a fox --ar 4:2", "a fox --ar=2:1"] {
        check(line, TextToImage { size: ImageSize::new(768, 384), ..base() });
    }
    for line in ["a fox --cfg 3.5", "a fox --guidance 3.5", "a fox —cfg 3.50"] {
        check(line, TextToImage { guidance_scale: 3.5, ..base() });
    }
    for line in ["a fox --images 1", "a fox --count 1"] {
        check(line, TextToImage { n_images: 1, ..base() });
    }
    for line in ["a fox --rescale 0.7", "a fox --guidance-rescale 0.7"] {
        check(line, TextToImage { guidance_rescale: 0.7, ..base() });
    }
    check("a fox --width 768 --height 384", TextToImage { size: ImageSize::new(768, 384), ..base() });
    check("a fox --height 384", TextToImage { size: ImageSize::new(512, 384), ..base() });
    check_error("a fox --width 768 --ar 3:2", "`--ar 3:2` and `--width 768` contradict each other: keep one.");
    check_error("a fox --width 0", "`--width 0`: a side must be a whole number of pixels, at least 1.");
    check_error("a fox --strength 0.5", "`--strength 0.5` says how much of a start picture changes, and there is none here.");
    check("a fox --seed 4294967295", TextToImage { seed: Seed(4_294_967_295), ..base() });
    check("a fox —seed 0", TextToImage { seed: Seed(0), ..base() });
}

#[test]
fn typed_options_set_the_same() {
    let typed = TypedOptions {
        speed: None,
        negative: Some(" text,\npeople ".into()),
        guidance: Some(3.0),
        steps: Some(30),
        seed: Some(7),
        aspect: Some("2:1".into()),
        sampler: Some("ddim".into()),
        model: None,
    };
    let expected = TextToImage {
        negative_prompt: Some("text, people".into()),
        size: ImageSize::new(768, 384),
        steps: 30,
        guidance_scale: 3.0,
        sampler: Sampler::Ddim,
        seed: Seed(7),
        ..base()
    };
    check_typed("a fox", typed.clone(), expected.clone());
    // The same value twice says nothing new.
    check_typed("a fox --seed 7 --cfg 3.0 --guidance 3 --ar 4:2 --no text, people --seed 7", typed, expected);
    check_typed("a fox", TypedOptions { negative: Some(" ".into()), ..TypedOptions::default() }, base());
}

#[test]
fn dashes_inside_the_text_are_text() {
    for text in ["a well--known fox", "a fox -- red", "a fox — red", "a fox—red", "a fox --", "a -1 fox", "a fox --- red", "–ar", "🦊 --🦊"]
    {
        check(text, prompt(text));
    }
    check("a fox --no well--known, -- red — green", TextToImage { negative_prompt: Some("well--known, -- red — green".into()), ..base() });
}

#[test]
fn two_values_of_one_option_are_both_named() {
    check_error("a fox --seed 7 --seed 8", "`--seed 7` and `--seed 8` contradict each other: keep one.");
    check_error("a fox --cfg 7 --guidance 8", "`--cfg 7` and `--guidance 8` contradict each other: keep one.");
    check_error("a fox --no text --neg people", "`--no text` and `--neg people` contradict each other: keep one.");
    let typed = TypedOptions { steps: Some(30), ..TypedOptions::default() };
    check_typed_error("a fox --steps 20", typed, "`--steps 20` and `steps: 30` contradict each other: keep one.");
}

#[test]
fn unknown_parameters_are_named_with_the_nearest_and_the_known() {
    let known = "I know `--no`, `--ar`, `--width`, `--height`, `--seed`, `--steps`, `--cfg`, `--sampler`, `--schedule`, `--images`, `--repeat`, `--model`, \
                 `--lora`, `--clip-skip`, `--rescale`, `--hires`, `--stop`, `--tile`, `--quality`, `--draft`, `--hd`, `--stylize`, `--exp`, `--chaos`, `--weird`, `--raw`, `--fast`, `--relax`, `--speed` and `--iw`.";
    for (line, near) in [("a fox --seeed 7", "seed"), ("a fox --sampel euler", "sampler"), ("a fox —NEGATIV x", "negative")] {
        let name = line.split(['-', '—']).next_back().and_then(|rest| rest.split(' ').next()).expect("a name").to_lowercase();
        check_error(line, &format!("`--{name}` is not a parameter; did you mean `--{near}`? {known}"));
    }
    // Short names are like too many others.
    for name in ["n 2", "na 2", "a", "5", "h 512", "frobnicate 5", "not text"] {
        let shown = name.split(' ').next().expect("a name");
        check_error(&format!("a fox --{name}"), &format!("`--{shown}` is not a parameter. {known}"));
    }
}

#[test]
fn values_out_of_range_are_named() {
    check_error("a fox --ar 0:2", "`--ar 0:2`: both sides must be at least 1.");
    check_error("a fox --ar -3:2", "`--ar -3:2`: both sides must be at least 1.");
    check_error("a fox --ar 50:1", "`--ar 50:1`: 14:1 is the limit, either way.");
    check_error("a fox --ar 1:15", "`--ar 1:15`: 14:1 is the limit, either way.");
    for aspect in ["wide", "3", "3:", ":", "1.91:1", "3:2:1", "NaN:1", "99999999999999999999:1"] {
        check_error(&format!("a fox --ar {aspect}"), &format!("`--ar {aspect}`: the aspect must be two whole numbers, such as 3:2."));
    }
    for seed in ["-1", "4294967296", "seven", "1e3", "7.0"] {
        check_error(&format!("a fox --seed {seed}"), &format!("`--seed {seed}`: the seed must be a whole number from 0 to 4294967295."));
    }
    for steps in ["0", "101", "-5", "many", "99999999999"] {
        check_error(&format!("a fox --steps {steps}"), &format!("`--steps {steps}`: the steps must be a whole number from 1 to 100."));
    }
    for guidance in ["-0.1", "30.1", "NaN", "inf", "-inf", "1e999", "7,5"] {
        check_error(&format!("a fox --cfg {guidance}"), &format!("`--cfg {guidance}`: the guidance must be a number from 0 to 30."));
    }
    check_error("a fox --images 5", "`--images 5`: the number of pictures must be 1 to 4.");
    for (name, hint) in [("eu", "; did you mean `euler`?"), ("eular", "; did you mean `euler`?"), ("restart", ".")] {
        let error = parse(&format!("a fox --sampler {name}"), &TypedOptions::default(), &context()).expect_err(name).to_string();
        assert!(error.starts_with(&format!("`--sampler {name}`: there is no such sampler{hint} The samplers are dpmpp_2m, ")), "{error}");
    }
    for (name, hint) in [("karas", "; did you mean `karras`?"), ("even", ".")] {
        let error = parse(&format!("a fox --schedule {name}"), &TypedOptions::default(), &context()).expect_err(name).to_string();
        assert!(error.starts_with(&format!("`--schedule {name}`: there is no such schedule{hint} The schedules are normal, ")), "{error}");
    }
}

#[test]
fn typed_values_out_of_range_are_named() {
    let typed = TypedOptions::default;
    for (typed, expected) in [
        (TypedOptions { seed: Some(-1), ..typed() }, "`seed: -1`: the seed must be a whole number from 0 to 4294967295."),
        (
            TypedOptions { seed: Some(i64::MAX), ..typed() },
            "`seed: 9223372036854775807`: the seed must be a whole number from 0 to 4294967295.",
        ),
        (
            TypedOptions { steps: Some(i64::MIN), ..typed() },
            "`steps: -9223372036854775808`: the steps must be a whole number from 1 to 100.",
        ),
        (TypedOptions { guidance: Some(f64::NAN), ..typed() }, "`guidance: NaN`: the guidance must be a number from 0 to 30."),
        (TypedOptions { guidance: Some(f64::INFINITY), ..typed() }, "`guidance: inf`: the guidance must be a number from 0 to 30."),
        (TypedOptions { aspect: Some("0:2".into()), ..typed() }, "`aspect: 0:2`: both sides must be at least 1."),
        (
            TypedOptions { negative: Some("text --seed 7".into()), ..typed() },
            "`--seed` stands in the negative prompt: write parameters after the prompt.",
        ),
    ] {
        check_typed_error("a fox", typed, expected);
    }
}

#[test]
fn parameters_without_value_and_words_after_them_are_named() {
    check_error("a fox --seed", "`--seed` needs a value, such as `--seed 7`.");
    check_error("a fox --no --seed 7", "`--no` needs a value, such as `--no text, people`.");
    check_error("a fox --ar= --seed 7", "`--ar` needs a value, such as `--ar 3:2`.");
    check_error("a fox --ar 3:2 in snow", "`in snow` stands after `--ar 3:2`: write the prompt first and the parameters last.");
    check_error("--ar 3:2 a fox", "`a fox` stands after `--ar 3:2`: write the prompt first and the parameters last.");
}

#[test]
fn an_empty_or_endless_prompt_is_refused() {
    for line in ["", " \n", "\u{0}", "--seed 7", "--no text"] {
        check_error(line, "The prompt is empty: say what to draw, such as `a fox in snow`.");
    }
    check(&"é".repeat(6000), prompt(&"é".repeat(6000)));
    check_error(&"é".repeat(6001), "The prompt has 6001 characters: 6000 is the most.");
    check_error(&format!("a fox --no {}", "é".repeat(6001)), "The negative prompt has 6001 characters: 6000 is the most.");
}

#[test]
fn the_description_holds_what_differs() {
    let context = context();
    assert_eq!(describe(&base(), &context), "--seed 4242");
    let line = "--ar 3:2 --steps 30 --cfg 3.5 --rescale 0.7 --sampler euler_a --schedule karras --clip-skip 2 --hires 2 --stop 60 --tile --images 2 \
                --seed 7 --no text, people";
    let task = parse(&format!("a fox {line}"), &TypedOptions::default(), &context).expect("the line is right").task;
    assert_eq!(describe(&task, &context), line);
    assert_eq!(describe(&TextToImage { size: ImageSize::new(64, 2048), ..base() }, &context), "--width 64 --height 2048 --seed 4242");
    let task = parse("a fox --model dreamy", &TypedOptions::default(), &context).expect("the line is right").task;
    assert_eq!(describe(&task, &context), "--model dreamy --seed 4242");
    assert!(describe(&TextToImage { model: Some("gone".into()), ..base() }, &context).starts_with("--model gone "));
}
