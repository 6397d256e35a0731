//! What there is to draw with and what it can do, from configurations and the headers of files alone: no device, no weights.
//!
//! A [`Catalogue`] is what was there at one time; it can be sent to another process, which then knows what a task will cost and whether it can be
//! done. A [`Shelf`] is where a running program gets the newest one: it reads again only what was changed.

mod card;
mod check;
mod file;
pub mod limits;
mod model;
mod reader;
mod shared;
mod shelf;
mod version;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

pub use self::{
    card::{AdapterCard, ControlCard, EmbeddingCard, ModelCard, PartCard, PartKind, PreviewCard, UpscalerCard, VaeCard},
    check::Quote,
    shelf::Shelf,
    version::Version,
};
use crate::{checkpoint::OtherParts, error::InferenceError, schedule::Prediction, text::PromptLengths};

/// A model that tasks may name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelEntry {
    /// The name that tasks use.
    pub name: String,
    /// A folder in the diffusers layout, or a single `.safetensors` file.
    pub path: PathBuf,
    /// Another VAE than the model's own: a file or a folder.
    pub vae: Option<PathBuf>,
    /// Where the parts are that a file with a transformer alone lacks.
    pub others: OtherParts,
    /// What its network predicts, where its files say nothing or the wrong thing.
    pub prediction: Option<Prediction>,
}

impl ModelEntry {
    /// A model as its files say.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), path: path.into(), vae: None, others: OtherParts::default(), prediction: None }
    }
}

/// A file and the name that tasks use for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedFile {
    /// The name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// What a catalogue is made of.
#[derive(Clone, Debug)]
pub struct CatalogueConfig {
    /// The models that somebody named, at least one; a task that names none gets the first.
    pub models: Vec<ModelEntry>,
    /// Adapters (LoRA and its kin) that somebody named.
    pub adapters: Vec<NamedFile>,
    /// Textual inversions: the words that stand for them in prompts.
    pub embeddings: Vec<NamedFile>,
    /// A super-resolution network (`.safetensors`), if there is one.
    pub upscaler: Option<PathBuf>,
    /// Folders whose models and adapters may be named too, as long as they lie there.
    pub folders: Vec<PathBuf>,
    /// What a thing is called that only lies in a folder, or why nobody can say its name.
    pub name_of: fn(&Path) -> Result<String, String>,
    /// Bytes that a number of a weight takes in memory: 4 or 2.
    pub bytes_per_number: u64,
}

impl Default for CatalogueConfig {
    /// Nothing, in float32; what lies in folders is called as the file, without its extension.
    fn default() -> Self {
        let name_of = |path: &Path| {
            let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
            Ok(name.unwrap_or_default().to_string_lossy().into_owned())
        };
        Self {
            models: Vec::new(),
            adapters: Vec::new(),
            embeddings: Vec::new(),
            upscaler: None,
            folders: Vec::new(),
            name_of,
            bytes_per_number: 4,
        }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A model.
    Model,
    /// An adapter.
    Adapter,
    /// A learned word.
    Embedding,
    /// The super-resolution network.
    Upscaler,
}

/// Something that looks as if it could be drawn with and cannot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What it should be; `None` for what only lies in a folder.
    pub kind: Option<Kind>,
    /// What it is called.
    pub name: String,
    /// Where it is. For whoever runs the program.
    pub path: PathBuf,
    /// Why it cannot be used, for whoever runs the program.
    pub reason: String,
    /// Whether it could be used under another name.
    pub is_of_name: bool,
}

/// What there is to draw with at one time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Catalogue {
    #[serde(with = "shared")]
    models: Vec<Arc<ModelCard>>,
    #[serde(with = "shared")]
    adapters: Vec<Arc<AdapterCard>>,
    #[serde(with = "shared")]
    embeddings: Vec<Arc<EmbeddingCard>>,
    upscaler: Option<UpscalerCard>,
    #[serde(with = "shared")]
    vaes: Vec<Arc<VaeCard>>,
    #[serde(with = "shared")]
    controls: Vec<Arc<ControlCard>>,
    /// The model of tasks that name none.
    usual: String,
    /// What was there and is not any more.
    gone: Vec<(Kind, String)>,
    faults: Vec<Fault>,
    /// Counters of the models' prompts, in the models' order.
    #[serde(skip)]
    lengths: Lengths,
}

/// Made from the cards when they are needed first, so that a catalogue of another process has them too.
#[derive(Clone, Default)]
struct Lengths(OnceLock<Vec<Arc<PromptLengths>>>);

impl std::fmt::Debug for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lengths").finish_non_exhaustive()
    }
}

impl Catalogue {
    /// Reads what a configuration names and what lies in its folders. Only headers are read, so the size of files does not matter.
    ///
    /// # Errors
    /// Something that the configuration names is missing or cannot be used; `NoModels` where it names none.
    pub fn open(config: &CatalogueConfig) -> Result<Self, InferenceError> {
        Shelf::open(config.clone()).map(|shelf| Self::clone(&shelf.catalogue()))
    }

