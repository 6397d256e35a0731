//! The networks of a latent diffusion model: text encoder, U-Net, autoencoder.

mod attention;
mod clip;
pub mod config;
mod embeddings;
mod layers;
mod prompt;
mod resnet;
mod unet;
mod vae;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{DType, Device, Tensor};

use self::{clip::Clip, unet::Unet, vae::Vae};
pub use self::{
    config::ModelConfig,
    prompt::{Conditioning, PromptState},
};
use crate::{
    checkpoint::{Checkpoint, Part, Patch, vae_weights},
    error::InferenceError,
    text::Tokenizer,
};

/// What a model is loaded from.
#[derive(Clone, Default)]
pub struct ModelSource {
    /// A folder in the layout of diffusers, or a whole model in one safetensors file.
    pub path: PathBuf,
    /// Another autoencoder than the model's own: a safetensors file or a folder in the layout of diffusers.
    pub vae: Option<PathBuf>,
    /// Changes to the weights, such as adapters.
    pub patch: Option<Arc<dyn Patch>>,
}

impl<P: AsRef<Path> + ?Sized> From<&P> for ModelSource {
    fn from(path: &P) -> Self {
        Self { path: path.as_ref().to_owned(), ..Self::default() }
    }
}

impl From<&ModelSource> for ModelSource {
    fn from(source: &ModelSource) -> Self {
        source.clone()
    }
}

/// A loaded model. Lives on the device thread.
pub struct Model {
    checkpoint: Checkpoint,
    config: ModelConfig,
    text: Option<(Tokenizer, Clip)>,
    unet: Unet,
    vae: Vae,
    n_parameters: u64,
    device: Device,
    dtype: DType,
    vae_dtype: DType,
}

impl Model {
    /// Loads a model; every shape comes from its `config.json` files, or from the tensors of a single file.
    ///
    /// # Errors
    /// `Missing`, `Unreadable`, `Unsupported`, `MissingTensor` or `WrongShape`, naming the file.
    pub fn load(source: impl Into<ModelSource>, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let source = source.into();
        let checkpoint = Checkpoint::open(&source.path)?;
        let mut config = ModelConfig::read(&checkpoint)?;
        let vae_weights = match &source.vae {
            Some(path) => {
                let (json, weights) = vae_weights(path, &checkpoint, (device, dtype))?;
                config = config.with_vae(&json, path)?;
                weights
            }
            None => checkpoint.weights("vae", device, dtype)?,
        };
        let is_too_narrow = dtype == DType::F16 && config.vae.force_upcast;
        let vae_weights = vae_weights.of_type(if is_too_narrow { DType::F32 } else { dtype });
        let weights = |part: &str, patched: Part| -> Result<_, InferenceError> {
            let weights = checkpoint.weights(part, device, dtype)?;
            Ok(match &source.patch {
                Some(patch) => weights.patched(patched, patch.clone()),
                None => weights,
            })
        };
        let mut n_parameters = 0;
        let mut text = None;
        if let (Some(encoder), None) = (&config.text_encoder, &config.text_encoder_2) {
            let tokenizer = Tokenizer::of(&checkpoint.tokenizer("tokenizer"), encoder.n_positions)?;
            if tokenizer.largest_id() as usize >= encoder.vocab_size {
                let what = format!("a tokenizer with id {} for {} embeddings", tokenizer.largest_id(), encoder.vocab_size);
                return Err(InferenceError::Unsupported { path: checkpoint.path().join("tokenizer"), what });
            }
            let weights = weights("text_encoder", Part::TextEncoder)?;
            text = Some((tokenizer, Clip::load(&weights, encoder, device)?));
            n_parameters += weights.n_parameters();
        }
        let unet_weights = weights("unet", Part::Unet)?;
        let unet = Unet::load(&unet_weights, &config.unet, device, dtype)?;
        let vae = Vae::load(&vae_weights, &config.vae)?;
        n_parameters += unet_weights.n_parameters() + vae_weights.n_parameters();
        Ok(Self { text, unet, vae, n_parameters, vae_dtype: vae_weights.dtype(), checkpoint, config, device: device.clone(), dtype })
    }

    /// Embeds prompts; `[n, 77, d]` in the model's dtype. Each row is computed alone.
    ///
    /// # Errors
    /// `Unsupported` for models with two text encoders.
    pub fn encode_text(&self, prompts: &[&str]) -> Result<Tensor, InferenceError> {
        let (tokenizer, clip) = self.one_encoder()?;
        let row = |prompt: &&str| -> Result<Tensor, InferenceError> { Ok(clip.forward(&tokenizer.ids(prompt)?)?) };
        Ok(Tensor::cat(&prompts.iter().map(row).collect::<Result<Vec<_>, _>>()?, 0)?)
    }

