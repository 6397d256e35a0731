//! What newcomers are shown first: the built-in model's example prompts and their ready-made pictures, on the page, in the terminal, in README.

use std::path::Path;

use atelier::{
    config::Config,
    models::{self, Guide, guide::Example},
};
use image::RgbImage;
use inference::{
    catalogue::Shelf,
    engine::{Engine, Event, Submission},
    sampler::Sampler,
    task::{ImageSize, Role, Seed, Task, TextToImage, Upscale},
};
use serde_json::{Value, json};

use crate::support::*;

in_both_modes! {
    words_that_the_built_in_model_does_not_know_are_told_under_its_pictures,
}

/// Sides of what the built-in model draws and of the ready-made pictures.
const SIZES: (u32, u32) = (64, 256);
/// Quality of the JPEG files.
const QUALITY: u8 = 88;

fn guide() -> Guide {
    Guide::read(&models::starter().expect("the source tree has it").guide).expect("a guide")
}

/// A picture as `/imagine` draws it with the usual settings and enlarges it.
fn engine() -> Engine {
    let config = Config::default();
    let shelf = Shelf::open(models::catalogue_config(&config).expect("the starter model")).expect("it is there");
    Engine::start(models::engine_config(&config).expect("the defaults"), std::sync::Arc::new(shelf)).expect("an engine")
}

async fn drawn(engine: &Engine, prompt: &str, seed: u64) -> RgbImage {
    let size = ImageSize::new(SIZES.0, SIZES.0);
    let (sampler, guidance_scale, seed) = (Sampler::DpmPp2M, 4.0, Seed(seed));
    let base = TextToImage { prompt: prompt.into(), size, steps: 25, guidance_scale, sampler, seed, ..TextToImage::default() };
    let small = finished(engine, Task::from(base), None).await;
    finished(engine, Task::upscale(Upscale { size, passes: 1 }, "small"), Some(small)).await
}

