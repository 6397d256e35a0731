//! What is known of each thing that there is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Version, limits::Limits};
use crate::{
    checkpoint::{Family, OtherParts},
    family::Suited,
    sampler::Sampler,
    schedule::{Prediction, ScheduleKind},
    task::{ImageSize, Setting},
    text::PromptMeasure,
};

/// A part of a model, which is in memory alone or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// All of its text encoders.
    TextEncoders,
    /// The network that takes noise away.
    Denoiser,
    /// The autoencoder.
    Vae,
}

/// How large a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCard {
    /// Which part.
    pub kind: PartKind,
    /// Numbers in its weights.
    pub n_parameters: u64,
    /// Bytes of its weights in memory.
    pub n_bytes: u64,
}

/// The tiny decoder that lies with a model, for previews.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewCard {
    /// A folder or a file. For whoever runs the program.
    pub path: PathBuf,
    /// Numbers in its weights; 0 where headers do not tell.
    pub n_parameters: u64,
    /// Bytes of its weights in memory, at most.
    pub n_bytes: u64,
}

/// A model: what it is and what suits it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelCard {
    /// The name that tasks use.
    pub name: String,
    /// A diffusers folder or a single file. For whoever runs the program, never for people who ask for pictures.
    pub path: PathBuf,
    /// Another VAE than the model's own, as `path`.
    pub vae: Option<PathBuf>,
    /// Where the parts are that a file with a transformer alone lacks, as `path`.
    pub others: OtherParts,
    /// Its files as they were read.
    pub version: Version,
    /// Which models it shares its networks' shapes with.
    pub family: Family,
    /// Text encoders, denoiser and VAE.
    pub parts: Vec<PartCard>,
    /// Its decoder of previews, if one lies with it.
    #[serde(default)]
    pub preview: Option<PreviewCard>,
    /// The size that it was trained at.
    pub native_size: ImageSize,
    /// Widths and heights must be a multiple of this: the VAE's factor.
    pub size_multiple: u32,
    /// Widths and heights that every level of the network halves evenly are multiples of this; they suit it best.
    pub even_multiple: u32,
    /// Longest side in pixels.
    pub max_side: u32,
    /// The sampler that its own configuration names.
    pub sampler: Sampler,
    /// The schedule that its own configuration names.
    pub schedule: ScheduleKind,
    /// What the network predicts.
    pub prediction: Prediction,
    /// What says so, for people.
    pub prediction_said_by: String,
    /// How far its schedule is shifted towards noise, if it is by the same for all sizes.
    #[serde(default)]
    pub shift: Option<f64>,
    /// What says so, for people, where the model's own files do not.
    #[serde(default)]
    pub shift_said_by: Option<String>,
    /// The largest guidance scale that is the same as none.
    pub guidance_off: f64,
    /// Whether a negative prompt changes its pictures where guidance is on.
    pub takes_negative_prompt: bool,
    /// Whether the network takes in mask and masked picture: it fills in parts of pictures and draws no whole ones.
    pub sees_mask: bool,
    /// Whether its text encoder is OpenAI's CLIP alone, as in Stable Diffusion 1; other programs leave out layers of no other.
    pub is_clip_alone: bool,
    /// Channels of its latents.
    pub latent_channels: usize,
    /// What its makers draw with, where they say so.
    pub suited: Option<Suited>,
    /// Numbers of its widest layers for each latent and for each pixel.
    pub(crate) widths: Widths,
    pub(crate) limits: Limits,
    pub(crate) prompts: PromptMeasure,
}

/// Numbers of the widest layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Widths {
    /// Of the denoiser, for each latent.
    pub(crate) denoiser: u64,
    /// Of the VAE, for each pixel.
    pub(crate) vae: u64,
}

impl ModelCard {
    /// Numbers in all weights.
    pub fn n_parameters(&self) -> u64 {
        self.parts.iter().map(|part| part.n_parameters).sum()
    }