    /// Every model that tasks may name. One that names none gets the first that was configured.
    pub fn models(&self) -> &[Arc<ModelCard>] {
        &self.models
    }

    /// The model of a name, or the usual one; `None` where there is none of that name.
    pub fn model(&self, name: Option<&str>) -> Option<&Arc<ModelCard>> {
        self.position(name).map(|place| &self.models[place])
    }

    fn position(&self, name: Option<&str>) -> Option<usize> {
        position_of(self.models.iter().map(|card| card.name.as_str()), name.unwrap_or(&self.usual))
    }

    /// The name of the model of tasks that name none, whether it is there or not any more.
    pub fn usual(&self) -> &str {
        &self.usual
    }

    /// Adapters that tasks and prompts may name.
    pub fn adapters(&self) -> &[Arc<AdapterCard>] {
        &self.adapters
    }

    /// The adapter of a name.
    pub fn adapter(&self, name: &str) -> Option<&Arc<AdapterCard>> {
        position_of(self.adapters.iter().map(|card| card.name.as_str()), name).map(|place| &self.adapters[place])
    }

    /// Learned words.
    pub fn embeddings(&self) -> &[Arc<EmbeddingCard>] {
        &self.embeddings
    }

    /// The super-resolution network, which is every model's.
    pub fn upscaler(&self) -> Option<&UpscalerCard> {
        self.upscaler.as_ref()
    }

    /// Enlargement of the super-resolution network, if there is one.
    pub fn upscale_factor(&self) -> Option<u32> {
        self.upscaler.as_ref().map(|card| card.factor)
    }

    /// Autoencoders that lie in the folders.
    pub fn vaes(&self) -> &[Arc<VaeCard>] {
        &self.vaes
    }

    /// ControlNets that lie in the folders.
    pub fn controls(&self) -> &[Arc<ControlCard>] {
        &self.controls
    }

    /// What looks as if it could be drawn with and cannot.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What was there of a kind, and is not any more.
    pub fn gone(&self, kind: Kind) -> impl Iterator<Item = &str> + Clone {
        self.gone.iter().filter(move |(gone, _)| *gone == kind).map(|(_, name)| name.as_str())
    }

    /// Whether there was something of that name, and is not any more.
    pub fn is_gone(&self, kind: Kind, name: &str) -> bool {
        position_of(self.gone(kind), name).is_some()
    }

    /// Reads the tokenizers of the usual model's text encoders now instead of at the first check of one of its tasks.
    pub fn prepare(&self) {
        if let Some(place) = self.position(None) {
            self.lengths()[place].prepare();
        }
    }

    fn lengths(&self) -> &[Arc<PromptLengths>] {
        self.lengths.0.get_or_init(|| self.new_lengths(|_| None))
    }

    fn new_lengths(&self, known: impl Fn(&Arc<ModelCard>) -> Option<Arc<PromptLengths>>) -> Vec<Arc<PromptLengths>> {
        let words: Arc<Vec<_>> = Arc::new(self.embeddings.iter().map(|card| (card.name.clone(), card.path.clone())).collect());
        let new = |card: &ModelCard| Arc::new(PromptLengths::new(card.prompts.clone(), words.clone()));
        self.models.iter().map(|card| known(card).unwrap_or_else(|| new(card))).collect()
    }

    /// Takes over the tokenizers of the catalogue before this one, as far as models and learned words are the same.
    fn keep_lengths(&mut self, before: &Self) {
        if self.embeddings == before.embeddings {
            let place = |card: &Arc<ModelCard>| before.models.iter().position(|other| Arc::ptr_eq(other, card));
            let known = self.new_lengths(|card| before.lengths().get(place(card)?).cloned());
            self.lengths = Lengths(known.into());
        }
    }
}

/// Where the name that somebody says is among those that there are. Older versions wrote a name's spaces as underscores, and tasks of theirs are kept.
pub fn position_of<'a>(names: impl Iterator<Item = &'a str> + Clone, said: &str) -> Option<usize> {
    let is_older = |name: &str| name.contains(char::is_whitespace) && name.replace(char::is_whitespace, "_") == said;
    names.clone().position(|name| name == said).or_else(|| names.clone().position(is_older))
}

/// Looks whether a folder or file is a model that the engine can draw with, as far as configurations and headers tell.
///
/// # Errors
/// Why it is none.
pub fn check_model(path: &Path) -> Result<(), InferenceError> {
    check_entry(&ModelEntry::new("", path))
}

/// The same with what is said beside its path.
pub(crate) fn check_entry(entry: &ModelEntry) -> Result<(), InferenceError> {
    ModelCard::read(entry, 4, Version::default()).map(drop)
}

/// Whether a folder or file is a model that the engine can draw with, as far as configurations and headers tell.
pub fn is_model(path: &Path) -> bool {
    check_model(path).is_ok()
}