    fn one_encoder(&self) -> Result<&(Tokenizer, Clip), InferenceError> {
        let what = "a model with two text encoders".to_owned();
        self.text.as_ref().ok_or_else(|| InferenceError::Unsupported { path: self.checkpoint.path().to_owned(), what })
    }

    /// Makes a prompt ready for [`predict`](Self::predict): what every step needs of it is computed once.
    ///
    /// `ids` are the sizes that Stable Diffusion XL takes in, as many as [`n_ids`](Self::n_ids); other models take none.
    pub fn prepare(&self, conditioning: &Conditioning, ids: &[f64]) -> Result<PromptState, InferenceError> {
        let conditioning = Conditioning { context: conditioning.context.to_dtype(self.dtype)?, pooled: conditioning.pooled.clone() };
        Ok(self.unet.prepare(&conditioning, ids)?)
    }

    /// The same prompt for models that take the guidance scale in (latent consistency models); unchanged for others.
    pub fn with_guidance(&self, prompt: PromptState, guidance_scale: f64) -> Result<PromptState, InferenceError> {
        Ok(self.unet.with_guidance(prompt, guidance_scale)?)
    }

    /// The U-Net's raw output (epsilon or v) `[n, 4, h, w]` for scaled latents `[n, in_channels, h, w]`, one training timestep and one prompt a row.
    ///
    /// On the processor in float32 a row's result is the same, bit for bit, whatever the other rows are.
    pub fn predict(&self, latents: &Tensor, timesteps: &[f64], prompts: &[&PromptState]) -> Result<Tensor, InferenceError> {
        let n = latents.dim(0)?;
        let n_tokens = prompts.first().map(|prompt| prompt.n_tokens());
        if timesteps.len() != n || prompts.len() != n || prompts.iter().any(|prompt| Some(prompt.n_tokens()) != n_tokens) {
            let lengths: Vec<usize> = prompts.iter().map(|prompt| prompt.n_tokens()).collect();
            let message = format!("{n} latents, {} timesteps and prompts of {lengths:?} tokens", timesteps.len());
            return Err(candle_core::Error::Msg(message).into());
        }
        Ok(self.unet.forward(&latents.to_dtype(self.dtype)?, timesteps, prompts)?)
    }

    /// Mean and standard deviation `[n, 4, h, w]` of the latents of pictures `[n, 3, H, W]` in -1..1, before scaling. Float32.
    pub fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        let (mean, deviation) = self.vae.encode(&pixels.to_dtype(self.vae_dtype)?)?;
        Ok((mean.to_dtype(DType::F32)?, deviation.to_dtype(DType::F32)?))
    }

    /// Pictures `[n, 3, H, W]` in -1..1 (not clamped) of scaled latents `[n, 4, h, w]` (divides by the scaling factor). Float32.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        let latents = (latents.to_dtype(self.vae_dtype)? / self.config.vae.scaling_factor)?;
        Ok(self.vae.decode(&latents)?.to_dtype(DType::F32)?)
    }

    /// The folder or file that it was loaded from.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The shapes of its networks.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        self.config.vae.latent_channels
    }

    /// Whether its U-Net takes in a mask and a masked picture beside the latents.
    pub fn is_inpainting(&self) -> bool {
        self.config.is_inpainting()
    }

    /// How many sizes go into [`prepare`](Self::prepare): 6 for Stable Diffusion XL, 5 for its refiner, 0 for others.
    pub fn n_ids(&self) -> usize {
        self.config.n_ids()
    }

    /// Whether the guidance scale goes into the network, and so no second row with the negative prompt is needed.
    pub fn takes_guidance(&self) -> bool {
        self.config.unet.guidance_width.is_some()
    }

    /// How many times smaller than pictures the latents are.
    pub fn vae_factor(&self) -> usize {
        self.config.vae.factor()
    }

    /// What the encoder's latents are multiplied by before noise is added.
    pub fn scaling_factor(&self) -> f64 {
        self.config.vae.scaling_factor
    }

    /// Side in pixels that the model was trained at.
    pub fn native_size(&self) -> usize {
        self.config.native_size()
    }

    /// Numbers in all weights.
    pub fn n_parameters(&self) -> u64 {
        self.n_parameters
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Type of the text encoder's and the U-Net's weights and results.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Its tokenizer, if it has only one.
    ///
    /// # Errors
    /// `Unsupported` for models with two text encoders.
    pub fn tokenizer(&self) -> Result<&Tokenizer, InferenceError> {
        Ok(&self.one_encoder()?.0)
    }
}
