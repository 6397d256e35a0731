//! CLIP of both kinds (Radford et al. 2021; transformers' `CLIPModel`): words and pictures become directions, and those that belong together are alike.
//!
//! It looks at pictures and is no part of drawing them, so it has a thread of its own ([`Looker`]) and computes on the processor.

mod looker;
mod picture;
mod vision;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

pub use looker::Looker;
pub use picture::Preparation;
use vision::{Vision, VisionConfig};

use crate::{
    checkpoint::{
        Weights,
        hf_folder::{files_of, read_json},
        json::{check_sizes, unreadable, unsupported},
    },
    error::InferenceError,
    host,
    ops::Changes,
    text::{
        Tokenizer,
        clip::{Clip as Text, ClipConfig, HiddenState, Tokens},
    },
};

/// What a word or a picture means: a direction, of length 1. The more two are alike, the nearer to 1 is their [`likeness`](Self::likeness).
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning(Vec<f32>);

impl Meaning {
    /// The cosine of the angle between two, -1 to 1.
    pub fn likeness(&self, other: &Self) -> f32 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }

    /// Its numbers.
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    fn of(embedding: &Tensor) -> Result<Self, InferenceError> {
        let values = host::floats(embedding)?;
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        if !length.is_finite() || length == 0.0 {
            return Err(InferenceError::Internal { what: "a meaning without a direction" });
        }
        Ok(Self(values.into_iter().map(|value| value / length).collect()))
    }
}

/// What is said where a part is missing.
const FOLDER: &str = "the folder of a CLIP holds config.json, preprocessor_config.json, model.safetensors and its tokenizer's files";

/// Where a network is, and what its small files say.
#[derive(Clone, Debug)]
pub struct ClipFiles {
    folder: PathBuf,
    text: ClipConfig,
    vision: VisionConfig,
    preparation: Preparation,
    weights: Vec<PathBuf>,
}

impl ClipFiles {
    /// Reads the small files of a folder as transformers writes it: `config.json`, `preprocessor_config.json`, the tokenizer, `model.safetensors`. Of the
    /// weights only the headers are read.
    ///
    /// # Errors
    /// Whatever is missing, cannot be read or is not supported, naming the file.
    pub fn open(folder: &Path) -> Result<Self, InferenceError> {
        Self::opened(folder).map_err(|error| match error {
            InferenceError::Missing { path } => unreadable(&path, format!("it is missing; {FOLDER}")),
            error => error,
        })
    }

    fn opened(folder: &Path) -> Result<Self, InferenceError> {
        let path = folder.join("config.json");
        let json = read_json(&path)?;
        if json.get("model_type").and_then(Value::as_str) != Some("clip") {
            return Err(unsupported(&path, format!("`model_type` {} (only \"clip\")", json.get("model_type").unwrap_or(&Value::Null))));
        }
        let part = |key: &str| json.get(key).filter(|part| part.is_object()).ok_or_else(|| unreadable(&path, format!("it has no `{key}`")));
        let projection_width = json.get("projection_dim").and_then(Value::as_u64).unwrap_or(512) as usize;
        check_sizes(&path, &[("projection_dim", projection_width)])?;
        let text = ClipConfig { projection_width, ..ClipConfig::read(part("text_config")?, &path)? };
        let vision = VisionConfig::read(part("vision_config")?, &path, projection_width)?;
        let prepared = folder.join("preprocessor_config.json");
        let preparation = Preparation::read(&read_json(&prepared)?, &prepared, vision.side as u32)?;
        let files = Self { weights: files_of(folder, DType::F32)?, folder: folder.to_owned(), text, vision, preparation };
        files.tokenizer()?;
        let weights = Weights::open(&files.weights, &Device::Cpu, DType::F32)?;
        weights.layers(|weights| files.read(weights).map(drop))?;
        Ok(files)
    }

    /// How pictures are prepared.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    fn tokenizer(&self) -> Result<Tokenizer, InferenceError> {
        let tokenizer = Tokenizer::load(&self.folder, self.text.n_positions)?;
        let (largest, most) = (tokenizer.largest_id(), self.text.vocab_size);
        if largest as usize >= most {
            return Err(unreadable(&self.folder, format!("its tokenizer has the token {largest}, and its network knows {most}")));
        }
        Ok(tokenizer)
    }

    fn read(&self, weights: &Weights) -> Result<(Text, Vision), InferenceError> {
        let text = Text::load_with_projection(weights, &self.text, &Device::Cpu)?;
        Ok((text, Vision::load(weights, self.vision.clone())?))
    }
}

/// A loaded network of both kinds.
pub struct Clip {
    tokenizer: Tokenizer,
    text: Text,
    vision: Vision,
    preparation: Preparation,
}

impl Clip {
    /// Loads the numbers.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load(files: &ClipFiles) -> Result<Self, InferenceError> {
        let (text, vision) = files.read(&Weights::open(&files.weights, &Device::Cpu, DType::F32)?)?;
        Ok(Self { tokenizer: files.tokenizer()?, text, vision, preparation: files.preparation.clone() })
    }

    /// What words mean; those after the network's last place are left out.
    ///
    /// # Errors
    /// The network fails.
    pub fn words(&self, words: &str) -> Result<Meaning, InferenceError> {
        let tokens = self.tokenizer.tokens(words)?;
        // What follows the end changes nothing before it, so nothing is filled up.
        let n_used = tokens.len().min(self.tokenizer.n_kept()) + 2;
        let framed = self.tokenizer.framed(&tokens);
        let state = HiddenState { n_skipped: 0, is_normed: true };
        let encoded = self.text.encode(Tokens { ids: &framed[..n_used], injected: &[] }, state, &Changes::default())?;
        Meaning::of(&encoded.pooled.ok_or(InferenceError::Internal { what: "a text encoder without a projection" })?)
    }

    /// What a picture means.
    ///
    /// # Errors
    /// The network fails.
    pub fn picture(&self, picture: &image::RgbImage) -> Result<Meaning, InferenceError> {
        Meaning::of(&self.vision.embed(self.preparation.prepare(picture))?)
    }
}
