//! Model files: where they are and what they hold.

mod beside;
mod defaults;
pub(crate) mod header;
pub mod hf_folder;
pub mod inspect;
pub(crate) mod json;
mod kinds;
mod layers;
mod ldm;
pub mod names;
mod numbers;
mod opened;
mod part;
mod prediction;
pub mod regular;
mod shift;
pub mod single_file;
mod stamp;
pub mod transformer_file;
pub(crate) mod unread;
pub(crate) mod vocabulary;
pub mod weights;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use crate::ops::{LayerKind, LayerName};
pub use header::{Header, TensorInfo};
pub use hf_folder::HfFolder;
pub use inspect::{Inspection, inspect};
pub use kinds::{Family, FileKind};
pub use layers::Layer;
pub use names::{UnetLayout, ldm_unet_name, ldm_vae_name, open_clip_name};
pub use part::Part;
pub use single_file::SingleFile;
pub use stamp::Stamp;
pub use transformer_file::{OtherParts, TransformerFile};
pub use weights::Weights;

use crate::error::InferenceError;

/// A model's files, in either layout, under the names of diffusers' folder layout.
#[derive(Clone)]
pub enum Checkpoint {
    /// A folder with `model_index.json`.
    Folder(HfFolder),
    /// One file with all networks.
    File(SingleFile),
    /// One file with the transformer, and folders for the rest.
    Transformer(TransformerFile),
}

/// Where a tokenizer comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TokenizerSource {
    /// A folder with `tokenizer.json`, or `vocab.json` and `merges.txt`.
    Folder(PathBuf),
    /// CLIP's own vocabulary, which is built in; prompts are filled up with this token.
    Clip {
        /// `<|endoftext|>`, or `!` for OpenCLIP's encoders.
        pad: Cow<'static, str>,
    },
}

impl Checkpoint {
    /// Opens a folder or a file.
    ///
    /// # Errors
    /// `Missing`, `Unreadable` or `Unsupported`, naming the file.
    pub fn open(path: &Path) -> Result<Self, InferenceError> {
        Self::open_with(path, &OtherParts::default())
    }

