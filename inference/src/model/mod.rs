//! The networks of a latent diffusion model: text encoder, U-Net, autoencoder.

mod attention;
mod clip;
pub mod config;
mod embeddings;
pub(crate) mod layers;
mod resnet;
pub mod taesd;
pub(crate) mod tiling;
mod unet;
mod vae;

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use self::{
    clip::Clip,
    config::{ClipConfig, UnetConfig, VaeConfig},
    unet::Unet,
    vae::Vae,
};
pub use crate::ops::Padding;
use crate::{checkpoint::HfFolder, error::InferenceError, text::Tokenizer};

/// A loaded model. Lives on the device thread.
pub struct Model {
    folder: HfFolder,
    config: ModelConfig,
    tokenizer: Tokenizer,
    clip: Clip,
    unet: Unet,
    vae: Vae,
    n_parameters: u64,
    device: Device,
    dtype: DType,
    vae_dtype: DType,
}

/// The shapes of a model's three networks.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The text encoder's.
    pub text_encoder: ClipConfig,
    /// The U-Net's.
    pub unet: UnetConfig,
    /// The autoencoder's.
    pub vae: VaeConfig,
}

impl ModelConfig {
    /// Reads the three `config.json` files and checks that they fit together.
    ///
    /// # Errors
    /// `Missing`, `Unreadable` or `Unsupported`, naming the file and the key.
    pub fn read(folder: &HfFolder) -> Result<Self, InferenceError> {
        let path = |part: &str| folder.path().join(part).join("config.json");
        let config = Self {
            text_encoder: ClipConfig::read(&folder.json("text_encoder/config.json")?, &path("text_encoder"))?,
            unet: UnetConfig::read(&folder.json("unet/config.json")?, &path("unet"))?,
            vae: VaeConfig::read(&folder.json("vae/config.json")?, &path("vae"))?,
        };
        let (unet, vae, width) = (&config.unet, &config.vae, config.text_encoder.width);
        for (key, found, expected) in [
            ("in_channels", unet.in_channels, vae.latent_channels),
            ("out_channels", unet.out_channels, vae.latent_channels),
            ("cross_attention_dim", unet.context_width, width),
        ] {
            if found != expected {
                let what = format!("`{key}` {found} where the other parts have {expected}");
                return Err(InferenceError::Unsupported { path: path("unet"), what });
            }
        }
        Ok(config)
    }

    /// Side in pixels that the model was trained at.
    pub fn native_size(&self) -> usize {
        self.unet.sample_size.unwrap_or(64) * self.vae.factor()
    }
}

impl Model {
    /// Loads a Hugging Face (diffusers) folder; every shape comes from its config.json files.
    ///
    /// # Errors
    /// `Missing`, `Unreadable`, `Unsupported`, `MissingTensor` or `WrongShape`, naming the file.
    pub fn load(folder: &Path, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let folder = HfFolder::open(folder)?;
        let config = ModelConfig::read(&folder)?;
        let tokenizer = Tokenizer::load(&folder.path().join("tokenizer"), config.text_encoder.n_positions)?;
        if tokenizer.largest_id() as usize >= config.text_encoder.vocab_size {
            let what = format!("a tokenizer with id {} for {} embeddings", tokenizer.largest_id(), config.text_encoder.vocab_size);
            return Err(InferenceError::Unsupported { path: folder.path().join("tokenizer"), what });
        }
        let vae_dtype = if dtype == DType::F16 && config.vae.force_upcast { DType::F32 } else { dtype };
        let clip_weights = folder.weights("text_encoder", device, dtype)?;
        let unet_weights = folder.weights("unet", device, dtype)?;
        let vae_weights = folder.weights("vae", device, vae_dtype)?;
        Ok(Self {
            tokenizer,
            clip: Clip::load(&clip_weights, &config.text_encoder, device)?,
            unet: Unet::load(&unet_weights, &config.unet, device, dtype)?,
            vae: Vae::load(&vae_weights, &config.vae)?,
            n_parameters: [clip_weights, unet_weights, vae_weights].iter().map(|weights| weights.n_parameters()).sum(),
            folder,
            config,
            device: device.clone(),
            dtype,
            vae_dtype,
        })
    }

    /// Embeds prompts; `[n, 77, d]` in the model's dtype. Each row is computed alone.
    pub fn encode_text(&self, prompts: &[&str]) -> Result<Tensor, InferenceError> {
        let row = |prompt: &&str| -> Result<Tensor, InferenceError> { Ok(self.clip.forward(&self.tokenizer.ids(prompt)?)?) };
        Ok(Tensor::cat(&prompts.iter().map(row).collect::<Result<Vec<_>, _>>()?, 0)?)
    }

    /// The U-Net's raw output (epsilon or v) `[n, 4, h, w]` for scaled latents `[n, 4, h, w]`, one training timestep a row, context `[n, 77, d]`.
    ///
    /// On the processor in float32 a row's result is the same, bit for bit, whatever the other rows are.
    pub fn predict(&self, latents: &Tensor, timesteps: &[f64], context: &Tensor) -> Result<Tensor, InferenceError> {
        self.predict_padded(latents, timesteps, context, Padding::Zeros)
    }

    /// The same with these pixels beyond the edges of every 3×3 convolution: circular ones make a picture that can be laid side by side with itself.
    pub fn predict_padded(
        &self,
        latents: &Tensor,
        timesteps: &[f64],
        context: &Tensor,
        padding: Padding,
    ) -> Result<Tensor, InferenceError> {
        let n = latents.dim(0)?;
        if timesteps.len() != n || context.dim(0)? != n {
            let message = format!("{n} latents, {} timesteps and {} prompts", timesteps.len(), context.dim(0)?);
            return Err(candle_core::Error::Msg(message).into());
        }
        Ok(self.unet.forward(&latents.to_dtype(self.dtype)?, timesteps, &context.to_dtype(self.dtype)?, padding)?)
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

    /// The folder that it was loaded from.
    pub fn folder(&self) -> &HfFolder {
        &self.folder
    }

    /// The shapes of its networks.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        self.config.vae.latent_channels
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

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}
