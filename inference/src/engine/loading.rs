//! What the loader's thread does for each part: it looks at the files, and later reads them.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use candle_core::{DType, Device};

use crate::{
    adapter::{Adapter, AdapterSet, Base},
    catalogue::{Catalogue, EmbeddingCard, ModelCard, ModelEntry, PartKind, Version, check_entry},
    error::InferenceError,
    family::{Denoiser, ModelFiles, ModelSource, Text},
    part::PartId,
    preview::PreviewMap,
    schedule::Prediction,
    state::Files as StateFiles,
    text::Embedding,
    upscale::Upscaler,
    vae::{Vae, taesd::Taesd},
};

/// What was loaded.
pub(super) enum Loaded {
    Text(Arc<Text>),
    Denoiser(Arc<Denoiser>),
    Vae(Arc<Vae>, Arc<PreviewMap>),
    Preview(Arc<Taesd>),
    Upscaler(Arc<Upscaler>),
    Adapter(Arc<Adapter>),
    Set(Arc<AdapterSet>),
}

/// Reads what was looked at.
pub(super) type Read = Box<dyn FnOnce() -> Result<Loaded, InferenceError> + Send>;

/// What parts are loaded from: a model's files as they were read, and the words taught to it.
pub(super) struct Source {
    pub(super) card: Arc<ModelCard>,
    words: Vec<Arc<EmbeddingCard>>,
    /// Whether there is no other model that a word could be made for.
    is_only_model: bool,
    state: Mutex<Files>,
}

#[derive(Default)]
struct Files {
    opened: Option<ModelFiles>,
    base: Option<Arc<Base>>,
    loaded: Vec<PartKind>,
    unlearned: Vec<String>,
}

impl Source {
    pub(super) fn new(card: &Arc<ModelCard>, catalogue: &Catalogue) -> Self {
        let (words, is_only_model) = (catalogue.embeddings().to_vec(), catalogue.models().len() == 1);
        Self { card: card.clone(), words, is_only_model, state: Mutex::default() }
    }

    /// Whether it is of the same files, whatever they are called.
    pub(super) fn is(&self, card: &ModelCard, catalogue: &Catalogue) -> bool {
        let identity = |card: &ModelCard| -> (Version, Prediction) { (card.version.clone(), card.prediction) };
        identity(&self.card) == identity(card) && self.words == catalogue.embeddings()
    }

    fn state(&self) -> MutexGuard<'_, Files> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learned words that are made for another model.
    pub(super) fn unlearned(&self) -> Vec<String> {
        self.state().unlearned.clone()
    }

    /// The files are opened anew for the next part.
    pub(super) fn forget(&self) {
        *self.state() = Files::default();
    }

    fn files(&self) -> Result<ModelFiles, InferenceError> {
        let mut state = self.state();
        if let Some(files) = &state.opened {
            return Ok(files.clone());
        }
        // What is wrong with any part is found before a part of another model leaves for the first one.
        let ModelCard { path, vae, others, .. } = self.card.as_ref();
        let (path, vae, others) = (path.clone(), vae.clone(), others.clone());
        check_entry(&ModelEntry { path: path.clone(), vae: vae.clone(), others: others.clone(), ..ModelEntry::new("", "") })?;
        let files = ModelFiles::open(&ModelSource { path, vae, others })?;
        state.opened = Some(files.clone());
        Ok(files)
    }

