//! Z-Image through the engine.

use inference::{
    catalogue::{CatalogueConfig, ModelEntry},
    checkpoint::OtherParts,
    engine::Engine,
    error::InvalidTask,
    task::{self, ImageSize, Note, TextToImage},
};

use crate::{
    engine_common::{config, drawn, finish, run, start, submit, text_to_image},
    z_image_common::Setting,
};

fn engine(setting: &Setting, max_batch_rows: usize, preview_every: u32) -> Engine {
    let entry = ModelEntry { name: "turbo".into(), path: setting.part(""), vae: None, others: OtherParts::default(), prediction: None };
    let things = CatalogueConfig { models: vec![entry], ..CatalogueConfig::default() };
    start(config(max_batch_rows, preview_every), things).expect("the tiny Z-Image loads")
}

fn task(prompt: &str, seed: u64, guidance_scale: f64) -> TextToImage {
    TextToImage { guidance_scale, sampler: "euler".parse().expect("a sampler"), ..text_to_image(prompt, seed, 3, 1) }
}

#[test]
fn pictures_of_prompts_of_other_lengths_go_together_and_keep_their_bits() {
    let setting = Setting::new();
    let engine = engine(&setting, 8, 0);
    let longest = "a lighthouse by the sea, waves and gulls, in the evening light, with ships far out";
    let tasks = [task("fox", 1, 0.0), task("a red fox in the snow", 2, 0.0), task(longest, 3, 0.0), task("a cat", 4, 1.5)];
    let alone: Vec<_> = tasks.iter().map(|task| run(&engine, &drawn(task.clone())).images).collect();
    let calls_alone = engine.stats().n_network_calls;
    let handles: Vec<_> = tasks.iter().map(|task| submit(&engine, &drawn(task.clone()))).collect();
    let together: Vec<_> = handles.into_iter().map(|handle| finish(handle).images).collect();
    assert_eq!(alone, together);
    let calls_together = engine.stats().n_network_calls - calls_alone;
    assert!(calls_together < calls_alone, "{calls_together} against {calls_alone}");
}

#[test]
fn guidance_is_off_at_zero_alone() {
    let setting = Setting::new();
    let engine = engine(&setting, 8, 0);
    let pictures = |guidance_scale: f64, negative: Option<&str>| {
        let base = TextToImage { negative_prompt: negative.map(str::to_owned), ..task("a red fox", 5, guidance_scale) };
        run(&engine, &drawn(base)).images
    };
    assert_eq!(pictures(0.0, None), pictures(0.0, Some("blurry")), "nothing is negative where guidance is off");
    assert_ne!(pictures(0.0, None), pictures(0.5, None), "half is not off");
    assert_ne!(pictures(1.0, None), pictures(1.0, Some("blurry")), "one is not off");
}

#[test]
fn sides_are_multiples_of_sixteen() {
    let setting = Setting::new();
    let engine = engine(&setting, 8, 0);
    for (width, height, is_valid) in [(64, 64, true), (48, 80, true), (72, 64, false), (64, 40, false)] {
        let base = TextToImage { size: ImageSize::new(width, height), ..task("a fox", 1, 0.0) };
        let found = engine.catalogue().check(&drawn(base).task);
        assert_eq!(found.is_ok(), is_valid, "{width}x{height}: {found:?}");
        if let Err(error) = found {
            assert!(matches!(error, InvalidTask::Size { multiple: 16, .. }), "{error}");
        }
    }
}

#[test]
fn previews_of_sixteen_channels_look_like_the_picture() {
    let setting = Setting::new();
    let engine = engine(&setting, 8, 1);
    let outcome = run(&engine, &drawn(task("a red fox in the snow", 7, 0.0)));
    let small = image::imageops::thumbnail(&outcome.images[0], 8, 8);
    let last = outcome.previews.last().expect("previews");
    assert_eq!(last.dimensions(), small.dimensions());
    let colours = |picture: &image::RgbImage| picture.as_raw().iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(colours(last) > 20, "{} colours", colours(last));
}

#[test]
fn nobody_is_left_without_a_word_of_what_was_not_read_and_long_prompts_cost_what_they_take() {
    let setting = Setting::new();
    let engine = engine(&setting, 8, 0);
    let long = "a fox and a hen, ".repeat(200);
    let told = |base: TextToImage| {
        let task = drawn(base);
        let quote = engine.catalogue().check(&task.task).expect("a task");
        let outcome = run(&engine, &task);
        assert!((outcome.usage.row_megapixels - quote.cost).abs() < 1e-9, "{:?} is not {}", outcome.usage, quote.cost);
        (outcome.notes, quote.cost)
    };
    let (notes, short) = told(task("a fox", 1, 1.5));
    assert_eq!(notes, []);
    let (notes, _) = told(TextToImage { clip_skip: 2, ..task("a (fox:1.2)", 1, 1.5) });
    assert_eq!(notes, [task::Setting::ClipSkip, task::Setting::Weights].map(|setting| Note::SettingUnread { setting }));
    let (notes, dear) = told(task(&long, 1, 1.5));
    assert!(matches!(notes[..], [Note::PromptCut { n_tokens, n_read: 512, is_negative: false }] if n_tokens > 512), "{notes:?}");
    // Fifteen further stretches of 32 tokens, in two rows of each of three steps, and once to encode.
    let stretch = 32.0 * 256.0 / 1e6;
    let expected = 15.0 * (6.0 * stretch + stretch * 4.0 / 6.2);
    assert!((dear - short - expected).abs() < 1e-9, "{} is not {expected}", dear - short);
    // Without guidance nobody reads the negative prompt, and nobody need be told that it is long.
    let (notes, _) = told(TextToImage { negative_prompt: Some(long.clone()), ..task("a fox", 1, 0.0) });
    assert_eq!(notes, []);
    let (notes, _) = told(TextToImage { negative_prompt: Some(long), ..task("a fox", 1, 1.5) });
    assert!(matches!(notes[..], [Note::PromptCut { is_negative: true, .. }]), "{notes:?}");
}
