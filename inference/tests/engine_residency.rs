//! Parts of models that come and go: who waits for a load or for room, and who does not.

use std::{fs, path::Path};

use crate::engine_common::{changed, config, drawn, failure, finish, run, start, starter_things, submit, text_to_image};
use futures::{FutureExt, executor::block_on};
use inference::{
    catalogue::{Catalogue, CatalogueConfig, ModelEntry, NamedFile, PartKind},
    checkpoint::OtherParts,
    engine::{Engine, EngineConfig, Event, Submission, TaskHandle},
    task::{Enlarger, Hires, ImageSize, TextToImage},
};

fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families")
}

/// The tiny model of a name, which is the usual one, then the starter model; three adapters in files of their own.
fn things(folder: &Path, name: &str) -> CatalogueConfig {
    crate::family_models::write_some(&data(), folder, &[name]);
    let tiny = ModelEntry {
        name: "tiny".into(),
        path: folder.join("models").join(name),
        vae: None,
        others: OtherParts::default(),
        prediction: None,
    };
    let adapter = |name: &str| {
        let path = folder.join(format!("{name}.safetensors"));
        fs::copy(data().join("adapters/kohya_sd1.safetensors"), &path).expect("a copy");
        NamedFile { name: name.into(), path }
    };
    let starter = starter_things();
    let models = [tiny].into_iter().chain(starter.models).collect();
    CatalogueConfig { models, adapters: ["first", "second", "third"].map(adapter).to_vec(), ..CatalogueConfig::default() }
}

fn engine(things: &CatalogueConfig, memory_bytes: Option<u64>) -> Engine {
    start(EngineConfig { memory_bytes, ..config(4, 0) }, things.clone()).expect("the models load")
}

/// Bytes of a model's text encoders, denoiser and VAE.
fn sizes(things: &CatalogueConfig, model: usize) -> [u64; 3] {
    let catalogue = Catalogue::open(things).expect("the models");
    let size = |kind| catalogue.models()[model].parts.iter().find(|part| part.kind == kind).expect("every model has it").n_bytes;
    [PartKind::TextEncoders, PartKind::Denoiser, PartKind::Vae].map(size)
}

fn with(model: &str, prompt: &str, steps: u32) -> TextToImage {
    TextToImage { model: Some(model.into()), size: ImageSize::new(24, 24), ..text_to_image(prompt, 3, steps, 1) }
}

/// A task that does not end by itself before the test does, on its way.
fn endless(engine: &Engine, prompt: &str) -> TaskHandle {
    let mut handle = submit(engine, &drawn(with("tiny", prompt, 1000)));
    while !matches!(block_on(handle.next()).expect("an event"), Event::Progress(progress) if progress.done > 0) {}
    handle
}

#[test]
fn a_short_task_on_what_is_in_memory_is_drawn_while_a_third_set_of_adapters_waits_for_room() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let things = things(folder.path(), "sd1");
    let [text, denoiser, vae] = sizes(&things, 0);
    // The model itself and two adapters fit, a third does not.
    let adapter = Catalogue::open(&things).expect("the adapters").adapters()[0].n_parameters * 4;
    let engine = engine(&things, Some(text + denoiser + vae + 2 * adapter));
    let running = ["<lora:first:0.1>", "<lora:second:0.1>"].map(|prompt| endless(&engine, prompt));
    let mut third = submit(&engine, &drawn(with("tiny", "<lora:third:0.1>", 2)));
    assert_eq!(run(&engine, &drawn(with("tiny", "a red fox", 2))).images.len(), 1);
    assert!(third.next().now_or_never().is_none(), "the third task still waits");
    drop(running);
    assert_eq!(finish(third).images.len(), 1);
}

/// The same with adapters that need layers of their own.
fn things_with_layers(folder: &Path) -> CatalogueConfig {
    let adapter = |name: &str| NamedFile { name: name.into(), path: data().join(format!("adapters/{name}_sd1.safetensors")) };
    CatalogueConfig { adapters: ["loha", "lokr", "dora"].map(adapter).to_vec(), ..things(folder, "sd1") }
}

#[test]
fn layers_that_adapters_need_of_their_own_wait_for_room() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let things = things_with_layers(folder.path());
    let model: u64 = sizes(&things, 0).iter().sum();
    let catalogue = Catalogue::open(&things).expect("the adapters");
    let of = |name: &str| catalogue.adapter(name).map(|card| (card.n_parameters * 4, card.n_own * 4)).expect("an adapter");
    let (loha, lokr) = (of("loha"), of("lokr"));
    assert!(loha.1 > loha.0 && lokr.1 > lokr.0, "files are smaller than what is made of them");
    // Both files have room, and one of the sets.
    let engine = engine(&things, Some(model + loha.0 + lokr.0 + loha.1.max(lokr.1)));
    let running = endless(&engine, "<lora:loha:0.1>");
    let mut waiting = submit(&engine, &drawn(with("tiny", "<lora:lokr:0.1>", 2)));
    assert_eq!(run(&engine, &drawn(with("tiny", "a red fox", 2))).images.len(), 1);
    assert_eq!(run(&engine, &drawn(with("tiny", "<lora:loha:0.1>", 2))).images.len(), 1, "of the set that is there");
    assert!(waiting.next().now_or_never().is_none(), "it waits");
    drop(running);
    assert_eq!(finish(waiting).images.len(), 1);
}

