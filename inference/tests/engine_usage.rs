//! A finished task has used what it was said to cost, and its rows are those of its sampler and its guidance.

use std::path::Path;

use crate::engine_common::{changed, config, drawn, filled, finish, run, start, starter_things, submit, text_to_image};
use inference::{
    catalogue::{CatalogueConfig, ModelEntry},
    checkpoint::OtherParts,
    engine::{Engine, Submission},
    sampler::Sampler,
    task::{Enlarger, Hires, ImageSize, TextToImage},
};

/// A kind of task: its name and how it is made.
type Kind = (&'static str, fn(TextToImage) -> Submission);

/// An engine with a tiny Stable Diffusion 1.
fn engine() -> Engine {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
    crate::family_models::write_some(&data, folder.path(), &["sd1"]);
    let models = vec![ModelEntry {
        name: "sd1".into(),
        path: folder.path().join("models/sd1"),
        vae: None,
        others: OtherParts::default(),
        prediction: None,
    }];
    // Loaded when `start` returns, so the folder may go.
    start(config(16, 0), CatalogueConfig { models, ..starter_things() }).expect("the model loads")
}

fn small(sampler: Sampler, steps: u32) -> TextToImage {
    TextToImage { sampler, size: ImageSize::new(16, 12), ..text_to_image("a cat", 3, steps, 1) }
}

#[test]
fn every_sampler_and_kind_of_task_uses_what_it_was_said_to_cost() {
    let engine = engine();
    let kinds: [Kind; 7] = [
        ("plain", drawn),
        ("without guidance", |base| drawn(TextToImage { guidance_scale: 1.0, n_images: 2, ..base })),
        ("an interval", |base| drawn(TextToImage { guidance_interval: (0.3, 0.7), ..base })),
        ("image to image", |base| changed(TextToImage { n_images: 2, ..base }, 0.7)),
        ("inpainting", |base| filled(base, 0.7)),
        ("inpainting of everything", |base| filled(base, 1.0)),
        ("two passes", |base| {
            let hires = Some(Hires { scale: 1.5, strength: 0.6, steps: Some(4), enlarger: Enlarger::Latent });
            drawn(TextToImage { hires, ..base })
        }),
    ];
    let all = Sampler::ALL.into_iter().flat_map(|sampler| kinds.map(|(kind, make)| (sampler, kind, make(small(sampler, 5)))));
    let all: Vec<_> = all.map(|(sampler, kind, submission)| (sampler, kind, submit(&engine, &submission), submission)).collect();
    for (sampler, kind, handle, submission) in all {
        let (used, cost) = (finish(handle).usage.row_megapixels, engine.catalogue().cost(&submission.task));
        assert!((used - cost).abs() < 1e-9, "{sampler}, {kind}: {used} is not {cost}");
    }
}

/// A prompt of so many chunks.
fn long(n_chunks: usize) -> String {
    vec!["a cat"; n_chunks].join(" BREAK ")
}

#[test]
fn long_prompts_are_charged_for_and_used_as_said_and_too_long_ones_refused_before_they_wait() {
    let engine = engine();
    let task = |prompt: &str, negative: &str| {
        let base = small(Sampler::Ddim, 4);
        let hires = Some(Hires { scale: 1.5, strength: 0.6, steps: Some(2), enlarger: Enlarger::Latent });
        drawn(TextToImage { prompt: prompt.to_owned(), negative_prompt: Some(negative.to_owned()), hires, n_images: 2, ..base })
    };
    let one = engine.catalogue().cost(&task("a cat", "").task);
    let words = "cat ".repeat(200);
    let cases: [(String, String); 5] =
        [(long(2), String::new()), ("a cat".into(), long(3)), (long(4), long(2)), (words.clone(), "b".into()), (long(40), long(40))];
    for (prompt, negative) in &cases {
        let submission = task(prompt, negative);
        let cost = engine.catalogue().cost(&submission.task);
        let used = run(&engine, &submission).usage.row_megapixels;
        assert!((used - cost).abs() < 1e-9, "{used} is not {cost}");
        assert!(cost > one, "{cost} is more than {one}");
    }
    for same in ["", "a", "a cat, a dog and a horse, (weighted:1.3), [less]"] {
        assert_eq!(engine.catalogue().cost(&task(same, "also short").task), one, "up to one chunk nothing is added");
    }
    let unguided =
        |negative: &str| drawn(TextToImage { negative_prompt: Some(negative.into()), guidance_scale: 1.0, ..small(Sampler::Ddim, 4) });
    assert_eq!(engine.catalogue().cost(&unguided(&long(9)).task), engine.catalogue().cost(&unguided("").task), "nobody reads it");

    // At a usual size the rows are what counts: 40 chunks were measured to take 1.95 times as long.
    let usual = |prompt: &str| {
        engine
            .catalogue()
            .cost(&drawn(TextToImage { prompt: prompt.into(), size: ImageSize::new(64, 64), ..small(Sampler::Ddim, 150) }).task)
    };
    let ratio = usual(&long(40)) / usual("a cat");
    assert!((1.8..2.1).contains(&ratio), "{ratio}");
    for (prompt, negative) in [(long(41), String::new()), ("a cat".into(), long(41)), ("cat ".repeat(3100), String::new())] {
        let error = engine.catalogue().check(&task(&prompt, &negative).task).expect_err("too long").to_string();
        assert!(error.contains("at most 40 are read"), "{error}");
    }
}

#[test]
fn steps_without_guidance_take_one_row() {
    let engine = engine();
    let check = |sampler: Sampler, steps: u32, guidance_interval: (f64, f64), expected: u64| {
        let before = engine.stats().n_network_rows;
        run(&engine, &drawn(TextToImage { guidance_interval, ..small(sampler, steps) }));
        let found = engine.stats().n_network_rows - before;
        assert_eq!(found, expected, "{sampler}, {steps} steps, {guidance_interval:?}");
    };
    check(Sampler::Ddim, 10, (0.0, 1.0), 20);
    // Steps 2 to 6.
    check(Sampler::Ddim, 10, (0.2, 0.7), 15);
    check(Sampler::Ddim, 10, (0.95, 1.0), 10);
    // Twice a step but for the last: steps 0 and 1 of 4.
    check(Sampler::Heun, 4, (0.0, 0.5), 2 * 2 + 2 * 2 + 2 + 1);
    check(Sampler::Heun, 4, (0.5, 1.0), 2 + 2 + 2 * 2 + 2);
    check(Sampler::DpmPpSde, 4, (0.5, 1.0), 2 + 2 + 2 * 2 + 2);
    check(Sampler::Dpm2, 3, (0.3, 0.6), 2 + 2 * 2 + 1);
    // The second of its calls is made twice: six calls for five steps.
    check(Sampler::Pndm, 5, (0.0, 1.0), 12);
    let rows = engine.stats().n_network_rows;
    // Of ten steps the last six; guidance from the seventh to the eighth.
    run(&engine, &changed(TextToImage { guidance_interval: (0.6, 0.8), ..small(Sampler::Ddim, 10) }, 0.6));
    assert_eq!(engine.stats().n_network_rows - rows, 6 + 2);
}
