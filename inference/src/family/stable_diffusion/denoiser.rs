//! The U-Net as a part of a model.

use candle_core::{DType, Tensor};

use super::{Conditioning, ModelConfig, PromptState, prompt::PromptRows, unet::Unet};
use crate::{
    adapter::AdapterSet,
    checkpoint::{Part, unread},
    error::InferenceError,
    family::contract::{Loaded, PartFiles},
    ops::{Batch, Pass},
    task::ImageSize,
};

/// A U-Net and what it is told of pictures.
pub struct Denoiser {
    unet: Unet,
    told: SizeConditioning,
    n_parameters: u64,
    dtype: DType,
}

/// What a U-Net is told about the picture's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeConditioning {
    /// Nothing.
    None,
    /// Original size, crop and target size (Podell et al. 2023, section 2.2).
    Sizes,
    /// Original size, crop and an aesthetic score (the refiner).
    Score,
}

impl SizeConditioning {
    fn of(config: &ModelConfig) -> Self {
        match config.n_ids() {
            0 => Self::None,
            _ if config.takes_aesthetic_score => Self::Score,
            _ => Self::Sizes,
        }
    }

    /// The numbers for a picture that is not cropped; the scores are diffusers' defaults.
    fn ids(self, size: ImageSize, is_negative: bool) -> Vec<f64> {
        let (width, height) = (f64::from(size.width), f64::from(size.height));
        match self {
            Self::None => Vec::new(),
            Self::Sizes => vec![height, width, 0.0, 0.0, height, width],
            Self::Score => vec![height, width, 0.0, 0.0, if is_negative { 2.5 } else { 6.0 }],
        }
    }
}

impl Denoiser {
    pub(super) fn load(files: PartFiles<'_>, config: &ModelConfig) -> Result<Self, InferenceError> {
        let weights = files.weights("unet")?;
        let unet = Unet::load(&weights, &config.unet, files.device, files.dtype)?;
        unread::check(files.checkpoint, "unet", &weights)?;
        Ok(Self { unet, told: SizeConditioning::of(config), n_parameters: weights.n_parameters(), dtype: files.dtype })
    }

    /// What the network is told about a picture's size.
    pub(super) fn size_ids(&self, size: ImageSize, is_negative: bool) -> Vec<f64> {
        self.told.ids(size, is_negative)
    }

    pub(super) fn prepare(&self, conditioning: &Conditioning, ids: &[f64], adapters: &AdapterSet) -> Result<PromptState, InferenceError> {
        let conditioning = Conditioning { context: conditioning.context.to_dtype(self.dtype)?, pooled: conditioning.pooled.clone() };
        Ok(self.unet.prepare(&conditioning, ids, Batch::new(&[adapters.changes(Part::Unet)]))?)
    }

    pub(super) fn with_guidance(
        &self,
        prompt: PromptState,
        guidance_scale: f64,
        adapters: &AdapterSet,
    ) -> Result<PromptState, InferenceError> {
        Ok(self.unet.with_guidance(prompt, guidance_scale, Batch::new(&[adapters.changes(Part::Unet)]))?)
    }

    pub(super) fn predict(
        &self,
        latents: &Tensor,
        timesteps: &[f64],
        rows: PromptRows<'_>,
        pass: Pass<'_>,
    ) -> Result<Tensor, InferenceError> {
        let (n, prompts) = (latents.dim(0)?, rows.prompts);
        let n_tokens = prompts.first().map(|prompt| prompt.n_tokens());
        if timesteps.len() != n || prompts.len() != n || prompts.iter().any(|prompt| Some(prompt.n_tokens()) != n_tokens) {
            let lengths: Vec<usize> = prompts.iter().map(|prompt| prompt.n_tokens()).collect();
            let message = format!("{n} latents, {} timesteps and prompts of {lengths:?} tokens", timesteps.len());
            return Err(candle_core::Error::Msg(message).into());
        }
        Ok(self.unet.forward(&latents.to_dtype(self.dtype)?, timesteps, rows, pass)?)
    }
}

impl Loaded for Denoiser {
    fn n_parameters(&self) -> u64 {
        self.n_parameters
    }

    fn dtype(&self) -> DType {
        self.dtype
    }
}
