//! Several models and adapters in one engine: pictures, room in memory, the order of waiting tasks.

use std::path::Path;

use crate::engine_common::{Outcome, config, drawn, failure, filled, finish, run, start, starter_things, submit, text_to_image};
use candle_core::{DType, Device, Tensor};
use futures::{FutureExt, executor::block_on};
use inference::{
    catalogue::{Catalogue, CatalogueConfig, ModelEntry, NamedFile},
    checkpoint::OtherParts,
    engine::{Engine, EngineConfig, Event, Submission, TaskHandle},
    sampler::Sampler,
    task::{AdapterUse, ImageSize, Note, Role, Task, TextToImage, Upscale},
};

const CANCELLED: &str = "the task was cancelled";
const STOPPED: &str = "the engine has stopped";

/// The starter model and two tiny ones, with an adapter, in one engine.
struct Models(tempfile::TempDir);

impl Models {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        crate::family_models::write_some(&data(), folder.path(), &["sd1", "sd1_inpaint"]);
        Self(folder)
    }

    fn engine(&self, memory_bytes: Option<u64>, max_batch_rows: usize) -> Engine {
        start(holding(memory_bytes, max_batch_rows), self.things()).expect("the models load")
    }

    /// Bytes of the starter model, beside which no other fits then.
    fn of_starter(&self) -> u64 {
        let catalogue = Catalogue::open(&self.things()).expect("the models");
        let sizes: Vec<u64> = catalogue.models().iter().map(|card| card.n_bytes()).collect();
        assert!(sizes.iter().all(|&size| 0 < size && size <= sizes[0]), "{sizes:?}");
        sizes[0]
    }

    /// Bytes of the largest part of any model.
    fn of_largest_part(&self) -> u64 {
        let catalogue = Catalogue::open(&self.things()).expect("the models");
        let parts = catalogue.models().iter().flat_map(|card| card.parts.clone());
        parts.map(|part| part.n_bytes).max().expect("a part")
    }

    fn things(&self) -> CatalogueConfig {
        let starter = starter_things();
        let tiny = ["sd1", "sd1_inpaint"].map(|name| {
            let path = self.0.path().join("models").join(name);
            ModelEntry { name: name.into(), path, vae: None, others: OtherParts::default(), prediction: None }
        });
        let adapters = vec![NamedFile { name: "ink".into(), path: data().join("adapters/kohya_sd1.safetensors") }];
        let models = starter.models.iter().cloned().chain(tiny).collect();
        CatalogueConfig { models, adapters, upscaler: None, ..starter }
    }
}

/// The configuration of an engine that holds models of so many bytes.
fn holding(memory_bytes: Option<u64>, max_batch_rows: usize) -> EngineConfig {
    EngineConfig { memory_bytes, ..config(max_batch_rows, 0) }
}

fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families")
}

fn with(model: &str, prompt: &str, steps: u32) -> TextToImage {
    let size = ImageSize::new(24, 20);
    TextToImage { model: Some(model.into()), size, sampler: Sampler::EulerA, ..text_to_image(prompt, 3, steps, 1) }
}

/// A task that does not end by itself before the test does.
fn endless(engine: &Engine) -> TaskHandle {
    let mut handle = submit(engine, &drawn(TextToImage { n_images: 16, ..with("starter", "a cat", 1000) }));
    while !matches!(block_on(handle.next()).expect("an event"), Event::Progress(progress) if progress.done > 0) {}
    handle
}

/// Whether a task's end is among what it has told so far.
fn has_ended(handle: &mut TaskHandle) -> bool {
    std::iter::from_fn(|| handle.next().now_or_never().flatten()).any(|event| matches!(event, Event::Done(_) | Event::Failed(_)))
}

