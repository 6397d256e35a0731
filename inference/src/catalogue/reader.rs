//! Reads what there is, once for each version of a file.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use rayon::prelude::*;

use super::{
    AdapterCard, Catalogue, CatalogueConfig, ControlCard, EmbeddingCard, Fault, Kind, ModelCard, ModelEntry, NamedFile, UpscalerCard,
    VaeCard, Version,
};
use crate::{
    checkpoint::{FileKind, Header, OtherParts, inspect::Tensors},
    error::InferenceError,
};

/// Something that may be there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Wanted {
    Model(ModelEntry),
    Adapter(NamedFile),
    Embedding(NamedFile),
    Upscaler(PathBuf),
    /// What only lies in a folder.
    Found(PathBuf),
}

/// What something turned out to be.
#[derive(Clone, Debug)]
enum Read {
    Model(Arc<ModelCard>),
    Adapter(Arc<AdapterCard>),
    Embedding(Arc<EmbeddingCard>),
    Upscaler(UpscalerCard),
    Vae(Arc<VaeCard>),
    Control(Arc<ControlCard>),
    /// Nothing that a task can name.
    Other,
    /// Something whose name nobody can say, and why.
    Unnamed(String),
    Failed(Arc<InferenceError>),
}

/// Reads what there is.
#[derive(Debug)]
pub(super) struct Reader {
    config: CatalogueConfig,
    /// Whether everything that was named was there once.
    is_open: bool,
    /// What was read last, in the order in which it is named.
    seen: Vec<(Wanted, Option<Version>, Read)>,
}

/// A catalogue, and what of the configuration is not in it.
pub(super) struct Outcome {
    pub(super) catalogue: Catalogue,
    first_error: Option<Arc<InferenceError>>,
}

impl Outcome {
    /// The catalogue, if everything that somebody named is in it.
    pub(super) fn into_strict(self) -> Result<Catalogue, Arc<InferenceError>> {
        match self.first_error {
            Some(error) => Err(error),
            None if self.catalogue.models.is_empty() => Err(Arc::new(InferenceError::NoModels)),
            None => Ok(self.catalogue),
        }
    }
}

impl Wanted {
    fn path(&self) -> &Path {
        match self {
            Self::Model(entry) => &entry.path,
            Self::Adapter(file) | Self::Embedding(file) => &file.path,
            Self::Upscaler(path) | Self::Found(path) => path,
        }
    }

    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Model(_) => Some(Kind::Model),
            Self::Adapter(_) => Some(Kind::Adapter),
            Self::Embedding(_) => Some(Kind::Embedding),
            Self::Upscaler(_) => Some(Kind::Upscaler),
            Self::Found(_) => None,
        }
    }

    /// How it is now. Most of what is found is one file and no model.
    fn version(&self, is_known_model: bool) -> Option<Version> {
        match self {
            Self::Model(entry) => {
                let others = [&entry.vae, &entry.others.text_encoder, &entry.others.tokenizer];
                let others = others.into_iter().filter_map(|path| Version::of_model(path.as_deref()?));
                Version::of_model(&entry.path).map(|version| others.fold(version, Version::and))
            }
            Self::Found(path) if is_known_model || path.is_dir() => Version::of_model(path),
            Self::Adapter(_) | Self::Embedding(_) | Self::Upscaler(_) | Self::Found(_) => Version::of_file(self.path()),
        }
    }
}

impl Reader {
    pub(super) fn new(config: CatalogueConfig) -> Self {
        Self { config, is_open: false, seen: Vec::new() }
    }

    /// The new catalogue, if anything was changed since the one before.
    pub(super) fn refresh(&mut self, before: &Catalogue) -> Option<Catalogue> {
        let now = self.look();
        if now.len() == self.seen.len() && now.iter().zip(&self.seen).all(|(now, seen)| (&now.0, &now.1) == (&seen.0, &seen.1)) {
            return None;
        }
        self.is_open = true;
        let mut catalogue = self.read_all(now).catalogue;
        catalogue.remember(before);
        Some(catalogue)
    }

    /// Reads everything that was not read before.
    pub(super) fn read(&mut self) -> Outcome {
        let now = self.look();
        self.read_all(now)
    }

