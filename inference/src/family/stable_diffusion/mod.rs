//! The networks of a latent diffusion model: text encoder, U-Net, autoencoder.

mod attention;
pub mod config;
mod embeddings;
mod prompt;
mod unet;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{DType, Device, Tensor};

use self::unet::Unet;
pub use self::{
    config::ModelConfig,
    prompt::{Conditioning, PromptState},
};
pub use crate::ops::Padding;
use crate::{
    checkpoint::{Checkpoint, Part, Patch, TokenizerSource, Weights, unread, vae_weights},
    error::InferenceError,
    text::{EncoderFiles, Prompt, TextEncoders, TextOptions, clip::ClipConfig},
    vae::Vae,
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
    text: TextEncoders,
    unet: Unet,
    vae: Arc<Vae>,
    n_parameters: u64,
    n_vae_parameters: u64,
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
            None => {
                checkpoint.check_vae()?;
                checkpoint.weights("vae", device, dtype)?
            }
        };
        let is_too_narrow = dtype == DType::F16 && config.vae.force_upcast;
        let vae_weights = vae_weights.of_type(if is_too_narrow { DType::F32 } else { dtype });
        let vae = Arc::new(Vae::load(&vae_weights, &config.vae)?);
        if source.vae.is_none() {
            unread::check(&checkpoint, "vae", &vae_weights)?;
        }
        let n_parameters = vae_weights.n_parameters();
        let vae = (vae, vae_weights.dtype(), n_parameters);
        let loaded = Self::with_vae(checkpoint, config, vae, source.patch.as_ref(), (device, dtype))?;
        // A single file's tensors are known as read whichever part is asked; a folder's are each part's own.
        if let Checkpoint::File(_) = loaded.checkpoint {
            let weights = loaded.checkpoint.weights("unet", device, dtype)?;
            if let Some(warning) = unread::warning(&loaded.checkpoint, &weights, source.vae.is_some()) {
                tracing::warn!("{warning}");
            }
        }
        Ok(loaded)
    }

    /// The same model with other changes to its weights; the autoencoder is shared.
    ///
    /// # Errors
    /// As [`load`](Self::load), and those of the patch.
    pub fn patched(&self, patch: Option<&Arc<dyn Patch>>) -> Result<Self, InferenceError> {
        let vae = (self.vae.clone(), self.vae_dtype, self.n_vae_parameters);
        Self::with_vae(self.checkpoint.clone(), self.config.clone(), vae, patch, (&self.device, self.dtype))
    }

    fn with_vae(
        checkpoint: Checkpoint,
        config: ModelConfig,
        (vae, vae_dtype, n_vae_parameters): (Arc<Vae>, DType, u64),
        patch: Option<&Arc<dyn Patch>>,
        (device, dtype): (&Device, DType),
    ) -> Result<Self, InferenceError> {
        let weights = |name: &str, part: Part| -> Result<_, InferenceError> {
            let weights = checkpoint.weights(name, device, dtype)?;
            Ok(match patch {
                Some(patch) => weights.patched(part, patch.clone()),
                None => weights,
            })
        };
        let encoder = |name: &str, tokenizer: &str, part: Part, config: &Option<ClipConfig>| -> Result<_, InferenceError> {
            let Some(config) = config.clone() else { return Ok(None) };
            Ok(Some((weights(name, part)?, checkpoint.tokenizer(tokenizer), config)))
        };
        let first = encoder("text_encoder", "tokenizer", Part::TextEncoder, &config.text_encoder)?;
        let second = encoder("text_encoder_2", "tokenizer_2", Part::TextEncoder2, &config.text_encoder_2)?;
        let text = TextEncoders::load(files(&first), files(&second), TextOptions::default(), device)?;
        let unet_weights = weights("unet", Part::Unet)?;
        let unet = Unet::load(&unet_weights, &config.unet, device, dtype)?;
        unread::check(&checkpoint, "unet", &unet_weights)?;
        let n_text = [first, second].into_iter().flatten().map(|(weights, ..)| weights.n_parameters()).sum::<u64>();
        let n_parameters = n_text + unet_weights.n_parameters() + n_vae_parameters;
        Ok(Self { text, unet, vae, n_parameters, n_vae_parameters, vae_dtype, checkpoint, config, device: device.clone(), dtype })
    }

    /// Contexts `[n, 77, d]` of prompts of one chunk whose words all count alike. Each row is computed alone.
    ///
    /// # Errors
    /// `InvalidPrompt` if one is too long.
    pub fn encode_text(&self, prompts: &[&str]) -> Result<Tensor, InferenceError> {
        let rows = prompts.iter().map(|prompt| Ok(self.text.encode(&Prompt::plain(prompt), 0, 1)?.context));
        Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, InferenceError>>()?, 0)?)
    }

    /// Its text encoders.
    pub fn text(&self) -> &TextEncoders {
        &self.text
    }

    /// Its text encoders, to teach them words.
    pub fn text_mut(&mut self) -> &mut TextEncoders {
        &mut self.text
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
        self.predict_padded(latents, timesteps, prompts, Padding::Zeros)
    }

    /// The same with these pixels beyond the edges of every 3×3 convolution: circular ones make a picture that can be laid side by side with itself.
    pub fn predict_padded(
        &self,
        latents: &Tensor,
        timesteps: &[f64],
        prompts: &[&PromptState],
        padding: Padding,
    ) -> Result<Tensor, InferenceError> {
        let n = latents.dim(0)?;
        let n_tokens = prompts.first().map(|prompt| prompt.n_tokens());
        if timesteps.len() != n || prompts.len() != n || prompts.iter().any(|prompt| Some(prompt.n_tokens()) != n_tokens) {
            let lengths: Vec<usize> = prompts.iter().map(|prompt| prompt.n_tokens()).collect();
            let message = format!("{n} latents, {} timesteps and prompts of {lengths:?} tokens", timesteps.len());
            return Err(candle_core::Error::Msg(message).into());
        }
        Ok(self.unet.forward(&latents.to_dtype(self.dtype)?, timesteps, prompts, padding)?)
    }

    /// Mean and standard deviation `[n, 4, h, w]` of the latents of pictures `[n, 3, H, W]` in -1..1, before scaling. Float32.
    pub fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        self.encode_image_padded(pixels, Padding::Zeros)
    }

    /// The same with these pixels beyond the edges.
    pub fn encode_image_padded(&self, pixels: &Tensor, padding: Padding) -> Result<(Tensor, Tensor), InferenceError> {
        let (mean, deviation) = self.vae.encode(&pixels.to_dtype(self.vae_dtype)?, padding)?;
        Ok((mean.to_dtype(DType::F32)?, deviation.to_dtype(DType::F32)?))
    }

    /// The same in tiles of at most `side` latents, a multiple of 4, as a picture that is too large for the memory is encoded.
    pub fn encode_in_tiles(&self, pixels: &Tensor, side: usize, padding: Padding) -> Result<(Tensor, Tensor), InferenceError> {
        let (mean, deviation) = self.vae.encode_in_tiles(&pixels.to_dtype(self.vae_dtype)?, side, padding)?;
        Ok((mean.to_dtype(DType::F32)?, deviation.to_dtype(DType::F32)?))
    }

    /// Pictures `[n, 3, H, W]` in -1..1 (not clamped) of scaled latents `[n, 4, h, w]` (divides by the scaling factor). Float32.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        self.decode_padded(latents, Padding::Zeros)
    }

    /// The same with these pixels beyond the edges.
    pub fn decode_padded(&self, latents: &Tensor, padding: Padding) -> Result<Tensor, InferenceError> {
        Ok(self.vae.decode(&self.unscaled(latents)?, padding)?.to_dtype(DType::F32)?)
    }

    /// The same in tiles of at most `side` latents, a multiple of 4, as a picture that is too large for the memory is decoded.
    pub fn decode_in_tiles(&self, latents: &Tensor, side: usize, padding: Padding) -> Result<Tensor, InferenceError> {
        Ok(self.vae.decode_in_tiles(&self.unscaled(latents)?, side, padding)?.to_dtype(DType::F32)?)
    }

    fn unscaled(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        latents.to_dtype(self.vae_dtype)? / self.config.vae.scaling_factor
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
}

fn files(encoder: &Option<(Weights, TokenizerSource, ClipConfig)>) -> Option<EncoderFiles<'_>> {
    encoder.as_ref().map(|(weights, tokenizer, config)| EncoderFiles { weights, config, tokenizer })
}
