//! A store that is driven without a device thread.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use candle_core::Tensor;

use super::*;
use crate::{
    catalogue::{CatalogueConfig, ModelCard, ModelEntry, NamedFile},
    checkpoint::Checkpoint,
    engine::{Counters, Precision, device::take},
    task::ImageSize,
};

/// The loader says something within this time, or never.
const PATIENCE: Duration = Duration::from_secs(120);

/// A store and what it hears.
pub(crate) struct TestStore {
    store: Store,
    received: Receiver<Message>,
    batcher: Batcher,
}

impl TestStore {
    /// A store with the first model of a catalogue.
    pub(crate) fn open((config, choice): (&EngineConfig, DeviceChoice), catalogue: &Catalogue) -> Result<Self, InferenceError> {
        let (messages, received) = channel();
        let store = Store::open((config, choice, 0), messages, Arc::default())?;
        let mut store = Self { store, received, batcher: Batcher::new(Arc::new(Counters::default()), 2) };
        store.store.want_usual(catalogue)?;
        store.wait()?;
        Ok(store)
    }

    /// The parts for a task, in memory.
    pub(crate) fn ready(&mut self, task: &Task, catalogue: &Catalogue) -> Result<Ready, InferenceError> {
        let (needed, ready) = self.store.resolve(task, catalogue)?;
        self.store.wait_for(needed, Waiting::Usual);
        self.wait()?;
        Ok(ready)
    }

    /// Does what is to be done until all parts are there.
    fn wait(&mut self) -> Result<(), InferenceError> {
        loop {
            self.store.settle(&mut self.batcher);
            if let Some(loaded) = self.store.usual() {
                return loaded;
            }
            let message = self.received.recv().map_err(|_| InferenceError::Stopped)?;
            take(message, &mut self.store, &self.batcher);
        }
    }

    /// Does what is to be done until all parts of a task are in memory.
    fn wait_for_parts(&mut self, task: &Task, catalogue: &Catalogue) {
        let needed = self.store.resolve(task, catalogue).expect("a model").0;
        self.store.settle(&mut self.batcher);
        while !needed.iter().all(|(key, _)| self.store.residency.is_resident(key)) {
            let message = self.received.recv_timeout(PATIENCE).expect("the loader has something to do");
            take(message, &mut self.store, &self.batcher);
            self.store.settle(&mut self.batcher);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, to).map(drop).expect("a copy") }
    }
}

/// Two copies of the starter model, `whole` and `broken`: the last number of one's denoiser is none, which its headers do not tell.
fn things(folder: &Path) -> CatalogueConfig {
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter/model");
    let model = |name: &str| {
        copy(&starter, &folder.join(name));
        ModelEntry::new(name, folder.join(name))
    };
    let models = vec![model("whole"), model("broken")];
    let file = folder.join("broken/unet/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&file).expect("a denoiser");
    bytes.iter_mut().rev().take(4).for_each(|byte| *byte = 0xff);
    fs::write(file, bytes).expect("a copy");
    CatalogueConfig { models, ..CatalogueConfig::default() }
}

fn open(things: &CatalogueConfig, memory_bytes: Option<u64>) -> (TestStore, Catalogue) {
    let catalogue = Catalogue::open(things).expect("the models");
    let devices = vec![DeviceChoice::Cpu];
    let config = EngineConfig { memory_bytes, devices, precision: Precision::F32, max_batch_rows: 2, preview_every: 1 };
    (TestStore::open((&config, DeviceChoice::Cpu), &catalogue).expect("the usual model"), catalogue)
}

fn task(model: &str, prompt: &str) -> Task {
    Task::from(TextToImage { model: Some(model.into()), prompt: prompt.into(), size: ImageSize::new(16, 16), ..TextToImage::default() })
}

#[test]
fn what_left_for_a_model_whose_numbers_are_none_is_in_memory_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let things = things(folder.path());
    let n_bytes = Catalogue::open(&things).expect("the models").models()[0].n_bytes();
    let (mut store, catalogue) = open(&things, Some(n_bytes));
    for _ in 0..2 {
        let refused = store.ready(&task("broken", "a cat"), &catalogue).err().expect("no model").to_string();
        assert!(refused.contains("not a finite number"), "{refused}");
        store.wait_for_parts(&task("whole", ""), &catalogue);
        assert_eq!(store.store.residency.n_bytes(), n_bytes, "all of the model that was there before, and nothing else");
    }
}

#[test]
fn the_decoder_of_previews_and_layers_of_adapters_count_as_parts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let things = things(folder.path());
    let approx = folder.path().join("whole/vae_approx");
    fs::create_dir(&approx).expect("a folder");
    let decoder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiles/taesd_decoder.safetensors");
    fs::copy(decoder, approx.join("taesd_decoder.safetensors")).expect("a copy");
    let unet = Checkpoint::open(&folder.path().join("whole")).and_then(|model| model.weights("unet", &Device::Cpu, DType::F32));
    let shape = unet.expect("a denoiser").shape("conv_in.weight").expect("a layer").to_vec();
    let path = folder.path().join("full.safetensors");
    let change = Tensor::zeros(shape.as_slice(), DType::F32, &Device::Cpu).expect("a change");
    candle_core::safetensors::save(&HashMap::from([("lora_unet_conv_in.diff", change)]), &path).expect("a file");
    let things = CatalogueConfig { adapters: vec![NamedFile { name: "full".into(), path }], ..things };

    let (mut store, catalogue) = open(&things, None);
    let ModelCard { preview, .. } = &*catalogue.models()[0].clone();
    let of_model = catalogue.models()[0].n_bytes();
    let of_preview = preview.as_ref().expect("it lies with the model").n_bytes;
    assert!(of_preview > 0);
    assert_eq!(store.store.residency.n_bytes(), of_model + of_preview);
    let of_layer = 4 * shape.iter().product::<usize>() as u64;
    for (prompt, n_sets) in [("<lora:full:1>", 1), ("<lora:full:0.5>", 2), ("<lora:full:1>", 2), ("a cat", 2)] {
        let ready = store.ready(&task("whole", prompt), &catalogue).expect("what fits");
        assert_eq!(ready.set().expect("in memory").n_bytes() > 0, prompt != "a cat");
        assert_eq!(store.store.residency.n_bytes(), of_model + of_preview + n_sets * of_layer, "{prompt}");
    }

    // Only one set has room, and the one before leaves for it.
    let (mut store, catalogue) = open(&things, Some(of_model + of_preview + of_layer));
    for prompt in ["<lora:full:1>", "<lora:full:0.5>", "<lora:full:0.25>"] {
        store.ready(&task("whole", prompt), &catalogue).expect("what fits");
        assert_eq!(store.store.residency.n_bytes(), of_model + of_preview + of_layer, "{prompt}");
    }
    let (store, _) = open(&things, Some(of_model + of_preview - 1));
    assert_eq!(store.store.residency.n_bytes(), of_model, "previews are shown without a decoder where it has no room");
}