    /// What there may be, in the order in which it is named, and what lies there of it.
    fn look(&self) -> Vec<(Wanted, Option<Version>)> {
        let config = &self.config;
        let named = config.models.iter().cloned().map(Wanted::Model);
        let named = named.chain(config.adapters.iter().cloned().map(Wanted::Adapter));
        let named = named.chain(config.embeddings.iter().cloned().map(Wanted::Embedding));
        let mut all: Vec<_> = named.chain(config.upscaler.clone().map(Wanted::Upscaler)).collect();
        let is_named: HashSet<_> = all.iter().map(|wanted| wanted.path().to_owned()).collect();
        let found = config.folders.iter().flat_map(|folder| entries(folder)).filter(|path| !is_named.contains(path));
        all.extend(found.map(Wanted::Found));
        let models = self.seen.iter().filter(|(.., read)| matches!(read, Read::Model(_))).map(|(wanted, ..)| wanted.path());
        let models: HashSet<_> = models.collect();
        let version = |wanted: Wanted| {
            let version = wanted.version(models.contains(wanted.path()));
            (wanted, version)
        };
        all.into_iter().map(version).collect()
    }

    fn read_all(&mut self, now: Vec<(Wanted, Option<Version>)>) -> Outcome {
        let seen: HashMap<_, _> =
            std::mem::take(&mut self.seen).into_iter().map(|(wanted, version, read)| ((wanted, version), read)).collect();
        let config = &self.config;
        self.seen = now
            .into_par_iter()
            .map(|key| {
                let read = seen.get(&key).cloned().unwrap_or_else(|| read(&key.0, key.1.clone(), config));
                let (wanted, version) = key;
                let version = if let Read::Model(card) = &read { Some(card.version.clone()) } else { version };
                (wanted, version, read)
            })
            .collect();
        self.outcome()
    }

    fn outcome(&self) -> Outcome {
        let usual = self.config.models.first().map(|entry| entry.name.clone()).unwrap_or_default();
        let (mut all, mut names) = (Outcome { catalogue: Catalogue::empty(usual), first_error: None }, HashSet::new());
        for (wanted, version, read) in &self.seen {
            let fault = match read {
                Read::Failed(error) => Some((error.to_string(), false)),
                Read::Unnamed(reason) => Some((reason.clone(), true)),
                read if read.name().is_some_and(|name| !names.insert(name)) => Some(("another one has the same name".to_owned(), true)),
                read => {
                    all.catalogue.add(read.clone());
                    None
                }
            };
            let Some((reason, is_of_name)) = fault else { continue };
            if version.is_none() && self.is_open {
                // What was there when the program began is no fault now, but gone.
                continue;
            }
            let name = match wanted {
                Wanted::Model(ModelEntry { name, .. }) => name.clone(),
                Wanted::Adapter(file) | Wanted::Embedding(file) => file.name.clone(),
                Wanted::Upscaler(path) | Wanted::Found(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            };
            if let (Read::Failed(error), None, Some(_)) = (read, &all.first_error, wanted.kind()) {
                all.first_error = Some(error.clone());
            }
            all.catalogue.faults.push(Fault { kind: wanted.kind(), name, path: wanted.path().to_owned(), reason, is_of_name });
        }
        all
    }
}

impl Catalogue {
    fn empty(usual: String) -> Self {
        Self {
            models: Vec::new(),
            adapters: Vec::new(),
            embeddings: Vec::new(),
            upscaler: None,
            vaes: Vec::new(),
            controls: Vec::new(),
            usual,
            gone: Vec::new(),
            faults: Vec::new(),
            lengths: Default::default(),
        }
    }

    fn add(&mut self, read: Read) {
        match read {
            Read::Model(card) => self.models.push(card),
            Read::Adapter(card) => self.adapters.push(card),
            Read::Embedding(card) => self.embeddings.push(card),
            Read::Upscaler(card) => self.upscaler = Some(card),
            Read::Vae(card) => self.vaes.push(card),
            Read::Control(card) => self.controls.push(card),
            Read::Other | Read::Unnamed(_) | Read::Failed(_) => {}
        }
    }

