//! The models of a device thread: all known by their headers, a few in memory.

use std::{path::PathBuf, rc::Rc, sync::Arc, time::Instant};

use candle_core::{DType, Device};

use super::{EngineConfig, Known, NamedFile, device, position_of};
use crate::{
    adapter::{AdapterError, AdapterWeights, Adapters},
    batcher::Parts,
    checkpoint::{Patch, UnetLayout},
    error::{InferenceError, InvalidTask},
    family::{ModelFiles, ModelSource, Text},
    preview::{Preview, PreviewMap},
    state::{DeviceClass, Files},
    task::{AdapterUse, Note, Task, TaskKind},
    telemetry,
    text::{Embedding, mentions},
    trajectory::Facts,
    upscale::Upscaler,
    vae::{
        Vae,
        taesd::{Taesd, TaesdKind},
    },
};

/// A model's networks, and what is to be known about them.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) parts: Rc<Parts>,
    pub(crate) facts: Rc<Facts>,
    pub(crate) notes: Rc<Notes>,
}

/// What was not used of what a model was changed by.
#[derive(Default)]
pub(crate) struct Notes {
    adapters: Vec<Note>,
    /// Learned words that are made for another model.
    words: Vec<String>,
}

impl Notes {
    /// What matters to a task.
    pub(crate) fn of(&self, task: &Task) -> Vec<Note> {
        let Some(base) = task.base() else { return Vec::new() };
        let prompts = [base.prompt.as_str(), base.negative_prompt.as_deref().unwrap_or_default()];
        let words = self.words.iter().filter(|word| prompts.iter().any(|prompt| mentions(prompt, word)));
        self.adapters.iter().cloned().chain(words.map(|word| Note::WordNotLearned { word: word.clone() })).collect()
    }
}

/// A model in memory, changed by a set of adapters.
struct InMemory {
    model: usize,
    adapters: Vec<AdapterUse>,
    files: ModelFiles,
    ready: Ready,
    last_use: u64,
}

impl InMemory {
    fn is_idle(&self) -> bool {
        Rc::strong_count(&self.ready.parts) == 1
    }
}

/// The models of a device thread.
pub(crate) struct Store {
    config: EngineConfig,
    device: Device,
    dtype: DType,
    upscaler: Option<Arc<Upscaler>>,
    known: Vec<Known>,
    in_memory: Vec<InMemory>,
    n_uses: u64,
}

impl Store {
    /// Reads what all models are and loads the first one.
    pub(crate) fn open(config: &EngineConfig) -> Result<Self, InferenceError> {
        let device = device::open(config.device)?;
        let (dtype, _) = device::dtype(config);
        let upscaler = config.upscaler.as_deref().map(|file| Upscaler::load(file, &device)).transpose()?.map(Arc::new);
        let factor = upscaler.as_ref().map(|upscaler| upscaler.factor());
        let known = config.models.iter().map(|entry| Known::read(entry, config, factor)).collect::<Result<Vec<_>, _>>()?;
        let mut store = Self { config: config.clone(), device, dtype, upscaler, known, in_memory: Vec::new(), n_uses: 0 };
        store.known.first().ok_or(InferenceError::NoModels)?;
        let Parts { text, denoiser, vae, .. } = &*store.load(0, &[], None)?.ready.parts;
        let n_parameters = text.n_parameters() + denoiser.n_parameters() + vae.n_parameters();
        store.known[0].info.n_parameters = n_parameters;
        store.tell_bytes();
        // The usual model's prompts are counted for every task: not while somebody waits for an answer.
        store.known[0].lengths.prepare();
        Ok(store)
    }

    /// What all models are.
    pub(crate) fn known(&self) -> &[Known] {
        &self.known
    }