#[test]
fn models_and_adapters_take_turns_in_memory_and_draw_as_each_alone() {
    let models = Models::new();
    let submissions: Vec<Submission> = vec![
        drawn(with("starter", "a cat", 4)),
        drawn(with("sd1", "a red fox", 4)),
        drawn(with("sd1", "a red fox <lora:ink:0.8>", 4)),
        filled(with("sd1_inpaint", "a red fox", 4), 1.0),
        drawn(TextToImage { guidance_scale: 1.0, ..with("sd1", "lighthouse", 3) }),
        drawn(TextToImage { adapters: vec![AdapterUse::new("ink", 0.8)], n_images: 2, ..with("sd1", "a red fox", 4) }),
        drawn(with("starter", "a dog", 3)),
    ];
    let roomy = models.engine(None, 16);
    let alone: Vec<Outcome> = submissions.iter().map(|submission| run(&roomy, submission)).collect();
    assert_ne!(alone[1].images, alone[2].images, "the adapter does something");
    assert_eq!(alone[2].images[0], alone[5].images[0], "named by the prompt or by the task");
    let was_loading: Vec<bool> = alone.iter().map(|outcome| outcome.was_loading).collect();
    assert_eq!(was_loading, [false, true, true, true, false, false, false], "those are told whose models are not in memory");
    for memory_bytes in [Some(models.of_largest_part()), Some(models.of_starter()), None] {
        let engine = models.engine(memory_bytes, 16);
        let handles: Vec<_> = submissions.iter().map(|submission| submit(&engine, submission)).collect();
        for (i, (handle, alone)) in handles.into_iter().zip(&alone).enumerate() {
            assert!(finish(handle).images == alone.images, "task {i} with room for {memory_bytes:?}");
        }
        assert_eq!(engine.stats().n_active, 0);
    }
}

#[test]
fn a_model_under_two_names_is_loaded_once() {
    let starter = starter_things();
    let other = ModelEntry { name: "other".into(), ..starter.models[0].clone() };
    let things = CatalogueConfig { models: vec![starter.models[0].clone(), other], ..starter };
    let engine = start(holding(None, 4), things).expect("the model loads");
    let [first, second] = ["starter", "other"].map(|name| run(&engine, &drawn(with(name, "a cat", 2))));
    assert!(!first.was_loading && !second.was_loading && first.images == second.images);
}

#[test]
fn a_task_waits_for_room_a_cancelled_one_leaves_and_who_needs_no_room_is_drawn() {
    let models = Models::new();
    let engine = models.engine(Some(models.of_starter()), 4);
    let mut running = endless(&engine);
    let mut second = submit(&engine, &drawn(with("sd1", "a red fox", 3)));
    let cancelled = submit(&engine, &drawn(with("sd1", "a red fox <lora:ink:0.8>", 1000)));
    assert!(engine.submit(drawn(with("sd1", "<lora:oil>", 3))).is_err_and(|error| error.to_string().contains("there are ink")));

    cancelled.cancel();
    assert_eq!(failure(cancelled), CANCELLED);
    assert_eq!(engine.stats().n_active, 16, "only those of the first task are on their way");
    // The third one's model is in memory all the time.
    assert_eq!(run(&engine, &drawn(with("starter", "a dog", 3))).images.len(), 1);
    assert!(!has_ended(&mut running) && second.next().now_or_never().is_none(), "the first goes on, the second waits");

    running.cancel();
    assert_eq!(finish(second).images.len(), 1);
    assert_eq!(failure(running), CANCELLED);
    assert_eq!(run(&engine, &drawn(with("sd1", "a red fox <lora:ink:0.8>", 2))).images.len(), 1, "what was cancelled has room now");
    assert_eq!(engine.stats().n_active, 0);
}

#[test]
fn what_is_only_enlarged_waits_for_no_model_and_may_be_as_large_as_the_largest_draws() {
    let models = Models::new();
    let with_network = CatalogueConfig { upscaler: starter_things().upscaler, ..models.things() };
    let network = Catalogue::open(&with_network).expect("the models").upscaler().expect("a network").n_parameters * 4;
    let engine = start(holding(Some(models.of_starter() + network), 4), with_network).expect("the models load");
    let mut running = endless(&engine);
    let mut waiting = submit(&engine, &drawn(with("sd1", "a red fox", 3)));
    let largest = engine.catalogue().models().iter().map(|model| model.max_side).max().expect("a model");
    for size in [ImageSize::new(8, 6), ImageSize::new(largest, 2)] {
        let task = Task::upscale(Upscale { size, passes: 1 }, "a");
        let source = Some(image::RgbImage::new(size.width, size.height));
        let inputs = source.map(|picture| (Role::Init, picture.into())).into_iter().collect();
        let enlarged = run(&engine, &Submission { inputs, ..Submission::new(task) });
        assert_eq!(enlarged.images[0].dimensions(), (size.width * 4, size.height * 4));
    }
    assert!(!has_ended(&mut running) && !has_ended(&mut waiting), "the others are where they were");
    running.cancel();
    assert_eq!(finish(waiting).images.len(), 1);
    assert_eq!(failure(running), CANCELLED);
}

#[test]
fn an_engine_that_stops_fails_those_that_wait() {
    let models = Models::new();
    let engine = models.engine(Some(models.of_starter()), 4);
    let running = endless(&engine);
    let waiting = ["a red fox", "a red fox <lora:ink:0.8>"].map(|prompt| submit(&engine, &drawn(with("sd1", prompt, 3))));
    drop(engine);
    assert_eq!(failure(running), STOPPED);
    waiting.into_iter().for_each(|handle| assert_eq!(failure(handle), STOPPED));
}

