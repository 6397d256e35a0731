//! What the engine's tests share: the starter model, tasks, and a reader of events.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::executor::block_on;
use image::{GrayImage, Luma, RgbImage, imageops::FilterType};
use inference::{
    catalogue::{CatalogueConfig, ModelEntry, Shelf},
    checkpoint::OtherParts,
    engine::{DeviceChoice, Engine, EngineConfig, Event, Precision, Stopped, Submission, TaskHandle, Usage},
    error::InferenceError,
    sampler::Sampler,
    schedule::ScheduleKind,
    state::TrajectoryState,
    task::{ImageSize, ImageToImage, Inpaint, Note, Role, Seed, Task, TextToImage},
};

pub fn starter_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter")
}

pub fn config(max_batch_rows: usize, preview_every: u32) -> EngineConfig {
    EngineConfig { memory_bytes: None, devices: vec![DeviceChoice::Cpu], precision: Precision::F32, max_batch_rows, preview_every }
}

/// The starter model and its super-resolution network.
pub fn starter_things() -> CatalogueConfig {
    CatalogueConfig {
        models: vec![ModelEntry {
            name: "starter".into(),
            path: starter_folder().join("model"),
            vae: None,
            others: OtherParts::default(),
            prediction: None,
        }],
        upscaler: Some(starter_folder().join("upscaler/realesr-animevideov3-x4.safetensors")),
        ..CatalogueConfig::default()
    }
}

pub fn start(config: EngineConfig, things: CatalogueConfig) -> Result<Engine, InferenceError> {
    Engine::start(config, Arc::new(Shelf::open(things)?))
}

pub fn engine(max_batch_rows: usize, preview_every: u32) -> Engine {
    start(config(max_batch_rows, preview_every), starter_things()).expect("the starter model loads")
}

pub fn text_to_image(prompt: &str, seed: u64, steps: u32, n_images: u32) -> TextToImage {
    TextToImage {
        prompt: prompt.into(),
        negative_prompt: None,
        size: ImageSize::new(64, 64),
        steps,
        guidance_scale: 5.0,
        sampler: Sampler::Ddim,
        schedule: ScheduleKind::Normal,
        seed: Seed(seed),
        n_images,
        ..TextToImage::default()
    }
}

/// A task that draws from noise.
pub fn drawn(base: TextToImage) -> Submission {
    Submission::new(Task::from(base))
}

/// A task that changes a picture.
pub fn changed(base: TextToImage, strength: f64) -> Submission {
    let source = source_picture(base.size);
    Submission::new(Task::image_to_image(ImageToImage { base, strength }, "source")).with(Role::Init, source)
}

/// A task that fills in the right half of a picture.
pub fn filled(base: TextToImage, strength: f64) -> Submission {
    let ImageSize { width, height } = base.size;
    let source = source_picture(base.size);
    let mask = GrayImage::from_fn(width, height, |x, _| Luma([if x * 2 < width { 0 } else { 255 }]));
    let task = Task::inpaint(Inpaint { base, strength }, "source", "mask");
    Submission::new(task).with(Role::Init, source).with(Role::Mask, mask)
}

/// A picture of a size.
pub fn source_picture(size: ImageSize) -> RgbImage {
    let picture = picture(&starter_folder().join("reference/0.png"));
    image::imageops::resize(&picture, size.width, size.height, FilterType::Triangle)
}

/// Hands a task in, which must be valid.
pub fn submit(engine: &Engine, submission: &Submission) -> TaskHandle {
    engine.submit(submission.clone()).expect("a valid task")
}

/// Runs one task to its end, which must be `Done`.
pub fn run(engine: &Engine, submission: &Submission) -> Outcome {
    finish(submit(engine, submission))
}

/// Reads a task to its end, which must not be `Done`.
pub fn failure(mut handle: TaskHandle) -> String {
    loop {
        match block_on(handle.next()).expect("an end") {
            Event::Failed(error) => return error.to_string(),
            Event::Done(_) => panic!("the task was finished"),
            Event::Loading | Event::Notes(_) | Event::Progress(_) | Event::Preview { .. } | Event::Checkpoint { .. } | Event::Image(_) => {}
        }
    }
}

/// Everything that a finished task told, pictures by index.
#[derive(Default)]
pub struct Outcome {
    /// Whether its model was loaded for it.
    pub was_loading: bool,
    /// What the person who asked should know.
    pub notes: Vec<Note>,
    pub images: Vec<RgbImage>,
    /// Where each of them was stopped.
    pub stopped: Vec<Option<Stopped>>,
    pub seeds: Vec<Seed>,
    pub previews: Vec<RgbImage>,
    /// In the order in which they were told.
    pub states: Vec<TrajectoryState>,
    pub usage: Usage,
}

/// Reads a task to its end, which must be `Done`.
pub fn finish(mut handle: TaskHandle) -> Outcome {
    let (mut outcome, mut finished) = (Outcome::default(), Vec::new());
    loop {
        match block_on(handle.next()).expect("an end") {
            Event::Loading => outcome.was_loading = true,
            Event::Notes(notes) => {
                assert!(outcome.notes.is_empty() && !notes.is_empty() && finished.is_empty(), "told once, before all else");
                outcome.notes = notes;
            }
            Event::Progress(progress) => assert!(progress.done <= progress.total),
            Event::Preview { image, .. } => outcome.previews.push(image),
            Event::Checkpoint { index, state } => {
                assert_eq!(index, state.index);
                outcome.states.push(*state);
            }
            Event::Image(image) => finished.push(image),
            Event::Done(usage) => {
                outcome.usage = usage;
                break;
            }
            Event::Failed(error) => panic!("the task failed: {error}"),
        }
    }
    finished.sort_by_key(|image| image.index);
    outcome.seeds = finished.iter().map(|image| image.seed).collect();
    (outcome.images, outcome.stopped) = finished.into_iter().map(|image| (image.image, image.stopped.map(|stopped| *stopped))).unzip();
    outcome
}

pub fn picture(path: &Path) -> RgbImage {
    image::open(path).expect("a picture").into_rgb8()
}

/// Peak signal-to-noise ratio in decibels.
pub fn psnr(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) / (squares / a.as_raw().len() as f64)).log10()
}

pub struct Reference {
    pub task: TextToImage,
    pub image: RgbImage,
}

/// The pictures that diffusers drew with the starter model.
pub fn reference() -> Vec<Reference> {
    let folder = starter_folder().join("reference");
    let text = std::fs::read_to_string(folder.join("reference.json")).expect("reference.json").replace("-Infinity", "null");
    let file: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let case = |case: &serde_json::Value| {
        let word = |key: &str| case[key].as_str().expect("text");
        let (seed, steps) = (case["seed"].as_u64().expect("a seed"), case["steps"].as_u64().expect("steps") as u32);
        let task = TextToImage {
            negative_prompt: Some(word("negative_prompt").into()),
            guidance_scale: case["guidance_scale"].as_f64().expect("a number"),
            sampler: word("scheduler").parse().expect("a sampler"),
            ..text_to_image(word("prompt"), seed, steps, 1)
        };
        Reference { task, image: picture(&folder.join(word("image"))) }
    };
    file["cases"].as_array().expect("cases").iter().map(case).collect()
}
