//! Jobs with different adapters on one model: what they share, and what each draws.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use candle_core::Tensor;
use image::RgbImage;
use tokio::sync::mpsc;

use super::{catalogue, config, families::models, last_latents, relative_distance};
use crate::{
    adapter::{AdapterSet, tests::merge_into},
    batcher::Batcher,
    catalogue::{Catalogue, CatalogueConfig, NamedFile},
    engine::{Counters, DeviceChoice, Event, Meter, Ready, Submission, TestStore},
    sampler::Sampler,
    task::{AdapterUse, ImageSize, Seed, Task, TextToImage},
    trajectory::{Events, Job},
};

/// Adapters of the tiny model: products, products with a core, and kinds that make layers of their own.
const NAMES: [&str; 6] = ["kohya_sd1", "peft_sd1", "core_sd1", "locon_sd1", "dora_sd1", "loha_sd1"];

/// A model with adapters in a device's store.
pub(super) struct Bench {
    store: TestStore,
    catalogue: Arc<Catalogue>,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// The tiny model, changed by `change` in its folder.
    fn new(change: impl FnOnce(&Path)) -> Self {
        let file = |name: &str| NamedFile { name: name.into(), path: adapter(name) };
        Self::of(&data(), "sd1", NAMES.map(file).into(), change)
    }

    /// The same of another tiny model with these adapters.
    pub(super) fn of(data: &Path, model: &str, adapters: Vec<NamedFile>, change: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        models::write_some(data, folder.path(), &[model]);
        let model = folder.path().join("models").join(model);
        change(&model);
        let entries = CatalogueConfig { adapters, ..catalogue(&model) };
        let catalogue = Arc::new(Catalogue::open(&entries).expect("the model"));
        let store = TestStore::open((&config(), DeviceChoice::Cpu), &catalogue).expect("a device");
        Self { store, catalogue, _folder: folder }
    }

    pub(super) fn ready(&mut self, task: &Task) -> (Ready, AdapterSet) {
        let ready = self.store.ready(task, &self.catalogue).expect("what fits");
        let adapters = ready.set().expect("all are in memory");
        (ready, adapters)
    }

    /// The last latents of a task.
    pub(super) fn latents(&mut self, task: Task) -> Tensor {
        last_latents((&mut self.store, &self.catalogue), task, None, None, 0)
    }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families")
}

fn adapter(name: &str) -> PathBuf {
    data().join(format!("adapters/{name}.safetensors"))
}

fn task(adapters: &[(&str, f64)], seed: u64) -> Task {
    Task::from(TextToImage {
        prompt: "a red fox".into(),
        size: ImageSize::new(24, 20),
        steps: 3,
        guidance_scale: 4.0,
        sampler: Sampler::EulerA,
        seed: Seed(seed),
        adapters: adapters.iter().map(|(name, weight)| AdapterUse::new(*name, *weight)).collect(),
        ..TextToImage::default()
    })
}

/// Draws tasks together; gives each one's picture, and how many calls the denoiser got.
pub(super) fn draw(bench: &mut Bench, tasks: &[Task]) -> (Vec<RgbImage>, u64) {
    let counters = Arc::new(Counters::default());
    let mut batcher = Batcher::new(counters.clone(), 64);
    let mut receivers = Vec::new();
    for task in tasks {
        let (sender, receiver) = mpsc::channel(64);
        let (Ready { parts, facts, .. }, adapters) = bench.ready(task);
        let (events, meter) = (Events::new(sender, 1), Arc::new(Meter::default()));
        let job = Job { submission: Submission::new(task.clone()), parts, adapters, facts, events, meter };
        batcher.start(job.ticket(), async move |caller| job.run(&caller).await);
        receivers.push(receiver);
    }
    while batcher.turn() {}
    let picture = |mut receiver: mpsc::Receiver<Event>| loop {
        match receiver.try_recv().expect("a picture") {
            Event::Image(finished) => return finished.image,
            Event::Failed(error) => panic!("{error}"),
            _ => {}
        }
    };
    (receivers.into_iter().map(picture).collect(), counters.stats().n_network_calls)
}