    /// What is loaded for a task with these adapters, for states that pictures go on from.
    pub(super) fn state_files<'a>(&self, catalogue: &Catalogue, adapters: impl IntoIterator<Item = &'a PathBuf>) -> StateFiles {
        let card = &self.card;
        // Without a shift of its own a transformer's file was drawn with Turbo's before.
        let shift = card.shift.filter(|shift| card.shift_said_by.is_some() && *shift != 3.0).map(|shift| format!(" {shift}"));
        let mut files = StateFiles::default().and(format!("model {:?}{}", card.prediction, shift.unwrap_or_default()), &card.path);
        let others = [("text_encoder", card.others.text_encoder.as_ref()), ("tokenizer", card.others.tokenizer.as_ref())];
        let own = [("vae", card.vae.as_ref()), ("upscaler", catalogue.upscaler().map(|card| &card.path))];
        for (purpose, path) in own.into_iter().chain(others) {
            files = path.into_iter().fold(files, |files, path| files.and(purpose, path));
        }
        files = adapters.into_iter().fold(files, |files, path| files.and("adapter", path));
        self.words.iter().fold(files, |files, word| files.and(format!("word {}", word.name), &word.path))
    }

    /// The model as adapters see it.
    fn base(&self) -> Result<Arc<Base>, InferenceError> {
        let files = self.files()?;
        let mut state = self.state();
        if let Some(base) = &state.base {
            return Ok(base.clone());
        }
        let base = Arc::new(files.base()?);
        state.base = Some(base.clone());
        Ok(base)
    }

    /// Looks whether an adapter can be loaded for the model, as far as headers tell.
    pub(super) fn open_adapter(&self, path: PathBuf, (device, dtype): (Device, DType)) -> Result<Read, InferenceError> {
        let base = self.base()?;
        Adapter::check(&path, &base)?;
        Ok(Box::new(move || {
            let adapter = Adapter::load(&path, &base, &device, dtype)?;
            if let Some(warning) = adapter.report().warning() {
                tracing::warn!("{warning}");
            }
            Ok(Loaded::Adapter(Arc::new(adapter)))
        }))
    }

    /// Looks whether the decoder of previews can be loaded and fits the model, as far as headers tell.
    pub(super) fn open_preview(&self, device: Device) -> Result<Read, InferenceError> {
        let path = self.card.preview.as_ref().map(|preview| preview.path.clone()).unwrap_or_default();
        let (channels, factor) = (self.card.latent_channels, self.card.limits.rules.vae_factor);
        Taesd::check_for(&path, channels, factor)?;
        Ok(Box::new(move || Ok(Loaded::Preview(Arc::new(Taesd::load_for(&path, &device, channels, factor)?)))))
    }

    /// Looks whether a part can be loaded, as far as headers tell.
    pub(super) fn open(self: Arc<Self>, kind: PartKind, id: PartId, (device, dtype): (Device, DType)) -> Result<Read, InferenceError> {
        let files = self.files()?;
        Ok(Box::new(move || {
            let loaded = match kind {
                PartKind::TextEncoders => {
                    let mut text = files.text(&device, dtype)?;
                    let unlearned = self.teach(&mut text)?;
                    self.state().unlearned = unlearned;
                    Loaded::Text(Arc::new(text))
                }
                PartKind::Denoiser => Loaded::Denoiser(Arc::new(files.denoiser(&device, dtype)?.with_identity(id))),
                PartKind::Vae => {
                    let vae = files.vae(&device, dtype)?;
                    let preview = PreviewMap::of_vae(&vae, &device)?;
                    Loaded::Vae(Arc::new(vae), Arc::new(preview))
                }
            };
            self.tell_unread(&files, kind)?;
            Ok(loaded)
        }))
    }

    /// Once all parts were read for the first time, says what none of them did.
    fn tell_unread(&self, files: &ModelFiles, kind: PartKind) -> Result<(), InferenceError> {
        let mut state = self.state();
        if state.loaded.contains(&kind) {
            return Ok(());
        }
        state.loaded.push(kind);
        if state.loaded.len() == self.card.parts.len()
            && let Some(warning) = files.unread()?
        {
            tracing::warn!("{warning}");
        }
        Ok(())
    }

    /// Makes the learned words known to a model's text encoders. With several models a word may be made for another one: these are given back.
    fn teach(&self, text: &mut Text) -> Result<Vec<String>, InferenceError> {
        let mut unknown = Vec::new();
        for word in &self.words {
            match text.learn(&Embedding::load(&word.path)?.named(&word.name)) {
                Err(error) if self.is_only_model => return Err(error),
                Err(error) => {
                    tracing::warn!(word = word.name, "not known to this model: {error}");
                    unknown.push(word.name.clone());
                }
                Ok(()) => {}
            }
        }
        Ok(unknown)
    }
}

/// Looks whether the super-resolution network is there.
pub(super) fn open_upscaler(path: PathBuf, device: Device) -> Result<Read, InferenceError> {
    Upscaler::factor_of(&path)?;
    Ok(Box::new(move || Ok(Loaded::Upscaler(Arc::new(Upscaler::load(&path, &device)?)))))
}
