//! A whole model in one safetensors file with ldm's or sgm's names, as A1111 and ComfyUI use them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{DType, Device};
use serde_json::{Value, json};

use super::{
    TokenizerSource, UnetLayout, Weights,
    beside::folders_beside,
    defaults::{self, TextLayout},
    hf_folder::{is_whole_text_name, read_json, with_either_text_name},
    ldm::{UNET, vae},
    ldm_unet_name,
    names::Change,
    open_clip_name, prediction,
};
use crate::error::InferenceError;

/// A model in one file.
#[derive(Clone)]
pub struct SingleFile {
    path: PathBuf,
    weights: Weights,
    layout: Arc<Layout>,
}

/// What the file holds under which names, and the configurations that follow.
struct Layout {
    unet: UnetLayout,
    vae_prefix: &'static str,
    n_vae_levels: usize,
    text: BTreeMap<&'static str, TextLayout>,
    configs: BTreeMap<&'static str, Value>,
}

impl SingleFile {
    /// Opens a file and reads its header.
    ///
    /// What the tensors do not tell may be said beside `NAME.safetensors`. `NAME.json` may hold `prediction_type` and, by part, values that replace those of
    /// `unet`, `vae`, `text_encoder`, `text_encoder_2`, `scheduler` and `model_index`. In a folder `NAME`, or in the file's own, `unet/config.json`,
    /// `scheduler/scheduler_config.json`, `tokenizer/` and so on have the meaning of diffusers' folders.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`; `Unsupported` for files that hold something else than a whole model.
    pub fn open(path: &Path) -> Result<Self, InferenceError> {
        let weights = Weights::open(&[path.to_owned()], &Device::Cpu, DType::F32)?;
        // Some savers put everything below one name.
        let is_whole = |weights: &Weights| weights.has(&format!("{UNET}input_blocks.0.0.weight"));
        let weights = if is_whole(&weights.at("state_dict")) { weights.at("state_dict") } else { weights };
        if !is_whole(&weights) && weights.names().any(|name| name.starts_with("model_ema.diffusion_model")) {
            let what =
                "a file with only the smoothed twin (EMA) of its U-Net, and not the one with `model.diffusion_model.` names,".to_owned();
            return Err(InferenceError::Unsupported { path: path.to_owned(), what });
        }
        if !is_whole(&weights) {
            let what = match super::inspect::kind_of(path)? {
                super::FileKind::Unknown => {
                    "a file without `model.diffusion_model.input_blocks.0.0.weight`, so without a U-Net,".to_owned()
                }
                kind => format!("{kind} where a whole model is needed"),
            };
            return Err(InferenceError::Unsupported { path: path.to_owned(), what });
        }
        let facts = defaults::read(&weights, path)?;
        let layout = Layout {
            unet: facts.unet_layout,
            vae_prefix: facts.vae_prefix,
            n_vae_levels: facts.n_vae_levels,
            text: facts.text,
            configs: with_files_beside(facts.configs, path)?,
        };
        Ok(Self { path: path.to_owned(), weights, layout: Arc::new(layout) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a part, such as `text_encoder_2`.
    pub fn has(&self, part: &str) -> bool {
        matches!(part, "unet" | "vae") || self.layout.text.contains_key(part)
    }

    /// What the file of that name would say in diffusers' folder layout.
    ///
    /// # Errors
    /// `Missing`, for parts that the file lacks.
    pub fn json(&self, name: &str) -> Result<Value, InferenceError> {
        let part = name.split('/').next().unwrap_or(name);
        let config = self.layout.configs.get(part).ok_or_else(|| InferenceError::Missing { path: self.path.join(name) })?;
        Ok(config.clone())
    }

    /// The weights of a part, under the names of diffusers and transformers.
    ///
    /// # Errors
    /// `Missing`, for parts that the file lacks.
    pub fn weights(&self, part: &str, device: &Device, dtype: DType) -> Result<Weights, InferenceError> {
        let target = (device, dtype);
        match part {
            "unet" => {
                let layout = self.layout.clone();
                Ok(self.weights.renamed(target, move |name| Some((format!("{UNET}{}", ldm_unet_name(name, &layout.unet)?), Change::Same))))
            }
            "vae" => Ok(vae(&self.weights, (self.layout.vae_prefix, self.layout.n_vae_levels), target)),
            _ => match self.layout.text.get(part) {
                Some(TextLayout::Transformers { prefix }) => Ok(with_either_text_name(&self.weights, prefix, target)),
                Some(TextLayout::OpenClip { prefix }) => {
                    let prefix = *prefix;
                    Ok(self.weights.renamed(target, move |name| {
                        // One name for each tensor, so that patches see the same ones for every layout.
                        let (name, change) = is_whole_text_name(name).then(|| open_clip_name(name))??;
                        Some((format!("{prefix}{name}"), change))
                    }))
                }
                None => Err(InferenceError::Missing { path: self.path.join(part) }),
            },
        }
    }

    /// How the names of the U-Net's or the autoencoder's tensors begin.
    pub(super) fn prefix(&self, part: &str) -> &'static str {
        if part == "unet" { UNET } else { self.layout.vae_prefix }
    }

    /// Whether the file holds an autoencoder.
    pub(super) fn has_vae(&self) -> bool {
        self.weights.has(&format!("{}decoder.conv_in.weight", self.layout.vae_prefix))
    }

    /// The tokenizer of a part: from a folder of that name beside the file, or CLIP's own.
    pub fn tokenizer(&self, part: &str) -> TokenizerSource {
        for folder in folders_beside(&self.path) {
            for part in [part, "tokenizer"] {
                let folder = folder.join(part);
                if folder.join("tokenizer.json").is_file() || folder.join("vocab.json").is_file() {
                    return TokenizerSource::Folder(folder);
                }
            }
        }
        let is_first = part == "tokenizer";
        let encoder = if is_first { "text_encoder" } else { "text_encoder_2" };
        let is_open_clip = matches!(self.layout.text.get(encoder), Some(TextLayout::OpenClip { .. }));
        TokenizerSource::Clip { pad: if is_open_clip { "!" } else { "<|endoftext|>" }.into() }
    }
}

/// The configurations, changed by what lies beside the file.
fn with_files_beside(mut configs: BTreeMap<&'static str, Value>, path: &Path) -> Result<BTreeMap<&'static str, Value>, InferenceError> {
    for (part, config) in &mut configs {
        let name = match *part {
            "model_index.json" => PathBuf::from("model_index.json"),
            "scheduler" => Path::new("scheduler").join("scheduler_config.json"),
            part => Path::new(part).join("config.json"),
        };
        if let Some(file) = folders_beside(path).iter().map(|folder| folder.join(&name)).find(|file| file.is_file()) {
            *config = read_json(&file)?;
        }
    }
    let file = path.with_extension("json");
    if file.is_file() {
        let beside = read_json(&file)?;
        for (part, config) in &mut configs {
            if let Some(values) = beside.get(part.trim_end_matches(".json")) {
                replace(config, values);
            }
        }
        if let (Some(prediction), Some(schedule)) = (beside.get("prediction_type"), configs.get_mut("scheduler")) {
            let said_by = "the JSON file beside it";
            replace(schedule, &json!({ "prediction_type": prediction, (prediction::SAID_BY): said_by }));
        }
    }
    Ok(configs)
}

fn replace(config: &mut Value, values: &Value) {
    if let (Some(config), Some(values)) = (config.as_object_mut(), values.as_object()) {
        config.extend(values.clone());
    }
}
