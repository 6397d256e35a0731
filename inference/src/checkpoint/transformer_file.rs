//! A transformer in a file of its own, as ComfyUI uses them, with the other parts of its model from folders.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Weights,
    beside::folders_beside,
    hf_folder,
    json::unsupported,
    names::{Change, fused_transformer_name},
    shift,
};
use crate::{error::InferenceError, schedule::Shift};

/// What only Z-Image's files have; they are otherwise named as those of Lumina 2.
const OWN: &str = "layers.0.adaLN_modulation.0.weight";
/// What everything may be called below.
const PREFIXES: [&str; 2] = ["", "model.diffusion_model."];
/// The parts that such a file lacks.
const OTHERS: [&str; 3] = ["text_encoder", "tokenizer", "vae"];

/// Where the parts are that a file lacks: each a folder as in diffusers' layout, or a folder with one of that name. Those that are not named are
/// looked for beside the file. And what its tensors do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OtherParts {
    /// The text encoder.
    pub text_encoder: Option<PathBuf>,
    /// The tokenizer.
    pub tokenizer: Option<PathBuf>,
    /// How far its schedule is shifted, where nothing says it or the wrong thing.
    #[serde(default)]
    pub shift: Option<Shift>,
}

/// A transformer's file and the folders of the other parts.
#[derive(Clone)]
pub struct TransformerFile {
    path: PathBuf,
    weights: Weights,
    /// Whether queries, keys and values lie stacked in one tensor.
    is_fused: bool,
    prefix: &'static str,
    folders: Arc<BTreeMap<&'static str, PathBuf>>,
    shift: Option<Shift>,
}

