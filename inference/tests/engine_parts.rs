//! Prompts in weighted parts against diffusers (tests/data/parts, made by tools/reference/parts.py), and what chaos and weirdness change.

use crate::common::data;
use crate::engine_common::{drawn, engine, picture, psnr, run, text_to_image};
use image::RgbImage;
use inference::{engine::Engine, task::TextToImage};

#[test]
fn weighted_parts_are_what_diffusers_draws_of_the_sum_of_their_embeddings() {
    let engine = engine(8, 0);
    let text = std::fs::read_to_string(data().join("parts/cases.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let (prompt, seed) = (case["prompt"].as_str().unwrap(), case["seed"].as_u64().unwrap());
        let base = TextToImage { has_parts: true, ..text_to_image(prompt, seed, case["steps"].as_u64().unwrap() as u32, 1) };
        let expected = picture(&data().join("parts").join(case["image"].as_str().unwrap()));
        let found = psnr(&run(&engine, &drawn(base.clone())).images[0], &expected);
        println!("{prompt}: {found:.1} dB");
        assert!(found >= 40.0, "{prompt}: {found:.1} dB");
        let as_words = psnr(&run(&engine, &drawn(TextToImage { has_parts: false, ..base })).images[0], &expected);
        assert!(as_words < 30.0, "{prompt} as words: {as_words:.1} dB");
    }
}

#[test]
fn a_prompt_of_one_part_is_drawn_as_its_words() {
    let engine = engine(8, 0);
    let of = |prompt: &str, has_parts| run(&engine, &drawn(TextToImage { has_parts, ..text_to_image(prompt, 4, 4, 2) })).images;
    assert_eq!(of("a frog::7", true), of("a frog", false));
    assert_eq!(of("a frog", true), of("a frog", false));
}

/// Root of the mean square between two pictures, in shades.
fn distance(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    (squares / a.as_raw().len() as f64).sqrt()
}

fn pictures(engine: &Engine, prompt: &str, (chaos, weird): (u32, u32)) -> Vec<RgbImage> {
    let base = TextToImage { chaos, weird, ..text_to_image(prompt, 100, 8, 8) };
    run(engine, &drawn(base)).images
}

const PROMPTS: [&str; 3] = ["a red apple", "a frog on grass", "a lighthouse at night"];

/// Mean distance of pictures from those of the same seeds that are usual.
fn away(engine: &Engine, usual: &[Vec<RgbImage>], how: (u32, u32)) -> f64 {
    let pairs = PROMPTS.iter().zip(usual).flat_map(|(prompt, usual)| pictures(engine, prompt, how).into_iter().zip(usual));
    let all: Vec<f64> = pairs.map(|(changed, usual)| distance(&changed, usual)).collect();
    all.iter().sum::<f64>() / all.len() as f64
}

/// How far the readings of one prompt are apart is measured on the text states (`task/drift.rs`): pictures of different seeds are as far apart as their noise
/// makes them.
#[test]
fn chaos_changes_each_picture_more_and_by_its_own_seed_alone() {
    let engine = engine(32, 0);
    let usual = PROMPTS.map(|prompt| pictures(&engine, prompt, (0, 0)));
    let distances = [0, 50, 100].map(|chaos| away(&engine, &usual, (chaos, 0)));
    println!("mean distance from the usual picture at chaos 0, 50 and 100: {distances:.1?}");
    assert_eq!(distances[0], 0.0);
    assert!(distances.is_sorted_by(|a, b| a < b), "{distances:?}");
    let all = pictures(&engine, PROMPTS[0], (70, 0));
    let third = TextToImage { chaos: 70, ..text_to_image(PROMPTS[0], 102, 8, 1) };
    assert_eq!(run(&engine, &drawn(third)).images[0], all[2], "the third alone is the third of all");
    assert_eq!(pictures(&engine, PROMPTS[0], (70, 0)), all, "again the same");
}

#[test]
fn weirdness_leads_all_pictures_away_from_the_usual_ones() {
    let engine = engine(32, 0);
    let usual = PROMPTS.map(|prompt| pictures(&engine, prompt, (0, 0)));
    let distances = [0, 600, 1500, 3000].map(|weird| away(&engine, &usual, (0, weird)));
    println!("mean distance from the usual picture at weird 0, 600, 1500 and 3000: {distances:.1?}");
    assert_eq!(distances[0], 0.0);
    assert!(distances.is_sorted_by(|a, b| a < b), "{distances:?}");
    let two = TextToImage { weird: 1500, ..text_to_image(PROMPTS[1], 101, 8, 1) };
    assert_eq!(run(&engine, &drawn(two)).images[0], pictures(&engine, PROMPTS[1], (0, 1500))[1], "one picture alone is the same");
}