    /// Remembers the names of what was in the catalogue before and is not in this one.
    fn remember(&mut self, before: &Self) {
        let names = |catalogue: &Self| -> Vec<(Kind, String)> {
            let models = catalogue.models.iter().map(|card| (Kind::Model, card.name.clone()));
            let adapters = catalogue.adapters.iter().map(|card| (Kind::Adapter, card.name.clone()));
            models.chain(adapters).chain(catalogue.embeddings.iter().map(|card| (Kind::Embedding, card.name.clone()))).collect()
        };
        let now: HashSet<_> = names(self).into_iter().collect();
        let is_faulty = |(kind, name): &(Kind, String)| self.faults.iter().any(|fault| fault.kind == Some(*kind) && fault.name == *name);
        let before_now = before.gone.iter().cloned().chain(names(before));
        self.gone = before_now.filter(|name| !now.contains(name) && !is_faulty(name)).collect();
        self.gone.sort_by(|a, b| a.1.cmp(&b.1));
        self.gone.dedup();
        self.keep_lengths(before);
    }
}

impl Read {
    /// The name that tasks use, of what has one.
    fn name(&self) -> Option<(Kind, String)> {
        match self {
            Self::Model(card) => Some((Kind::Model, card.name.clone())),
            Self::Adapter(card) => Some((Kind::Adapter, card.name.clone())),
            _ => None,
        }
    }
}

fn read(wanted: &Wanted, version: Option<Version>, config: &CatalogueConfig) -> Read {
    let failed = |error| Read::Failed(Arc::new(error));
    // The readers themselves say what is wrong with a path where nothing is.
    let version = version.unwrap_or_default();
    let read = match wanted {
        Wanted::Model(entry) => ModelCard::read(entry, config.bytes_per_number, version).map(|card| Read::Model(Arc::new(card))),
        Wanted::Adapter(file) => AdapterCard::read(file, version).map(|card| Read::Adapter(Arc::new(card))),
        Wanted::Embedding(file) => EmbeddingCard::read(file, version).map(|card| Read::Embedding(Arc::new(card))),
        Wanted::Upscaler(path) => UpscalerCard::read(path, version).map(Read::Upscaler),
        Wanted::Found(path) => found(path, version, config),
    };
    read.unwrap_or_else(failed)
}

/// What lies in a folder: a model or an adapter may be named, other files are none of a task's business.
fn found(path: &Path, version: Version, config: &CatalogueConfig) -> Result<Read, InferenceError> {
    let name = (config.name_of)(path);
    let model = |version| {
        let entry = ModelEntry {
            name: name.clone().unwrap_or_default(),
            path: path.to_owned(),
            vae: None,
            others: OtherParts::default(),
            prediction: None,
        };
        ModelCard::read(&entry, config.bytes_per_number, version).map(|card| Read::Model(Arc::new(card)))
    };
    let read = if path.is_dir() {
        model(version)?
    } else {
        let header = Header::read(path)?;
        let name = name.as_deref().unwrap_or_default();
        let tensors = Tensors::new(&header.tensors);
        match tensors.kind() {
            FileKind::SingleFile => model(Version::of_model(path).unwrap_or(version))?,
            FileKind::Lora => Read::Adapter(Arc::new(AdapterCard::of((name, path), version, (&header, &tensors))?)),
            FileKind::Vae => VaeCard::of(name, path, version, &header).map_or(Read::Other, |card| Read::Vae(Arc::new(card))),
            FileKind::ControlNet => Read::Control(Arc::new(ControlCard::of(name, path, version, &header))),
            // A transformer in a file of its own is a model where its other parts are beside it.
            FileKind::Transformer => model(Version::of_model(path).unwrap_or(version)).unwrap_or(Read::Other),
            _ => Read::Other,
        }
    };
    Ok(match name {
        Err(reason) if read.name().is_some() => Read::Unnamed(reason),
        _ => read,
    })
}

/// What in a folder looks like a model or another file of tensors, in the order of names. Hidden files are still on their way.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_wanted = |path: &PathBuf| {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_tensors = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"));
        !is_hidden && (is_tensors && path.is_file() || std::fs::symlink_metadata(path.join("model_index.json")).is_ok())
    };
    let mut entries: Vec<_> = entries.filter(is_wanted).collect();
    entries.sort();
    entries
}
