//! Devices that die, and devices that hang.

use std::path::Path;

use futures::executor::block_on;

use super::*;
use crate::{
    catalogue::{CatalogueConfig, ModelEntry},
    checkpoint::OtherParts,
    engine::Precision,
    noise::TorchGenerator,
    state::{BelongsTo, PassKind, SavedTensor, TrajectoryState},
    task::{ImageSize, Seed, TextToImage},
};

fn shelf() -> Arc<Shelf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/model");
    let models = vec![ModelEntry { name: "starter".into(), path, vae: None, others: OtherParts::default(), prediction: None }];
    Arc::new(Shelf::open(CatalogueConfig { models, ..CatalogueConfig::default() }).expect("the starter model"))
}

fn config() -> EngineConfig {
    let devices = vec![DeviceChoice::Cpu];
    EngineConfig { memory_bytes: None, devices, precision: Precision::F32, max_batch_rows: 2, preview_every: 0 }
}

/// A device whose thread panics as soon as it gets a task.
fn broken(name: &str) -> Worker {
    let body = |channels: Channels, (_, alive): (&Board, Arc<()>)| {
        let _message = channels.received.recv();
        let _alive = alive;
        panic!("a device that cannot compute");
    };
    Worker::spawn(name.to_owned(), body).expect("a thread")
}

fn submission() -> Submission {
    let base = TextToImage {
        prompt: "a cat".into(),
        size: ImageSize::new(16, 16),
        steps: 2,
        guidance_scale: 1.0,
        seed: Seed(3),
        n_images: 1,
        ..TextToImage::default()
    };
    Submission::new(Task::from(base))
}

/// How a task ended.
fn end(mut handle: TaskHandle) -> Result<Usage, String> {
    loop {
        match block_on(handle.next()).expect("an end") {
            Event::Done(usage) => return Ok(usage),
            Event::Failed(error) => return Err(error.to_string()),
            _ => {}
        }
    }
}

#[test]
fn a_device_that_dies_fails_its_tasks_and_leaves_the_others() {
    let (config, shelf) = (config(), shelf());
    let catalogue = shelf.catalogue();
    let path = catalogue.models()[0].path.clone();
    let (ready, answer) = sync_channel(1);
    let body = move |channels: Channels, told: (&Board, Arc<()>)| {
        device::run((&config, DeviceChoice::Cpu, 0), &catalogue, channels, &ready, told);
    };
    let good = Worker::spawn("good".into(), body).expect("a thread");
    answer.recv().expect("an answer").expect("the model loads");
    let engine = Engine::of(vec![broken("bad"), good], shelf.clone(), "two".into());
    // It has the model, as far as anybody knows.
    engine.inner.workers.lock().expect("no panic")[0].board().set_residents([path].into_iter());
    let (first, second) = (engine.submit(submission()).expect("taken in"), engine.submit(submission()).expect("taken in"));
    assert_eq!((first.device(), second.device()), ("bad", "good"), "two at once run on two");
    assert_eq!(end(first), Err("the thread of device bad has ended".into()));
    assert!(end(second).is_ok());
    let third = engine.submit(submission()).expect("one device is left");
    assert_eq!(third.device(), "good");
    assert!(end(third).is_ok());

    let dead = Engine::of(vec![broken("bad")], shelf, "one".into());
    assert_eq!(end(dead.submit(submission()).expect("taken in")), Err("the engine has stopped".into()));
    assert_eq!(dead.submit(submission()).err().map(|error| error.to_string()), Some("the engine has stopped".into()));
}

#[test]
fn a_device_that_hangs_shows_no_sign_of_life() {
    let (config, shelf) = (config(), shelf());
    let catalogue = shelf.catalogue();
    let (gate, opened) = std::sync::mpsc::channel::<()>();
    let (ready, _answer) = sync_channel(1);
    let body = move |channels: Channels, told: (&Board, Arc<()>)| {
        let _ = opened.recv();
        device::run((&config, DeviceChoice::Cpu, 0), &catalogue, channels, &ready, told);
    };
    let worker = Worker::spawn("slow".into(), body).expect("a thread");
    let engine = Engine::of(vec![worker], shelf, "one".into());
    let mut handle = engine.submit(submission()).expect("taken in");
    let hung = handle.pulse();
    assert_eq!((hung.task.n, hung.device.n), (0, 0), "it has done nothing");
    gate.send(()).expect("the thread waits");
    while !matches!(block_on(handle.next()).expect("an end"), Event::Done(_)) {}
    let alive = handle.pulse();
    // Two steps of one row, a prompt and a decoding at the least.
    assert!(alive.task.n >= 4 && alive.device.n >= 4, "{alive:?}");
    assert!(alive.device.at > hung.device.at && alive.task.at > hung.task.at, "{alive:?}");
    let mut other = engine.submit(submission()).expect("taken in");
    assert_eq!(other.pulse().task.n, 0, "each task has its own");
    while !matches!(block_on(other.next()).expect("an end"), Event::Done(_)) {}
    assert!(other.pulse().device.n > alive.device.n && handle.pulse().task == alive.task);
}

#[test]
fn a_state_goes_to_a_device_of_its_class() {
    let class = |model: &str| DeviceClass { model: model.into(), ..DeviceClass::of(&candle_core::Device::Cpu, candle_core::DType::F32) };
    let worker = |name: &str| {
        let mut worker = broken(name);
        worker.class = Some(class(name));
        worker
    };
    let state = |index: u32, device: &str| {
        let latents = candle_core::Tensor::zeros((1, 4, 2, 2), candle_core::DType::F32, &candle_core::Device::Cpu).expect("latents");
        TrajectoryState {
            index,
            seed: Seed(3),
            pass: PassKind::First,
            step: 1,
            latents: SavedTensor::of(&latents).expect("latents"),
            history: Vec::new(),
            generator: (&TorchGenerator::new(3)).into(),
            belongs_to: BelongsTo { task: String::new(), model: String::new(), device: class(device) },
        }
    };
    for (states, expected) in [
        (&[][..], "a"),
        (&["a"], "a"),
        (&["b"], "b"),
        (&["b", "b"], "b"),
        // Nobody can go on with these: the device that is told so is any.
        (&["c"], "a"),
        (&["a", "b"], "a"),
    ] {
        let engine = Engine::of(vec![worker("a"), worker("b")], shelf(), "two".into());
        let resume = states.iter().zip(0..).map(|(device, index)| state(index, device)).collect();
        let handle = engine.submit(Submission { resume, ..submission() }).expect("taken in");
        assert_eq!(handle.device(), expected, "{states:?}");
    }
}
