//! The models of a device thread: all known by their headers, a few in memory.

use std::{path::PathBuf, rc::Rc, sync::Arc, time::Instant};

use candle_core::{DType, Device};

use super::{EngineConfig, device};
use crate::{
    adapter::{AdapterError, Adapters},
    batcher::Parts,
    catalogue::{Catalogue, EmbeddingCard, ModelCard, UpscalerCard, Version},
    checkpoint::Patch,
    error::InferenceError,
    family::{ModelFiles, ModelSource, Text},
    preview::{Preview, PreviewMap},
    schedule::Prediction,
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
    identity: Identity,
    adapters: Vec<Used>,
    files: ModelFiles,
    ready: Ready,
    last_use: u64,
}

/// What tells a model from another one, whatever they are called: its files as they were read, what its network predicts, and the words taught to it.
#[derive(Clone, PartialEq)]
struct Identity {
    version: Version,
    prediction: Prediction,
    words: Vec<Arc<EmbeddingCard>>,
}

impl Identity {
    fn of(card: &ModelCard, catalogue: &Catalogue) -> Self {
        Self { version: card.version.clone(), prediction: card.prediction, words: catalogue.embeddings().to_vec() }
    }
}

/// An adapter, how much of it, and its file as it was read.
#[derive(Clone, PartialEq)]
struct Used {
    how: AdapterUse,
    path: PathBuf,
    version: Version,
}

impl Used {
    fn of(how: AdapterUse, catalogue: &Catalogue) -> Result<Self, InferenceError> {
        let card = catalogue.adapter(&how.name).ok_or_else(|| catalogue.unknown_adapter(&how.name))?;
        Ok(Self { path: card.path.clone(), version: card.version.clone(), how })
    }
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
    /// The file of the super-resolution network as it was read.
    upscaler_card: Option<UpscalerCard>,
    upscaler: Option<Arc<Upscaler>>,
    in_memory: Vec<InMemory>,
    n_uses: u64,
}

impl Store {
    /// Loads the first model of a catalogue.
    pub(crate) fn open(config: &EngineConfig, catalogue: &Arc<Catalogue>) -> Result<Self, InferenceError> {
        let device = device::open(config.device)?;
        let (dtype, _) = device::dtype(config);
        let config = config.clone();
        let mut store = Self { config, device, dtype, upscaler_card: None, upscaler: None, in_memory: Vec::new(), n_uses: 0 };
        store.follow_upscaler(catalogue)?;
        let first = catalogue.model(None).ok_or(InferenceError::NoModels)?;
        store.load((first, catalogue), &[], None)?;
        store.tell_bytes();
        // The usual model's prompts are counted for every task: not while somebody waits for an answer.
        catalogue.prepare();
        Ok(store)
    }

    /// Loads the super-resolution network of a catalogue, if it is another one than before; tasks on their way keep theirs.
    fn follow_upscaler(&mut self, catalogue: &Catalogue) -> Result<(), InferenceError> {
        if self.upscaler_card.as_ref() == catalogue.upscaler() {
            return Ok(());
        }
        self.upscaler = catalogue.upscaler().map(|card| Upscaler::load(&card.path, &self.device)).transpose()?.map(Arc::new);
        self.upscaler_card = catalogue.upscaler().cloned();
        for InMemory { ready, .. } in &mut self.in_memory {
            let Parts { text, denoiser, vae, .. } = &*ready.parts;
            let (text, denoiser, vae) = (text.clone(), denoiser.clone(), vae.clone());
            ready.parts = Rc::new(Parts { text, denoiser, vae, upscaler: self.upscaler.clone() });
        }
        Ok(())
    }