    /// Bytes of all weights in memory.
    pub fn n_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.n_bytes).sum()
    }

    /// Numbers in the weights that adapters may change.
    pub(crate) fn n_changeable(&self) -> u64 {
        self.parts.iter().filter(|part| part.kind != PartKind::Vae).map(|part| part.n_parameters).sum()
    }

    /// Whether it makes something of a setting.
    pub fn reads(&self, setting: Setting) -> bool {
        self.limits.rules.reads(setting)
    }

    /// Whether an adapter, as far as its header tells, was made for this model.
    pub fn fits(&self, adapter: &AdapterCard) -> bool {
        adapter.family.is_none_or(|family| family == self.family)
    }

    /// Whether the vectors of a learned word fit into its text encoders.
    pub fn knows(&self, word: &EmbeddingCard) -> bool {
        let [first, second] = self.prompts.widths();
        match (first, second, &word.widths[..]) {
            (Some(l), Some(g), [found_l, found_g]) => (l, g) == (*found_l, *found_g),
            (Some(width), None, [found, ..]) | (None, Some(width), [.., found]) => width == *found,
            _ => false,
        }
    }

    /// Whether a VAE has the latents of this model.
    pub fn decodes_with(&self, vae: &VaeCard) -> bool {
        vae.latent_channels == self.latent_channels && vae.factor == self.size_multiple
    }
}

/// An adapter: LoRA or its kin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterCard {
    /// The name that tasks use.
    pub name: String,
    /// A safetensors file. For whoever runs the program.
    pub path: PathBuf,
    /// The file as it was read.
    pub version: Version,
    /// What people call its kind, such as `LoHa`.
    pub kind: String,
    /// The models that it was made for, where names or shapes tell.
    pub family: Option<Family>,
    /// The parts that it changes.
    pub parts: Vec<PartKind>,
    /// Its largest rank, if its matrices have ranks.
    pub rank: Option<u32>,
    /// Numbers in it.
    pub n_parameters: u64,
    /// Those of its products of two matrices, which stay in memory with it.
    #[serde(default)]
    pub n_live: u64,
    /// Numbers of the layers that a task with it needs of its own, at most: those that it changes by more than such products.
    #[serde(default)]
    pub n_own: u64,
    /// Words that its maker says bring it out.
    pub trigger_words: Vec<String>,
    /// Why it cannot be used, for whoever runs the program; loading it will say the same.
    pub fault: Option<String>,
}

/// A learned word (textual inversion).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingCard {
    /// The word that stands for it in prompts.
    pub name: String,
    /// A safetensors file. For whoever runs the program.
    pub path: PathBuf,
    /// The file as it was read.
    pub version: Version,
    /// The vectors' width, one for each text encoder that it was made for.
    pub widths: Vec<usize>,
    /// Vectors, which are also tokens that it takes in a prompt.
    pub n_vectors: usize,
}

/// A super-resolution network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpscalerCard {
    /// A safetensors file. For whoever runs the program.
    pub path: PathBuf,
    /// The file as it was read.
    pub version: Version,
    /// How many times larger pictures become.
    pub factor: u32,
    /// Numbers in it.
    pub n_parameters: u64,
}

/// An autoencoder that stands alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VaeCard {
    /// The file's name.
    pub name: String,
    /// A safetensors file. For whoever runs the program.
    pub path: PathBuf,
    /// The file as it was read.
    pub version: Version,
    /// Channels of its latents.
    pub latent_channels: usize,
    /// Pixels along one latent.
    pub factor: u32,
    /// Numbers in it.
    pub n_parameters: u64,
}

/// A ControlNet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlCard {
    /// The file's name.
    pub name: String,
    /// A safetensors file. For whoever runs the program.
    pub path: PathBuf,
    /// The file as it was read.
    pub version: Version,
    /// The models that it was made for, where shapes tell.
    pub family: Option<Family>,
    /// Numbers in it.
    pub n_parameters: u64,
}