    /// The networks for a task; `None` while there is no room because those in memory are all in use. Those that are not in memory are loaded,
    /// after a call of `loading`.
    pub(crate) fn networks(&mut self, task: &Task, loading: impl FnOnce()) -> Result<Option<Ready>, InferenceError> {
        let (name, adapters) = task.base().map_or((None, Vec::new()), |base| (base.model.as_deref(), base.all_adapters()));
        let model = match name {
            None => 0,
            Some(name) => {
                let known = || self.known.iter().map(|known| known.info.name.clone()).collect::<Vec<_>>().join(", ");
                let found = position_of(self.known.iter().map(|known| known.info.name.as_str()), name);
                let named = found.ok_or_else(|| InvalidTask::UnknownModel { found: name.to_owned(), known: known() })?;
                self.first_of_same_files(named)
            }
        };
        if let (TaskKind::Upscale(_), Some(any)) = (&task.kind, self.in_memory.iter().max_by_key(|entry| entry.last_use)) {
            // The super-resolution network is every model's.
            return Ok(Some(any.ready.clone()));
        }
        self.n_uses += 1;
        let n_uses = self.n_uses;
        if let Some(found) = self.in_memory.iter_mut().find(|entry| entry.model == model && entry.adapters == adapters) {
            found.last_use = n_uses;
            return Ok(Some(found.ready.clone()));
        }
        if !self.has_room() {
            return Ok(None);
        }
        // What does not fit is found before any other model goes.
        let opened = self.open_adapters(model, &adapters)?;
        self.make_room();
        loading();
        let begun = Instant::now();
        let ready = self.load(model, &adapters, opened)?.ready.clone();
        telemetry::loaded(begun.elapsed());
        tracing::info!(model.name = self.known[model].info.name, elapsed_ms = begun.elapsed().as_millis() as u64, "loaded");
        self.tell_bytes();
        Ok(Some(ready))
    }

    /// Tells those who watch how much memory the weights take.
    fn tell_bytes(&self) {
        let n_bytes = |entry: &InMemory| {
            let Parts { text, denoiser, vae, .. } = &*entry.ready.parts;
            text.n_bytes() + denoiser.n_bytes() + vae.n_bytes()
        };
        telemetry::resident(&device::name(&self.config), self.in_memory.iter().map(n_bytes).sum());
    }

    /// The first model with the same files: one model under two names is in memory once.
    fn first_of_same_files(&self, model: usize) -> usize {
        let files = |known: &Known| (known.entry.path.clone(), known.entry.vae.clone(), known.entry.others.clone(), known.info.prediction);
        self.known.iter().position(|known| files(known) == files(&self.known[model])).unwrap_or(model)
    }

    /// Whether another model fits in, or would if an idle one went.
    fn has_room(&self) -> bool {
        self.is_free() || self.in_memory.iter().any(InMemory::is_idle)
    }

    fn is_free(&self) -> bool {
        self.in_memory.len() < self.config.max_loaded_models.max(1)
    }

    /// Drops the models that were not used for the longest time until another one fits in.
    fn make_room(&mut self) {
        while !self.is_free() {
            let idle = self.in_memory.iter().enumerate().filter(|(_, entry)| entry.is_idle());
            let Some((oldest, _)) = idle.min_by_key(|(_, entry)| entry.last_use) else { return };
            self.in_memory.swap_remove(oldest);
        }
    }

    fn load(&mut self, model: usize, adapters: &[AdapterUse], opened: Option<Adapters>) -> Result<&InMemory, InferenceError> {
        let entry = &self.known[model].entry;
        let opened = opened.map(Arc::new);
        let patch = opened.clone().map(|adapters| adapters as Arc<dyn Patch>);
        let (device, dtype) = (&self.device, self.dtype);
        let base = self.in_memory.iter().find(|entry| entry.model == model);
        let (files, vae) = match base {
            Some(base) => (base.files.patched(patch), base.ready.parts.vae.clone()),
            None => {
                let files = ModelFiles::open(&ModelSource {
                    path: entry.path.clone(),
                    vae: entry.vae.clone(),
                    others: entry.others.clone(),
                    patch,
                })?;
                let vae = Arc::new(files.vae(device, dtype)?);
                (files, vae)
            }
        };
        let (mut text, denoiser) = (files.text(device, dtype)?, Arc::new(files.denoiser(device, dtype)?));
        if base.is_none()
            && let Some(warning) = files.unread()?
        {
            tracing::warn!("{warning}");
        }
        let mut notes = Notes::default();
        if let Some(opened) = opened {
            for warning in opened.check()? {
                tracing::warn!("{warning}");
            }
            notes.adapters = adapters.iter().zip(opened.report()).filter_map(|(used, report)| report.note(&used.name)).collect();
        }
        notes.words = self.teach(&mut text)?;
        let facts = Rc::new(self.facts(model, adapters, &vae)?);
        let parts = Rc::new(Parts { text: Arc::new(text), denoiser, vae, upscaler: self.upscaler.clone() });
        let ready = Ready { parts, facts, notes: Rc::new(notes) };
        self.in_memory.push(InMemory { model, adapters: adapters.to_vec(), files, ready, last_use: self.n_uses });
        Ok(&self.in_memory[self.in_memory.len() - 1])
    }

