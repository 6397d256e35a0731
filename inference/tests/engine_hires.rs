//! Pictures in two passes: against diffusers, and what they cost.

use std::path::Path;

use crate::engine_common::{drawn, engine, picture, psnr, run, text_to_image};
use inference::{
    sampler::Sampler,
    task::{Enlarger, Hires, ImageSize, TextToImage},
};

/// See `tools/reference/hires.py`.
#[test]
fn pictures_over_enlarged_latents_equal_those_of_diffusers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hires");
    let text = std::fs::read_to_string(folder.join("cases.json")).expect("cases.json");
    let file: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let engine = engine(8, 0);
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let word = |key: &str| case[key].as_str().expect("text").to_owned();
        let number = |key: &str| case[key].as_f64().expect("a number");
        let whole = |value: &serde_json::Value| value.as_u64().expect("a whole number");
        let steps = case.get("hires_steps").map(|steps| whole(steps) as u32);
        let base = TextToImage {
            size: ImageSize::new(whole(&case["size"][0]) as u32, whole(&case["size"][1]) as u32),
            sampler: word("sampler").parse().expect("a sampler"),
            negative_prompt: Some(word("negative_prompt")),
            guidance_scale: number("guidance_scale"),
            hires: Some(Hires { scale: number("scale"), strength: number("strength"), steps, enlarger: Enlarger::Latent }),
            ..text_to_image(&word("prompt"), whole(&case["seed"]), whole(&case["steps"]) as u32, 1)
        };
        let outcome = run(&engine, &drawn(base));
        let found = psnr(&outcome.images[0], &picture(&folder.join(word("image"))));
        assert!(found >= 45.0, "{}: {found:.1} dB", word("sampler"));
    }
}

#[test]
fn two_passes_have_the_size_the_cost_and_the_seed_that_were_asked_for() {
    let engine = engine(8, 2);
    let mut drawn_before = Vec::new();
    for enlarger in [Enlarger::Latent, Enlarger::Network] {
        let hires = Hires { scale: 1.6, strength: 0.5, steps: Some(6), enlarger };
        let base =
            TextToImage { size: ImageSize::new(40, 28), sampler: Sampler::EulerA, hires: Some(hires), ..text_to_image("a cat", 5, 4, 2) };
        let submission = drawn(base.clone());
        let rows = engine.stats().n_network_rows;
        let outcome = run(&engine, &submission);
        // 40 × 1.6 and 28 × 1.6 = 44.8, to the nearest multiple of four.
        assert!(outcome.images.iter().all(|image| image.dimensions() == (64, 44)), "{enlarger:?}");
        let shapes: Vec<_> = outcome.previews.iter().map(|preview| preview.dimensions()).collect();
        assert!(shapes.contains(&(10, 7)) && shapes.contains(&(16, 11)), "both passes are shown: {shapes:?}");
        assert_eq!(engine.stats().n_network_rows - rows, 2 * 2 * (4 + 3), "guided pictures, four steps and half of six");
        let cost = engine.catalogue().cost(&submission.task);
        assert!((outcome.usage.row_megapixels - cost).abs() < 1e-9, "{enlarger:?}: {} is not {cost}", outcome.usage.row_megapixels);
        assert_eq!(run(&engine, &submission).images, outcome.images, "{enlarger:?}: the same again");
        let second = drawn(TextToImage { seed: outcome.seeds[1], n_images: 1, ..base });
        assert_eq!(run(&engine, &second).images[0], outcome.images[1], "{enlarger:?}: a picture's noise is its own");
        assert!(!drawn_before.contains(&outcome.images[0]), "the enlargers differ");
        drawn_before.extend(outcome.images);
    }
}