#[test]
fn sets_stay_in_memory_while_there_is_room_and_draw_the_same_when_they_are_made_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let things = things_with_layers(folder.path());
    let model: u64 = sizes(&things, 0).iter().sum();
    let catalogue = Catalogue::open(&things).expect("the adapters");
    let largest = catalogue.adapters().iter().map(|card| card.n_own * 4).max().expect("an adapter");
    let prompts = ["<lora:loha:0.8>", "<lora:lokr:0.8>", "<lora:dora:0.8>", "<lora:loha:0.3>"];
    let draw = |engine: &Engine, prompt: &str| run(engine, &drawn(with("tiny", prompt, 2)));
    let (roomy, narrow) = (engine(&things, None), engine(&things, Some(model + largest)));
    let first = prompts.map(|prompt| draw(&roomy, prompt));
    for (prompt, first) in prompts.iter().zip(&first) {
        let again = draw(&roomy, prompt);
        assert!(first.was_loading && !again.was_loading, "{prompt} is in memory");
        for _ in 0..2 {
            let made = draw(&narrow, prompt);
            assert!(made.images == again.images && made.images == first.images, "{prompt}");
        }
    }
    let adapter = catalogue.adapters().iter().max_by_key(|card| card.n_own).expect("an adapter");
    for weight in [0.1, 0.2, 0.1] {
        assert!(draw(&narrow, &format!("<lora:{}:{weight}>", adapter.name)).was_loading, "there is room for one");
    }
    let too_small = engine(&things, Some(model));
    let task = drawn(with("tiny", "<lora:loha:0.8>", 2));
    assert_eq!(run(&too_small, &task).images, first[0].images, "one after another beside the set");
}

#[test]
fn a_model_larger_than_the_memory_is_drawn_by_turns_and_to_the_byte() {
    for name in ["sd1", "sdxl"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let things = things(folder.path(), name);
        let sizes = sizes(&things, 0);
        let (sum, largest) = (sizes.iter().sum::<u64>(), *sizes.iter().max().expect("a part"));
        assert!(largest < sum);
        let hires = Some(Hires { scale: 1.5, strength: 0.5, steps: None, enlarger: Enlarger::Latent });
        let tasks: [Submission; 3] = [
            drawn(TextToImage { n_images: 2, ..with("tiny", "a red fox", 3) }),
            changed(with("tiny", "a lighthouse", 4), 0.6),
            drawn(TextToImage { hires, ..with("tiny", "a red fox, a lighthouse", 2) }),
        ];
        let roomy = engine(&things, None);
        let alone = tasks.each_ref().map(|task| run(&roomy, task).images);
        for memory_bytes in [largest, sum - 1] {
            let small = engine(&things, Some(memory_bytes));
            let handles = tasks.each_ref().map(|task| submit(&small, task));
            let drawn = handles.map(|handle| finish(handle).images);
            assert!(drawn == alone, "{name} in {memory_bytes} of {sum} bytes");
        }
    }
}

#[test]
fn a_part_larger_than_the_memory_is_refused_with_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let things = things(folder.path(), "sd1");
    let largest = |model| sizes(&things, model).into_iter().max().expect("a part");
    let sentence = |needed: u64, memory: u64| {
        format!("what is needed at once takes {} MiB, and models may take {} MiB", needed.div_ceil(1 << 20), memory >> 20)
    };
    let tight = |memory_bytes| start(EngineConfig { memory_bytes: Some(memory_bytes), ..config(4, 0) }, things.clone());
    let refused = tight(largest(0) - 1).err().map(|error| error.to_string());
    assert_eq!(refused, Some(sentence(largest(0), largest(0) - 1)), "the usual model");
    let engine = tight(largest(1) - 1).expect("the usual model fits");
    let refused = engine.submit(drawn(with("starter", "a cat", 2))).err().map(|error| error.to_string());
    assert_eq!(refused, Some(sentence(largest(1), largest(1) - 1)));
    assert_eq!(run(&engine, &drawn(with("tiny", "a cat", 2))).images.len(), 1);
}

#[test]
fn a_model_that_cannot_be_loaded_fails_those_who_wait_for_it_and_takes_nothing_away() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let things = things(folder.path(), "sd1");
    let room = sizes(&things, 1).iter().sum::<u64>().max(sizes(&things, 0).iter().sum());
    let engine = engine(&things, Some(room));
    assert!(run(&engine, &drawn(with("starter", "a cat", 2))).was_loading);
    let file = folder.path().join("models/sd1/unet/diffusion_pytorch_model.safetensors");
    let whole = fs::read(&file).expect("the denoiser");
    assert!(run(&engine, &drawn(with("tiny", "a cat", 2))).was_loading);
    assert!(run(&engine, &drawn(with("starter", "a cat", 2))).was_loading, "one at a time has room");

    fs::write(&file, b"no weights").expect("writable");
    let waiting = [(); 2].map(|()| submit(&engine, &drawn(with("tiny", "a cat", 2))));
    for handle in waiting {
        let said = failure(handle);
        assert!(said.contains("cannot be read"), "{said}");
    }
    assert!(!run(&engine, &drawn(with("starter", "a cat", 2))).was_loading, "what was in memory stays there");
    fs::write(&file, whole).expect("writable");
    assert_eq!(run(&engine, &drawn(with("tiny", "a cat", 2))).images.len(), 1, "and it can be loaded again");
}