    fn open_adapters(&self, model: usize, adapters: &[AdapterUse]) -> Result<Option<Adapters>, InferenceError> {
        if adapters.is_empty() {
            return Ok(None);
        }
        let file = |wanted: &AdapterUse| -> Result<(PathBuf, AdapterWeights), InferenceError> {
            let adapters = &self.config.adapters;
            let known = position_of(adapters.iter().map(|known| known.name.as_str()), &wanted.name).map(|place| &adapters[place]);
            Ok((known.ok_or_else(|| unknown_adapter(&wanted.name, &self.config.adapters))?.path.clone(), wanted.weights()))
        };
        let files = adapters.iter().map(file).collect::<Result<Vec<_>, _>>()?;
        let Some(unet) = &self.known[model].unet else {
            let path = files.into_iter().next().map(|(path, _)| path).unwrap_or_default();
            return Err(AdapterError::Unsupported { path, what: "an adapter for a model without a U-Net" }.into());
        };
        Adapters::open(&files, &UnetLayout::of(unet)).map(Some)
    }

    /// Makes the configured words known to a model's text encoders. With several models a word may be made for another one: these are given back.
    fn teach(&self, text: &mut Text) -> Result<Vec<String>, InferenceError> {
        let mut unknown = Vec::new();
        for NamedFile { name, path } in &self.config.embeddings {
            match text.learn(&Embedding::load(path)?.named(name)) {
                Err(error) if self.known.len() == 1 => return Err(error),
                Err(error) => {
                    tracing::warn!(word = name, "not known to this model: {error}");
                    unknown.push(name.clone());
                }
                Ok(()) => {}
            }
        }
        Ok(unknown)
    }

    /// What is loaded for a model with adapters.
    fn files(&self, model: usize, adapters: &[AdapterUse]) -> Files {
        let entry = &self.known[model].entry;
        let named = |files: &[NamedFile], name: &str| {
            position_of(files.iter().map(|file| file.name.as_str()), name).map(|place| files[place].path.clone())
        };
        let mut files = Files::default().and(format!("model {:?}", entry.prediction), &entry.path);
        let others = [("text_encoder", &entry.others.text_encoder), ("tokenizer", &entry.others.tokenizer)];
        for (purpose, path) in [("vae", &entry.vae), ("upscaler", &self.config.upscaler)].into_iter().chain(others) {
            files = path.iter().fold(files, |files, path| files.and(purpose, path));
        }
        for used in adapters {
            files = named(&self.config.adapters, &used.name).iter().fold(files, |files, path| files.and("adapter", path));
        }
        self.config.embeddings.iter().fold(files, |files, word| files.and(format!("word {}", word.name), &word.path))
    }

    fn facts(&self, model: usize, adapters: &[AdapterUse], vae: &Vae) -> Result<Facts, InferenceError> {
        let preview = match Taesd::find(&self.known[model].entry.path, TaesdKind::of_scaling_factor(vae.scaling_factor())) {
            Some(path) => Preview::Taesd(Taesd::load_for(&path, &self.device, vae.latent_channels(), vae.factor())?),
            None => Preview::Linear(PreviewMap::of_vae(vae, &self.device)?),
        };
        Ok(Facts {
            limits: self.known[model].limits.clone(),
            preview,
            preview_every: self.config.preview_every,
            device: self.device.clone(),
            device_class: DeviceClass::of(&self.device, self.dtype),
            files: self.files(model, adapters),
        })
    }
}

/// What to say of an adapter that nobody configured.
pub(super) fn unknown_adapter(found: &str, known: &[NamedFile]) -> InvalidTask {
    let names = known.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
    let known = if names.is_empty() { "none is configured".to_owned() } else { format!("there are {names}") };
    InvalidTask::UnknownAdapter { found: found.to_owned(), known }
}