    /// Opens a folder or a file, which may lack parts that are elsewhere.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, others: &OtherParts) -> Result<Self, InferenceError> {
        let opened = Self::open_either(path, others)?;
        if others.shift.is_some() && !matches!(opened, Self::Transformer(_)) {
            let what = "`shift` for a model that is no transformer in a file of its own".to_owned();
            return Err(json::unsupported(path, what));
        }
        Ok(opened)
    }

    fn open_either(path: &Path, others: &OtherParts) -> Result<Self, InferenceError> {
        if !path.is_file() {
            return HfFolder::open(path).map(Self::Folder);
        }
        match TransformerFile::open(path, others)? {
            Some(file) => Ok(Self::Transformer(file)),
            None => SingleFile::open(path).map(Self::File),
        }
    }

    /// What says how far the schedule of a transformer in a file of its own is shifted, for people; `None` for other models.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub fn shift_said_by(&self) -> Result<Option<String>, InferenceError> {
        let Self::Transformer(file) = self else { return Ok(None) };
        Ok(file.json("scheduler/scheduler_config.json")?[shift::SAID_BY].as_str().map(str::to_owned))
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder.path(),
            Self::File(file) => file.path(),
            Self::Transformer(file) => file.path(),
        }
    }

    /// Whether there is a part, such as `text_encoder_2`.
    pub fn has(&self, part: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.has(part),
            Self::File(file) => file.has(part),
            Self::Transformer(file) => file.has(part),
        }
    }

    /// The values of a JSON file, such as `unet/config.json`; for a single file they follow from its tensors.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub fn json(&self, name: &str) -> Result<Value, InferenceError> {
        match self {
            Self::Folder(folder) => folder.json(name),
            Self::File(file) => file.json(name),
            Self::Transformer(file) => file.json(name),
        }
    }

    /// Where such a JSON file is, for messages: the single file itself for what follows from it.
    pub fn json_path(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.path().join(name),
            Self::File(file) => file.path().to_owned(),
            Self::Transformer(file) => file.json_path(name),
        }
    }

    /// What says what the network predicts, for people.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub fn prediction_said_by(&self) -> Result<String, InferenceError> {
        let schedule = self.json("scheduler/scheduler_config.json")?;
        Ok(schedule[prediction::SAID_BY].as_str().map_or_else(|| "its scheduler_config.json".to_owned(), str::to_owned))
    }

    /// The weights of a part, such as `unet`, under the names of diffusers and transformers.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file.
    pub fn weights(&self, part: &str, device: &Device, dtype: DType) -> Result<Weights, InferenceError> {
        match self {
            Self::Folder(folder) => folder.weights(part, device, dtype),
            Self::File(file) => file.weights(part, device, dtype),
            Self::Transformer(file) => file.weights(part, device, dtype),
        }
    }

    /// Refuses a file without an autoencoder, for a model that needs its own.
    pub(crate) fn check_vae(&self) -> Result<(), InferenceError> {
        let has_vae = match self {
            Self::Folder(_) => true,
            Self::File(file) => file.has_vae(),
            Self::Transformer(file) => file.has("vae"),
        };
        if has_vae {
            return Ok(());
        }
        let reason = "it has no VAE; name one with `--vae`, or with `vae` in its `[aliases]`".to_owned();
        Err(InferenceError::Unreadable { path: self.path().to_owned(), reason })
    }

    /// How the names of a part's tensors begin in its files: `unet`, `transformer` or `vae`.
    fn prefix(&self, part: &str) -> &'static str {
        match self {
            Self::Folder(_) => "",
            Self::File(file) => file.prefix(part),
            Self::Transformer(file) => file.prefix(part),
        }
    }

    /// The tokenizer of a part: `tokenizer` or `tokenizer_2`.
    pub fn tokenizer(&self, part: &str) -> TokenizerSource {
        match self {
            Self::Folder(folder) => TokenizerSource::Folder(folder.path().join(part)),
            Self::File(file) => file.tokenizer(part),
            Self::Transformer(file) => TokenizerSource::Folder(file.folder(part).unwrap_or(file.path()).to_owned()),
        }
    }
}

/// An autoencoder that stands alone, for the model of a checkpoint: the values of its `config.json` and its weights under diffusers' names.
///
/// A file without a configuration takes the checkpoint's scaling factor.
///
/// # Errors
/// `Missing`, `Unreadable` or `Unsupported`, naming the file.
pub fn vae_weights(path: &Path, of: &Checkpoint, target: (&Device, DType)) -> Result<(Value, Weights), InferenceError> {
    let (device, dtype) = target;
    if path.is_dir() {
        let folder = if path.join("vae/config.json").is_file() { path.join("vae") } else { path.to_owned() };
        let files = hf_folder::files(&folder, "diffusion_pytorch_model", dtype)?;
        return Ok((hf_folder::read_json(&folder.join("config.json"))?, Weights::open(&files, device, dtype)?));
    }
    let file = Weights::open(&[path.to_owned()], device, dtype)?;
    let prefix = ["first_stage_model.", "vae.", ""].into_iter().find(|prefix| file.has(&format!("{prefix}decoder.conv_in.weight")));
    let Some(prefix) = prefix else {
        let what = "a file without `decoder.conv_in.weight`, so without a VAE,".to_owned();
        return Err(InferenceError::Unsupported { path: path.to_owned(), what });
    };
    let n_levels = (0..).take_while(|i| file.has(&format!("{prefix}decoder.up.{i}.block.0.conv1.weight"))).count();
    let weights = if n_levels > 0 { ldm::vae(&file, (prefix, n_levels), target) } else { file.at(prefix.trim_end_matches('.')) };
    let inherited = of.json("vae/config.json")?;
    let mut config = defaults::vae_config(&weights, 0.18215)?;
    for key in ["scaling_factor", "shift_factor", "norm_num_groups"] {
        if let Some(value) = inherited.get(key) {
            config[key] = json!(value);
        }
    }
    Ok((config, weights))
}
