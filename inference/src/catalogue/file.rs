//! The cards of single files that are no models, from their headers alone.

use std::{collections::BTreeMap, path::Path};

use super::{AdapterCard, ControlCard, EmbeddingCard, NamedFile, PartKind, UpscalerCard, VaeCard, Version};
use crate::{
    adapter::{self, AdapterError},
    checkpoint::{FileKind, Header, Part, inspect::Tensors},
    error::InferenceError,
    text::Embedding,
    upscale::Upscaler,
};

/// Most trigger words that a card keeps.
const MAX_TRIGGER_WORDS: usize = 8;
/// Longer ones are sentences, and no words.
const MAX_WORD_BYTES: usize = 100;

fn n_parameters(header: &Header) -> u64 {
    header.tensors.iter().map(|tensor| tensor.n_values()).sum()
}

impl AdapterCard {
    /// Reads the header of an adapter that somebody named. One that cannot be used must not keep the others from being: who uses it will be told.
    ///
    /// # Errors
    /// It is missing.
    pub(super) fn read(NamedFile { name, path }: &NamedFile, version: Version) -> Result<Self, InferenceError> {
        let read = Header::read(path).and_then(|header| Self::of((name, path), version.clone(), (&header, &Tensors::new(&header.tensors))));
        match read {
            Err(InferenceError::Missing { path }) => Err(AdapterError::Missing { path }.into()),
            Err(error) => Ok(Self {
                name: name.clone(),
                path: path.clone(),
                version,
                kind: String::new(),
                family: None,
                parts: Vec::new(),
                rank: None,
                n_parameters: 0,
                n_live: 0,
                n_own: 0,
                trigger_words: Vec::new(),
                fault: Some(error.to_string()),
            }),
            Ok(card) => Ok(card),
        }
    }

    /// The card of a file with this header.
    pub(super) fn of(
        (name, path): (&str, &Path),
        version: Version,
        (header, tensors): (&Header, &Tensors<'_>),
    ) -> Result<Self, InferenceError> {
        let path = path.to_owned();
        let unreadable = |reason: String| InferenceError::Unreadable { path: path.clone(), reason };
        let method = tensors.method().ok_or_else(|| unreadable("it holds no LoRA or other adapter".to_owned()))?;
        if !method.is_read {
            return Err(unreadable(format!("it is {}, which is not supported", method.what)));
        }
        let changed = tensors.networks();
        let text = [Part::TextEncoder, Part::TextEncoder2].iter().any(|part| changed.contains(part));
        let denoiser = [Part::Unet, Part::Transformer].iter().any(|part| changed.contains(part));
        let parts = [(PartKind::TextEncoders, text), (PartKind::Denoiser, denoiser)];
        let (n_live, n_own) = adapter::n_numbers(&path, &header.tensors);
        Ok(Self {
            name: name.to_owned(),
            version,
            kind: method.name.to_owned(),
            family: tensors.family(FileKind::Lora),
            parts: parts.into_iter().filter(|(_, is_changed)| *is_changed).map(|(part, _)| part).collect(),
            rank: tensors.ranks().into_iter().max().map(|rank| rank as u32),
            n_parameters: n_parameters(header),
            n_live,
            n_own,
            trigger_words: trigger_words(&header.metadata),
            fault: None,
            path,
        })
    }
}

/// Words that bring an adapter out: those that its maker names, else the commonest tags of its training pictures.
fn trigger_words(metadata: &BTreeMap<String, String>) -> Vec<String> {
    let named = ["modelspec.trigger_phrase", "trigger_words", "ss_trigger_words", "activation text"];
    let named = named.iter().find_map(|key| metadata.get(*key)).map(|text| words(text)).filter(|words| !words.is_empty());
    named.or_else(|| commonest_tags(metadata.get("ss_tag_frequency")?)).unwrap_or_default()
}

fn words(text: &str) -> Vec<String> {
    let is_word = |word: &&str| !word.is_empty() && word.len() <= MAX_WORD_BYTES;
    text.split(',').map(str::trim).filter(is_word).take(MAX_TRIGGER_WORDS).map(str::to_owned).collect()
}

/// kohya's trainer writes how often each tag stood beside a picture, folder by folder.
fn commonest_tags(json: &str) -> Option<Vec<String>> {
    let folders: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(json).ok()?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (tag, n) in folders.into_values().flatten() {
        *counts.entry(tag.trim().to_owned()).or_default() += n;
    }
    let most = counts.values().max().copied()?;
    // What stands beside every picture is what it was trained to draw.
    let always = counts.into_iter().filter(|(tag, n)| *n == most && !tag.is_empty() && tag.len() <= MAX_WORD_BYTES);
    Some(always.map(|(tag, _)| tag).take(MAX_TRIGGER_WORDS).collect())
}

impl EmbeddingCard {
    /// Reads a learned word, whose file is small.
    pub(super) fn read(NamedFile { name, path }: &NamedFile, version: Version) -> Result<Self, InferenceError> {
        let embedding = Embedding::load(path)?;
        let (widths, n_vectors) = (embedding.widths(), embedding.n_vectors());
        Ok(Self { name: name.clone(), path: path.clone(), version, widths, n_vectors })
    }
}

impl UpscalerCard {
    /// Reads a super-resolution network's header.
    pub(super) fn read(path: &Path, version: Version) -> Result<Self, InferenceError> {
        let factor = Upscaler::factor_of(path)?;
        Ok(Self { path: path.to_owned(), version, factor, n_parameters: n_parameters(&Header::read(path)?) })
    }
}

impl VaeCard {
    /// The card of a file with this header.
    pub(super) fn of(name: &str, path: &Path, version: Version, header: &Header) -> Option<Self> {
        let tensors = Tensors::new(&header.tensors);
        let latent_channels = *tensors.ending(&["decoder.conv_in.weight"])?.get(1)?;
        let (factor, n_parameters) = (tensors.vae_factor(), n_parameters(header));
        Some(Self { name: name.to_owned(), path: path.to_owned(), version, latent_channels, factor, n_parameters })
    }
}

impl ControlCard {
    /// The card of a file with this header.
    pub(super) fn of(name: &str, path: &Path, version: Version, header: &Header) -> Self {
        let family = Tensors::new(&header.tensors).family(FileKind::ControlNet);
        Self { name: name.to_owned(), path: path.to_owned(), version, family, n_parameters: n_parameters(header) }
    }
}