#[test]
fn jobs_with_different_adapters_take_the_calls_of_one_and_draw_as_each_alone() {
    let mut bench = Bench::new(|_| {});
    let tasks: Vec<Task> = vec![
        task(&[], 1),
        task(&[("kohya_sd1", 0.8)], 1),
        task(&[("kohya_sd1", 0.7)], 1),
        task(&[("peft_sd1", -0.5), ("kohya_sd1", 0.8)], 1),
        task(&[("core_sd1", 1.0)], 1),
        task(&[("locon_sd1", 1.0)], 2),
        task(&[("dora_sd1", 0.6)], 1),
        task(&[("kohya_sd1", 0.8), ("dora_sd1", 0.6)], 1),
        task(&[("loha_sd1", 1.0)], 1),
        task(&[], 2),
    ];
    let (mut alone, mut n_calls) = (Vec::new(), Vec::new());
    for task in &tasks {
        let (pictures, n) = draw(&mut bench, std::slice::from_ref(task));
        alone.extend(pictures);
        n_calls.push(n);
    }
    for (i, picture) in alone.iter().enumerate() {
        assert!(!alone[..i].contains(picture), "the picture of task {i} is another's");
    }
    assert_eq!(n_calls, vec![3; tasks.len()], "a call for each step");
    let (together, n) = draw(&mut bench, &tasks);
    assert_eq!(n, 3, "all rows go together");
    for (i, (together, alone)) in together.iter().zip(&alone).enumerate() {
        assert!(together == alone, "task {i} draws another picture beside the others");
    }
}

#[test]
fn sets_of_adapters_share_the_model_and_another_weight_the_adapter() {
    let mut bench = Bench::new(|_| {});
    let (base, _) = bench.ready(&task(&[], 1));
    let held = |ready: &Ready| ready.adapters().expect("all are in memory");
    let (ink, _) = bench.ready(&task(&[("kohya_sd1", 0.8)], 1));
    for (adapters, has_own_layers) in [
        (&[("kohya_sd1", 0.7)][..], false),
        (&[("kohya_sd1", -2.0), ("peft_sd1", 1.0)], false),
        (&[("kohya_sd1", 0.8), ("dora_sd1", 0.6)], true),
    ] {
        let (ready, set) = bench.ready(&task(adapters, 1));
        assert!(Rc::ptr_eq(&ready.parts.denoiser, &base.parts.denoiser), "{adapters:?} has a denoiser of its own");
        assert!(Rc::ptr_eq(&ready.parts.text, &base.parts.text), "{adapters:?} has text encoders of its own");
        assert!(Arc::ptr_eq(&held(&ready)[0].0, &held(&ink)[0].0), "{adapters:?} has the adapter once more");
        assert_eq!(set.n_bytes() > 0, has_own_layers, "{adapters:?}");
    }
}

#[test]
fn an_adapter_draws_what_the_weights_draw_that_it_is_merged_into() {
    let mut live = Bench::new(|_| {});
    for name in NAMES {
        let mut merged = Bench::new(|folder| merge_into(folder, &adapter(name), 0.8));
        let (of_live, of_merged) = (live.latents(task(&[(name, 0.8)], 1)), merged.latents(task(&[], 1)));
        let distance = relative_distance(&of_live, &of_merged).expect("a distance");
        assert!(distance < 1e-4, "{name}: {distance:.1e}");
        let plain = live.latents(task(&[], 1));
        assert!(relative_distance(&of_live, &plain).expect("a distance") > 100.0 * distance, "{name} does something");
        let [a, b] = [draw(&mut live, &[task(&[(name, 0.8)], 1)]).0.remove(0), draw(&mut merged, &[task(&[], 1)]).0.remove(0)];
        let psnr = psnr(&a, &b);
        assert!(psnr >= 60.0, "{name}: {psnr:.1} dB");
    }
}

/// How near two pictures are, in decibels.
pub(super) fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    let squares: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) / (squares / a.as_raw().len() as f64)).log10()
}