impl TransformerFile {
    /// Opens a file; `None` if it holds something else.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file; `Unsupported` for Lumina 2.
    pub fn open(path: &Path, others: &OtherParts) -> Result<Option<Self>, InferenceError> {
        let file = Weights::open(&[path.to_owned()], &Device::Cpu, DType::F32)?;
        if is_lumina(|name| file.shape(name).ok()) {
            return Err(unsupported(path, "Lumina 2, whose tensors are named as those of Z-Image,".to_owned()));
        }
        let Some(prefix) = prefix_of(|name| file.has(name)) else { return Ok(None) };
        let weights = if prefix.is_empty() { file } else { file.at(prefix.trim_end_matches('.')) };
        let named = |part: &str| match part {
            "text_encoder" => others.text_encoder.as_deref(),
            "tokenizer" => others.tokenizer.as_deref(),
            _ => None,
        };
        let folders = OTHERS.into_iter().filter_map(|part| Some((part, folder_of(part, named(part), path)?))).collect();
        let is_fused = weights.has("layers.0.attention.qkv.weight");
        Ok(Some(Self { path: path.to_owned(), weights, is_fused, prefix, folders: Arc::new(folders), shift: others.shift }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a part, such as `text_encoder`.
    pub fn has(&self, part: &str) -> bool {
        part == "transformer" || self.folders.contains_key(part)
    }

    /// What the file of that name says in diffusers' folder layout, or would say.
    ///
    /// # Errors
    /// `Missing`, for parts that are nowhere, or `Unreadable`.
    pub fn json(&self, name: &str) -> Result<Value, InferenceError> {
        match name.split_once('/').unwrap_or((name, "")) {
            ("model_index.json", _) => Ok(json!({ "_class_name": "ZImagePipeline" })),
            ("transformer", _) => self.config(),
            ("scheduler", _) => Ok(self.schedule()),
            ("vae", _) if !self.folders.contains_key("vae") => Ok(published_vae()),
            (part, file) => hf_folder::read_json(&self.folder(part)?.join(file)),
        }
    }

    /// `scheduler/scheduler_config.json`: the one beside the file, else as the makers of Z-Image published theirs.
    fn schedule(&self) -> Value {
        let beside = folders_beside(&self.path).map(|folder| folder.join("scheduler/scheduler_config.json"));
        let is_flow = |json: &Value| json["_class_name"].as_str().is_some_and(|class| class.starts_with("FlowMatch"));
        let beside = beside.iter().find_map(|path| hf_folder::read_json(path).ok().filter(is_flow));
        match (beside, self.shift) {
            (Some(mut schedule), None) => {
                schedule[shift::SAID_BY] = json!("the scheduler_config.json beside it");
                schedule
            }
            (beside, _) => {
                let published = json!({
                    "_class_name": "FlowMatchEulerDiscreteScheduler",
                    "num_train_timesteps": 1000,
                    "use_dynamic_shifting": false,
                });
                let decided = shift::of_file(&self.path, self.weights.metadata(), self.shift);
                let mut schedule = beside.unwrap_or(published);
                (schedule["shift"], schedule[shift::SAID_BY]) = (json!(decided.shift), json!(decided.said_by));
                schedule
            }
        }
    }

    /// Where such a file is, for messages.
    pub fn json_path(&self, name: &str) -> PathBuf {
        let of_folder = |(part, file): (&str, &str)| Some(self.folders.get(part)?.join(file));
        name.split_once('/').and_then(of_folder).unwrap_or_else(|| self.path.clone())
    }

    /// The weights of a part under the names of diffusers and transformers.
    ///
    /// # Errors
    /// `Missing`, for parts that are nowhere, or `Unreadable`.
    pub fn weights(&self, part: &str, device: &Device, dtype: DType) -> Result<Weights, InferenceError> {
        if part == "transformer" {
            let is_fused = self.is_fused;
            let name_in_file = move |name: &str| if is_fused { fused_transformer_name(name) } else { (name.to_owned(), Change::Same) };
            return Ok(self.weights.renamed((device, dtype), move |name| Some(name_in_file(name))));
        }
        let stem = if part == "vae" { "diffusion_pytorch_model" } else { "model" };
        Weights::open(&hf_folder::files(self.folder(part)?, stem, dtype)?, device, dtype)
    }

    /// The folder of a part.
    ///
    /// # Errors
    /// `Unsupported`, where it is not known.
    pub fn folder(&self, part: &str) -> Result<&Path, InferenceError> {
        let missing =
            || unsupported(&self.path, format!("a file with a transformer alone, without a folder for its {},", part.replace('_', " ")));
        self.folders.get(part).map(PathBuf::as_path).ok_or_else(missing)
    }

    /// How the names of a part's tensors begin.
    pub(super) fn prefix(&self, part: &str) -> &'static str {
        if part == "transformer" { self.prefix } else { "" }
    }

    /// `transformer/config.json`, from the shapes; what they do not tell is as published.
    fn config(&self) -> Result<Value, InferenceError> {
        let weights = self.weights("transformer", &Device::Cpu, DType::F32)?;
        let size = |name: &str, axis: usize| Ok::<_, InferenceError>(weights.shape(name)?.get(axis).copied().unwrap_or_default());
        let count = |name: &str| (0..).take_while(|i| weights.has(&format!("{name}.{i}.attention_norm1.weight"))).count();
        let (width, head) = (size("x_pad_token", 1)?, size("layers.0.attention.norm_q.weight", 0)?.max(1));
        Ok(json!({
            "_class_name": "ZImageTransformer2DModel",
            "in_channels": size("all_x_embedder.2-1.weight", 1)? / 4,
            "dim": width,
            "n_layers": count("layers"),
            "n_refiner_layers": count("noise_refiner"),
            "n_heads": width / head,
            "n_kv_heads": width / head,
            "cap_feat_dim": size("cap_embedder.0.weight", 0)?,
            "axes_dims": [head / 4, head / 8 * 3, head / 8 * 3],
        }))
    }
}

/// Whether tensors of these names are such a transformer.
pub(super) fn is_one(has: impl Fn(&str) -> bool) -> bool {
    prefix_of(has).is_some()
}

/// Whether a file with tensors of these shapes holds Lumina 2, which has fewer keys than queries; its tensors may be named as those of Z-Image.
pub(super) fn is_lumina<'a>(shape: impl Fn(&str) -> Option<&'a [usize]>) -> bool {
    PREFIXES.into_iter().any(|prefix| {
        let shape = |name: &str| shape(&format!("{prefix}{name}"));
        let has_fewer_keys = match (shape("layers.0.attention.qkv.weight"), shape("layers.0.attention.to_q.weight")) {
            (Some([rows, width]), _) => *rows != 3 * width,
            (None, Some([rows, _])) => shape("layers.0.attention.to_k.weight").is_some_and(|keys| keys.first() != Some(rows)),
            _ => false,
        };
        has_fewer_keys && shape("cap_embedder.1.weight").is_some()
    })
}

fn prefix_of(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    PREFIXES.into_iter().find(|prefix| has(&format!("{prefix}{OWN}")))
}

/// The folder of a part: the named one or a folder in it, else one beside the file.
fn folder_of(part: &str, named: Option<&Path>, file: &Path) -> Option<PathBuf> {
    let is_one = |folder: &PathBuf| ["config.json", "tokenizer.json"].iter().any(|name| folder.join(name).is_file());
    match named {
        Some(folder) => Some(Some(folder.join(part)).filter(is_one).unwrap_or_else(|| folder.to_owned())),
        None => folders_beside(file).into_iter().map(|folder| folder.join(part)).find(is_one),
    }
}

/// The configuration of FLUX.1's autoencoder, which Z-Image has: for a VAE in a file of its own.
fn published_vae() -> Value {
    json!({
        "_class_name": "AutoencoderKL",
        "down_block_types": vec!["DownEncoderBlock2D"; 4],
        "up_block_types": vec!["UpDecoderBlock2D"; 4],
        "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2,
        "latent_channels": 16,
        "norm_num_groups": 32,
        "scaling_factor": 0.3611,
        "shift_factor": 0.1159,
        "use_quant_conv": false,
        "use_post_quant_conv": false,
    })
}