async fn finished(engine: &Engine, task: Task, source: Option<RgbImage>) -> RgbImage {
    let inputs = source.map(|picture| (Role::Init, picture.into())).into_iter().collect();
    let mut handle = engine.submit(Submission { inputs, ..Submission::new(task) }).expect("it is taken");
    loop {
        match handle.next().await.expect("it ends with a picture") {
            Event::Image(finished) => return finished.image,
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    }
}

fn psnr(one: &RgbImage, other: &RgbImage) -> f64 {
    let squares = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    20.0 * 255f64.log10() - 10.0 * (squares.sum::<f64>() / one.as_raw().len() as f64).log10()
}

/// With `WRITE_EXAMPLES` set, the files are written anew: after a training.
#[tokio::test(flavor = "multi_thread")]
async fn ready_made_pictures_are_what_the_shipped_weights_draw() {
    let engine = engine();
    for Example { prompt, picture } in guide().examples {
        let Some(picture) = picture else { continue };
        let drawn = drawn(&engine, &prompt, picture.seed).await;
        if std::env::var_os("WRITE_EXAMPLES").is_some() {
            let file = std::fs::File::create(&picture.file).expect("a file");
            image::codecs::jpeg::JpegEncoder::new_with_quality(file, QUALITY).encode_image(&drawn).expect("a JPEG file");
        }
        let kept = image::open(&picture.file).expect("a picture").into_rgb8();
        assert_eq!(kept.dimensions(), (SIZES.1, SIZES.1));
        // Other seeds of the same prompt are at 25 dB and less; JPEG leaves 35.
        let alike = psnr(&kept, &drawn);
        assert!(alike > 32.0, "{prompt}: {alike:.1} dB; WRITE_EXAMPLES=1 writes the files anew");
    }
}

#[test]
fn what_readme_offers_to_draw_is_among_the_examples() {
    let examples: Vec<String> = guide().examples.into_iter().map(|example| example.prompt).collect();
    let readme = include_str!("../../README.md");
    let commands = readme.split("/imagine ").skip(1).map(|rest| rest.split(['`', '\n', '*', '"', '<']).next().unwrap_or_default());
    let commands = commands.filter(|words| !words.starts_with("prompt"));
    // Of what is in italics, prompts alone are several words and begin small.
    let plain = readme.replace("**", "");
    let is_prompt = |words: &&str| words.starts_with(char::is_lowercase) && words.contains(' ') && !words.contains(['\n', '`']);
    let italics = plain.split('*').skip(1).step_by(2).filter(is_prompt);
    let offered: Vec<&str> = commands.chain(italics).map(|words| words.split(" --").next().unwrap_or_default().trim()).collect();
    assert!(offered.len() >= 4, "{offered:?}");
    for words in offered {
        assert!(examples.iter().any(|example| example == words), "{words:?} is not in models/starter/guide/examples.json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_given_the_examples_with_pictures_where_the_built_in_model_draws() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let state = studio.ada.state().await.expect("the stand-in answers");
    let examples = guide().examples;
    let shown = state["ideas"].as_array().expect("a list");
    assert_eq!(shown.len(), examples.len());
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    for (shown, Example { prompt, picture }) in shown.iter().zip(&examples) {
        assert_eq!((&shown["label"], &shown["line"]), (&json!(prompt), &json!(format!("/imagine {prompt}"))));
        let Some(picture) = picture else {
            assert_eq!(shown["picture"], Value::Null);
            continue;
        };
        let path = shown["picture"].as_str().expect("a path");
        let answer = client.get(format!("{}{path}", studio.running.stand_in.url())).send().await.expect("it answers");
        assert_eq!(answer.headers()["content-type"], "image/jpeg");
        assert_eq!(answer.bytes().await.expect("a body"), std::fs::read(&picture.file).expect("a file"));
    }
    studio.ada.slash(CHANNEL, "info", &[]).await.expect("sent");
    let told = |messages: &[Value]| messages.iter().find_map(|message| message["embeds"][0]["description"].as_str().map(str::to_owned));
    let told = studio.ada.wait_for(CHANNEL, PATIENCE, told).await.expect("it is told");
    assert!(told.contains(&format!("Try *{}*.", guide().told().join("*, *"))), "{told}");
    studio.close().await;

    let folder = tempfile::tempdir().expect("a temporary folder");
    models_elsewhere(folder.path());
    let studio = Studio::open(Mode::Plain, |config| config.model.path = folder.path().join("other")).await;
    let state = studio.ada.state().await.expect("the stand-in answers");
    let shown = state["ideas"].as_array().expect("a list");
    assert!(shown.len() == examples.len() && shown.iter().all(|idea| idea["picture"].is_null()), "another model draws other pictures");
    studio.close().await;
}

/// The built-in model's files in a place where it is a model as any other.
fn models_elsewhere(folder: &Path) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            let to = to.join(path.file_name().expect("a name"));
            if path.is_dir() {
                copy(&path, &to);
            } else {
                std::fs::copy(&path, &to).expect("a file");
            }
        }
    }
    copy(&models::starter().expect("the source tree has it").model, &folder.join("other"));
}

async fn words_that_the_built_in_model_does_not_know_are_told_under_its_pictures(mode: Mode) {
    let studio = Studio::open(mode, |config| config.defaults.steps = 3).await;
    let ada = &studio.ada;
    let before = ada.seq().await.expect("the stand-in answers");
    ada.slash(CHANNEL, "imagine", &prompt("ein Frosch --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let hint = format!(
        "-# ⚠ The built-in model knows English words of about 115 things: {} and others, but not `ein`, `Frosch`.",
        guide().told().join(", ")
    );
    assert_eq!(content(&grid).lines().last(), Some(hint.as_str()));
    assert_eq!(content(&grid).matches("built-in").count(), 1);
    let (_, updates) = ada.events(before, std::time::Duration::ZERO).await.expect("the events are kept");
    let shown: Vec<&str> = updates.iter().map(|event| content(&event["data"])).filter(|text| text.contains("Frosch")).collect();
    assert!(shown.len() > 1 && shown.iter().all(|text| text.lines().last() == Some(&hint)), "from the first message on: {shown:#?}");
    let words = ["two penguins on grass --seed 7", "a red apple on a blue background --seed 7", "three cherries --no Frosch --seed 7"];
    for (n, words) in words.into_iter().enumerate() {
        ada.slash(CHANNEL, "imagine", &prompt(words)).await.expect("sent");
        let grid = nth_grid(ada, n + 2).await;
        assert!(!content(&grid).contains('⚠'), "{}", content(&grid));
    }
    studio.close().await;
}