    /// The networks for a task; `None` while there is no room because those in memory are all in use. Those that are not in memory are loaded,
    /// after a call of `loading`.
    pub(crate) fn networks(&mut self, task: &Task, catalogue: &Catalogue, loading: impl FnOnce()) -> Result<Option<Ready>, InferenceError> {
        let (name, adapters) = task.base().map_or((None, Vec::new()), |base| (base.model.as_deref(), base.all_adapters()));
        // What a catalogue has checked it has; what is only enlarged needs no model of its own.
        let found = if task.base().is_some() { catalogue.model(name) } else { catalogue.models().first() };
        let card = found.ok_or(InferenceError::Internal { what: "a task of a model that is in no catalogue" })?;
        self.follow_upscaler(catalogue)?;
        if let (TaskKind::Upscale(_), Some(any)) = (&task.kind, self.in_memory.iter().max_by_key(|entry| entry.last_use)) {
            // The super-resolution network is every model's.
            return Ok(Some(any.ready.clone()));
        }
        self.n_uses += 1;
        let n_uses = self.n_uses;
        let identity = Identity::of(card, catalogue);
        let adapters = adapters.into_iter().map(|used| Used::of(used, catalogue)).collect::<Result<Vec<_>, _>>()?;
        let is_same = |entry: &&mut InMemory| entry.identity == identity && entry.adapters == adapters;
        if let Some(found) = self.in_memory.iter_mut().find(is_same) {
            found.last_use = n_uses;
            return Ok(Some(found.ready.clone()));
        }
        if !self.has_room() {
            return Ok(None);
        }
        // What does not fit is found before any other model goes.
        let opened = open_adapters(card, &adapters)?;
        self.make_room();
        loading();
        let begun = Instant::now();
        let ready = self.load((card, catalogue), &adapters, opened)?.ready.clone();
        telemetry::loaded(begun.elapsed());
        tracing::info!(model.name = card.name, elapsed_ms = begun.elapsed().as_millis() as u64, "loaded");
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

    fn load(
        &mut self,
        (card, catalogue): (&ModelCard, &Catalogue),
        adapters: &[Used],
        opened: Option<Adapters>,
    ) -> Result<&InMemory, InferenceError> {
        let opened = opened.map(Arc::new);
        let patch = opened.clone().map(|adapters| adapters as Arc<dyn Patch>);
        let (device, dtype) = (&self.device, self.dtype);
        // One model under two names is in memory once.
        let identity = Identity::of(card, catalogue);
        let base = self.in_memory.iter().find(|entry| entry.identity == identity);
        let (files, vae) = match base {
            Some(base) => (base.files.patched(patch), base.ready.parts.vae.clone()),
            None => {
                let (path, vae, others) = (card.path.clone(), card.vae.clone(), card.others.clone());
                let files = ModelFiles::open(&ModelSource { path, vae, others, patch })?;
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
            notes.adapters = adapters.iter().zip(opened.report()).filter_map(|(used, report)| report.note(&used.how.name)).collect();
        }
        notes.words = teach(&mut text, catalogue)?;
        let facts = Rc::new(self.facts((card, catalogue), adapters, &vae)?);
        let parts = Rc::new(Parts { text: Arc::new(text), denoiser, vae, upscaler: self.upscaler.clone() });
        let ready = Ready { parts, facts, notes: Rc::new(notes) };
        self.in_memory.push(InMemory { identity, adapters: adapters.to_vec(), files, ready, last_use: self.n_uses });
        Ok(&self.in_memory[self.in_memory.len() - 1])
    }

    fn facts(&self, (card, catalogue): (&ModelCard, &Catalogue), adapters: &[Used], vae: &Vae) -> Result<Facts, InferenceError> {
        let preview = match Taesd::find(&card.path, TaesdKind::of_scaling_factor(vae.scaling_factor())) {
            Some(path) => Preview::Taesd(Taesd::load_for(&path, &self.device, vae.latent_channels(), vae.factor())?),
            None => Preview::Linear(PreviewMap::of_vae(vae, &self.device)?),
        };
        Ok(Facts {
            limits: card.limits(catalogue.upscale_factor()),
            preview,
            preview_every: self.config.preview_every,
            device: self.device.clone(),
            device_class: DeviceClass::of(&self.device, self.dtype),
            files: files_of((card, catalogue), adapters),
        })
    }
}

/// What is loaded for a model with adapters.
fn files_of((card, catalogue): (&ModelCard, &Catalogue), adapters: &[Used]) -> Files {
    let mut files = Files::default().and(format!("model {:?}", card.prediction), &card.path);
    let others = [("text_encoder", card.others.text_encoder.as_ref()), ("tokenizer", card.others.tokenizer.as_ref())];
    let own = [("vae", card.vae.as_ref()), ("upscaler", catalogue.upscaler().map(|card| &card.path))];
    for (purpose, path) in own.into_iter().chain(others) {
        files = path.into_iter().fold(files, |files, path| files.and(purpose, path));
    }
    files = adapters.iter().fold(files, |files, used| files.and("adapter", &used.path));
    catalogue.embeddings().iter().fold(files, |files, word| files.and(format!("word {}", word.name), &word.path))
}

fn open_adapters(card: &ModelCard, adapters: &[Used]) -> Result<Option<Adapters>, InferenceError> {
    let files: Vec<_> = adapters.iter().map(|used| (used.path.clone(), used.how.weights())).collect();
    let Some((path, _)) = files.first() else { return Ok(None) };
    let Some(layout) = &card.layout else {
        let what = "an adapter for a model without a U-Net";
        return Err(AdapterError::Unsupported { path: path.clone(), what }.into());
    };
    Adapters::open(&files, layout).map(Some)
}

/// Makes the configured words known to a model's text encoders. With several models a word may be made for another one: these are given back.
fn teach(text: &mut Text, catalogue: &Catalogue) -> Result<Vec<String>, InferenceError> {
    let mut unknown = Vec::new();
    for word in catalogue.embeddings() {
        match text.learn(&Embedding::load(&word.path)?.named(&word.name)) {
            Err(error) if catalogue.models().len() == 1 => return Err(error),
            Err(error) => {
                tracing::warn!(word = word.name, "not known to this model: {error}");
                unknown.push(word.name.clone());
            }
            Ok(()) => {}
        }
    }
    Ok(unknown)
}
