//! The last latents against those of diffusers: with the starter model here, with every family of tiny models in `families`.

mod adapters;
pub(crate) mod families;
mod resume;
mod settings;
mod stop;
mod z_image_adapters;

use std::{path::Path, sync::Arc};

use candle_core::{Device, Tensor};
use image::{GrayImage, RgbImage};

use super::{
    Events, Job,
    drawing::{Begin, Drawing},
    picture::Picture,
};
use crate::{
    batcher::Batcher,
    catalogue::{Catalogue, CatalogueConfig, ModelEntry},
    checkpoint::OtherParts,
    engine::{Counters, DeviceChoice, EngineConfig, Meter, Precision, Ready, Submission, TestStore},
    error::InferenceError,
    schedule::ScheduleKind,
    task::{ImageSize, Role, Seed, Task, TextToImage},
};

/// |found − wanted| over |wanted|, both as lengths of vectors.
fn relative_distance(found: &Tensor, wanted: &Tensor) -> Result<f64, InferenceError> {
    let length = |tensor: &Tensor| tensor.sqr()?.sum_all()?.to_scalar::<f32>();
    Ok(f64::from(length(&(found - wanted)?)? / length(wanted)?).sqrt())
}

/// One model.
fn catalogue(path: &Path) -> CatalogueConfig {
    let models =
        vec![ModelEntry { name: "model".into(), path: path.to_owned(), vae: None, others: OtherParts::default(), prediction: None }];
    CatalogueConfig { models, ..CatalogueConfig::default() }
}

/// Float32 on the CPU.
fn config() -> EngineConfig {
    EngineConfig { memory_bytes: None, devices: vec![DeviceChoice::Cpu], precision: Precision::F32, max_batch_rows: 2, preview_every: 0 }
}

/// The models of a catalogue, one of them loaded.
struct Shelved {
    store: TestStore,
    catalogue: Arc<Catalogue>,
}

impl Shelved {
    fn open(things: CatalogueConfig) -> Self {
        let catalogue = Arc::new(Catalogue::open(&things).expect("everything is there"));
        Self { store: TestStore::open((&config(), DeviceChoice::Cpu), &catalogue).expect("the model loads"), catalogue }
    }
}

/// The last latents of picture `index` of a task, as its decoder takes them.
fn last_latents(
    (store, catalogue): (&mut TestStore, &Catalogue),
    task: Task,
    source: Option<RgbImage>,
    mask: Option<GrayImage>,
    index: u32,
) -> Tensor {
    let (sender, _receiver) = tokio::sync::mpsc::channel(8);
    let ready = store.ready(&task, catalogue).expect("the parts load");
    let adapters = ready.set().expect("all are in memory");
    let Ready { parts, facts, .. } = ready;
    let (events, meter) = (Events::new(sender, 1), Arc::new(Meter::default()));
    let pictures = source.map(|picture| (Role::Init, picture.into()));
    let inputs = pictures.into_iter().chain(mask.map(|mask| (Role::Mask, mask.into()))).collect();
    let job = Job { submission: Submission { inputs, ..Submission::new(task) }, parts, adapters, facts, events, meter };
    let latents = Batcher::new(Arc::new(Counters::default()), 2).drive(job.ticket(), async move |caller| {
        let mut drawing = Drawing::new(&job, job.task().base().expect("a drawing task"));
        drawing.prepare(caller, &[(index, Begin::Fresh)]).await?;
        Picture::new(&drawing, caller, index).drawn(Begin::Fresh).await
    });
    latents.expect("no fault").expect("a picture").latents
}

#[test]
fn the_last_latents_equal_those_of_diffusers() {
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter");
    let catalogue = Arc::new(Catalogue::open(&catalogue(&starter.join("model"))).expect("the starter model"));
    let mut store = TestStore::open((&config(), DeviceChoice::Cpu), &catalogue).expect("the starter model");
    let text = std::fs::read_to_string(starter.join("reference/reference.json")).expect("reference.json").replace("-Infinity", "null");
    let file: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let word = |key: &str| case[key].as_str().expect("text");
        let task = Task::from(TextToImage {
            prompt: word("prompt").into(),
            negative_prompt: Some(word("negative_prompt").into()),
            size: ImageSize::new(64, 64),
            steps: case["steps"].as_u64().expect("steps") as u32,
            guidance_scale: case["guidance_scale"].as_f64().expect("a number"),
            sampler: word("scheduler").parse().expect("a sampler"),
            schedule: ScheduleKind::Normal,
            seed: Seed(case["seed"].as_u64().expect("a seed")),
            n_images: 1,
            ..TextToImage::default()
        });
        let latents = last_latents((&mut store, &catalogue), task, None, None, 0);
        let tensors = candle_core::safetensors::load(starter.join("reference").join(word("file")), &Device::Cpu).expect("tensors");
        let distance = relative_distance(&latents, &tensors["final_latents"]).expect("a distance");
        assert!(distance < 1e-3, "{} ({}): {distance:.2e}", word("prompt"), word("scheduler"));
    }
}
