//! A model in the folder layout of diffusers: `model_index.json` and one folder for each part.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::{DType, Device};
use serde_json::Value;

use super::{Stamp, Weights, names::Change, opened, regular};
use crate::error::InferenceError;

const PIPELINES: [&str; 10] = [
    "StableDiffusionPipeline",
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
    "LatentConsistencyModelPipeline",
    "LatentConsistencyModelImg2ImgPipeline",
    "ZImagePipeline",
    "ZImageImg2ImgPipeline",
];

/// A model's folder whose `model_index.json` names a pipeline that the engine knows.
#[derive(Clone, Debug)]
pub struct HfFolder {
    path: PathBuf,
    /// The weights' files as they were when they were opened first.
    first: Arc<Mutex<HashMap<PathBuf, Stamp>>>,
}

impl HfFolder {
    /// Opens a folder.
    ///
    /// # Errors
    /// `Missing` without a `model_index.json`, `Unsupported` for other pipelines.
    pub fn open(path: &Path) -> Result<Self, InferenceError> {
        if !path.is_dir() {
            return Err(InferenceError::Missing { path: path.to_owned() });
        }
        let folder = Self { path: path.to_owned(), first: Arc::default() };
        let index = folder.json("model_index.json")?;
        let class = index.get("_class_name").and_then(Value::as_str).unwrap_or("a pipeline without `_class_name`");
        if !is_pipeline(class) {
            return Err(InferenceError::Unsupported { path: path.join("model_index.json"), what: class.to_owned() });
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a JSON file, such as `unet/config.json`.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub fn json(&self, name: &str) -> Result<Value, InferenceError> {
        read_json(&self.path.join(name))
    }

    /// Whether there is a part, such as `text_encoder_2`.
    pub fn has(&self, part: &str) -> bool {
        self.path.join(part).join("config.json").is_file()
    }

    /// Opens the weights of a part, such as `unet`: one file or several with an index.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`; pickle files are refused, and files that were changed since they were opened first.
    pub fn weights(&self, part: &str, device: &Device, dtype: DType) -> Result<Weights, InferenceError> {
        let weights = Weights::open(&self.files(part, dtype)?, device, dtype)?;
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, stamp) in weights.stamps() {
            // What was made of the file when it was opened first would not fit what is read now.
            if *first.entry(path.to_owned()).or_insert(stamp) != stamp {
                return Err(opened::changed(path));
            }
        }
        // Language models have one name for each tensor but for what everything is below.
        let is_language_model = ["", "model."].iter().any(|outer| weights.has(&format!("{outer}embed_tokens.weight")));
        Ok(if part.starts_with("text_encoder") && !is_language_model {
            with_either_text_name(&weights, "", (device, dtype))
        } else {
            weights
        })
    }

    /// The weights' files of a part; those with half precision are preferred for it.
    ///
    /// # Errors
    /// `Missing`, naming the file, or `Unreadable`.
    pub fn files(&self, part: &str, dtype: DType) -> Result<Vec<PathBuf>, InferenceError> {
        let stem = if part.starts_with("text_encoder") { "model" } else { "diffusion_pytorch_model" };
        files(&self.path.join(part), stem, dtype)
    }
}

/// Whether the engine knows the pipeline that a `model_index.json` names in `_class_name`.
pub fn is_pipeline(class: &str) -> bool {
    PIPELINES.contains(&class)
}

/// The weights' files in a folder of transformers.
///
/// # Errors
/// `Missing`, naming the file, or `Unreadable`.
pub(crate) fn files_of(folder: &Path, dtype: DType) -> Result<Vec<PathBuf>, InferenceError> {
    files(folder, "model", dtype)
}

/// The weights' files in a part's folder.
pub(super) fn files(folder: &Path, stem: &str, dtype: DType) -> Result<Vec<PathBuf>, InferenceError> {
    if !folder.is_dir() {
        return Err(InferenceError::Missing { path: folder.to_owned() });
    }
    let full = (format!("{stem}.safetensors"), format!("{stem}.safetensors.index.json"));
    let half = (format!("{stem}.fp16.safetensors"), format!("{stem}.safetensors.index.fp16.json"));
    let old_half = (half.0.clone(), format!("{stem}.fp16.safetensors.index.json"));
    let variants = if dtype == DType::F32 { [&full, &half, &old_half] } else { [&half, &old_half, &full] };
    for (single, index) in variants {
        let (single, index) = (folder.join(single), folder.join(index));
        if single.is_file() {
            return Ok(vec![single]);
        }
        if index.is_file() {
            let files = shards(&index, folder)?;
            return match files.iter().find(|file| !file.is_file()) {
                Some(missing) => Err(InferenceError::Missing { path: missing.clone() }),
                None => Ok(files),
            };
        }
    }
    if let Some(pickle) = pickle(folder) {
        let reason = "pickle files are refused because they can run code; convert it to safetensors, for example with \
                      `save_pretrained(folder, safe_serialization=True)` of diffusers or transformers";
        return Err(InferenceError::Unreadable { path: pickle, reason: reason.to_owned() });
    }
    Err(InferenceError::Missing { path: folder.join(full.0) })
}

/// A text encoder's weights below `prefix`, whether its names there begin with `text_model.` (before transformers 5.6) or not; they are asked for with it.
pub(super) fn with_either_text_name(weights: &Weights, prefix: &str, target: (&Device, DType)) -> Weights {
    let prefix = prefix.to_owned();
    let has_outer = weights.has(&format!("{prefix}text_model.embeddings.token_embedding.weight"));
    weights.renamed(target, move |name| {
        let inner = is_whole_text_name(name).then(|| name.strip_prefix("text_model.").unwrap_or(name))?;
        Some((format!("{prefix}{}", if has_outer { name } else { inner }), Change::Same))
    })
}

/// Whether a text encoder's tensor is asked for by the name that it has in most files.
pub(super) fn is_whole_text_name(name: &str) -> bool {
    name.starts_with("text_model.") || name.starts_with("text_projection.")
}

/// Reads a JSON file; numbers that only Python writes (`-Infinity`, `NaN`), as in many `scheduler_config.json`, become null.
pub fn read_json(path: &Path) -> Result<Value, InferenceError> {
    let unreadable = |reason: String| InferenceError::Unreadable { path: path.to_owned(), reason };
    let text = regular::read_text(path, regular::MAX_JSON_BYTES)?;
    let parsed = serde_json::from_str(&text).or_else(|source| {
        let text = [": -Infinity", ": Infinity", ": NaN"].iter().fold(text, |text, number| text.replace(number, ": null"));
        serde_json::from_str(&text).map_err(|_| source)
    });
    parsed.map_err(|source| unreadable(source.to_string().replace(char::is_control, " ")))
}

/// The files that an index names, each once.
fn shards(index: &Path, folder: &Path) -> Result<Vec<PathBuf>, InferenceError> {
    let unreadable = |reason: &str| InferenceError::Unreadable { path: index.to_owned(), reason: reason.to_owned() };
    let json = read_json(index)?;
    let names = json.get("weight_map").and_then(Value::as_object).ok_or_else(|| unreadable("it has no `weight_map`"))?;
    let mut files = Vec::new();
    for name in names.values() {
        // A name with a folder in it could point anywhere.
        let name = name.as_str().filter(|name| Path::new(name).file_name().is_some_and(|file| file == *name));
        files.push(folder.join(name.ok_or_else(|| unreadable("`weight_map` holds something other than file names"))?));
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn pickle(folder: &Path) -> Option<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| ["bin", "ckpt", "pt", "pth"].iter().any(|pickle| extension == *pickle)))
}