#[test]
fn an_adapter_has_a_weight_for_the_unet_and_one_for_the_text_encoder() {
    let models = Models::new();
    let engine = models.engine(None, 4);
    let of_prompt = |tag: &str| run(&engine, &drawn(with("sd1", &format!("a red fox{tag}"), 4))).images;
    let (none, low, high) = (of_prompt(""), of_prompt("<lora:ink:0.5>"), of_prompt("<lora:ink:1.6>"));
    let both = of_prompt("<lora:ink:1.6:0.5>");
    let own = AdapterUse { text_encoder_weight: Some(1.6), ..AdapterUse::new("ink", 0.5) };
    assert_eq!(both, run(&engine, &drawn(TextToImage { adapters: vec![own], ..with("sd1", "a red fox", 4) })).images);
    assert_eq!(low, of_prompt("<lora:ink:0.5:0.5>"));
    assert!(!run(&engine, &drawn(with("sd1", "a red fox<lora:ink:0.9>", 2))).was_loading, "another weight is no other adapter");
    let (text_alone, unet_alone) = (of_prompt("<lora:ink:te=1.6:unet=0>"), of_prompt("<lora:ink:te=0:unet=0.5>"));
    let all = [none, low, high, both, text_alone, unet_alone];
    for (i, images) in all.iter().enumerate() {
        assert!(!all[..i].contains(images), "picture {i} is one of those before");
    }
    for wrong in ["<lora:ink:11:1>", "<lora:ink:1:-11>"] {
        let refused = engine.submit(drawn(with("sd1", wrong, 3)));
        assert!(refused.is_err_and(|error| error.to_string().starts_with("the weight of LoRA `ink` must be -10 to 10, not ")), "{wrong}");
    }
}

/// The adapter of the tiny model with a layer that no model has.
fn write_adapter(path: &Path) {
    let mut tensors = candle_core::safetensors::load(data().join("adapters/kohya_sd1.safetensors"), &Device::Cpu).expect("the adapter");
    for (end, shape) in [("lora_down", (1, 8)), ("lora_up", (8, 1))] {
        let ones = Tensor::ones(shape, DType::F32, &Device::Cpu).expect("a small tensor");
        tensors.insert(format!("lora_unet_down_blocks_9_attentions_0_proj_in.{end}.weight"), ones);
    }
    candle_core::safetensors::save(&tensors, path).expect("writable");
}

#[test]
fn every_task_that_uses_them_is_told_what_adapters_and_words_did_not_do() {
    let models = Models::new();
    let path = models.0.path().join("secret.safetensors");
    write_adapter(&path);
    let tiny = ModelEntry {
        name: "sd1".into(),
        path: models.0.path().join("models/sd1"),
        vae: None,
        others: OtherParts::default(),
        prediction: None,
    };
    let starter = starter_things();
    let things = CatalogueConfig {
        models: starter.models.iter().cloned().chain([tiny]).collect(),
        adapters: vec![NamedFile { name: "ink".into(), path }],
        embeddings: vec![NamedFile { name: "toy-style".into(), path: data().join("adapters/toy-style.safetensors") }],
        ..starter
    };
    let engine = start(holding(None, 16), things).expect("the models load");
    let told = |base: TextToImage| {
        let outcome = run(&engine, &drawn(base));
        (outcome.was_loading, outcome.notes)
    };
    let (_, notes) = told(with("sd1", "a red fox <lora:ink:0.8>", 2));
    let [Note::AdapterInPart { name, n_applied, n_modules, n_unused }] = &notes[..] else { panic!("{notes:?}") };
    assert_eq!((name.as_str(), *n_unused, n_modules - n_applied), ("ink", 1, 1));
    assert_eq!(told(with("sd1", "lighthouse <lora:ink:0.8>", 2)), (false, notes), "also when it is in memory already");
    let word = vec![Note::WordNotLearned { word: "toy-style".into() }];
    let negative = TextToImage { negative_prompt: Some("(Toy-Style)".into()), ..with("starter", "a cat", 2) };
    for (base, expected) in [
        (with("sd1", "a red fox in toy-style", 2), &[][..]),
        (with("starter", "a cat in toy-style", 2), &word),
        (negative, &word),
        (with("starter", "a cat in toy-styles", 2), &[]),
    ] {
        assert_eq!(told(base.clone()).1, expected, "{base:?}");
    }
}
