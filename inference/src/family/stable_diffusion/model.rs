//! A whole model, its parts in one hand.

use candle_core::{DType, Device, Tensor};

use super::{Conditioning, ModelConfig, PromptState, denoiser::Denoiser, family::StableDiffusion, text::Text};
use crate::{
    adapter::{AdapterSet, Base},
    checkpoint::{Checkpoint, Part, vae_weights},
    error::InferenceError,
    family::{
        contract::{Family, Loaded, PartFiles},
        files::{ModelSource, unread_warning, vae},
    },
    ops::{Batch, Changes, Padding},
    text::TextEncoders,
    vae::Vae,
};

/// A loaded model. Lives on the device thread.
pub struct Model {
    checkpoint: Checkpoint,
    config: ModelConfig,
    text: Text,
    denoiser: Denoiser,
    vae: Vae,
    device: Device,
}

impl Model {
    /// Loads a model; every shape comes from its `config.json` files, or from the tensors of a single file.
    ///
    /// # Errors
    /// `Missing`, `Unreadable`, `Unsupported`, `MissingTensor` or `WrongShape`, naming the file.
    pub fn load(source: impl Into<ModelSource>, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let ModelSource { path, vae: other, .. } = source.into();
        let checkpoint = Checkpoint::open(&path)?;
        let mut config = ModelConfig::read(&checkpoint)?;
        if let Some(path) = &other {
            config = config.with_vae(&vae_weights(path, &checkpoint, (device, dtype))?.0, path)?;
        }
        let vae = vae(&checkpoint, (&config.vae, other.as_deref()), (device, dtype))?;
        let files = PartFiles { checkpoint: &checkpoint, device, dtype };
        let (text, denoiser) = (Text::load(files, &config)?, Denoiser::load(files, &config)?);
        let model = Self { checkpoint, config, text, denoiser, vae, device: device.clone() };
        if let Some(warning) = unread_warning(&model.checkpoint, other.is_some())? {
            tracing::warn!("{warning}");
        }
        Ok(model)
    }

    /// What adapters may change of it.
    ///
    /// # Errors
    /// Its files cannot be read any more.
    pub fn base(&self) -> Result<Base, InferenceError> {
        StableDiffusion::base(&self.checkpoint, &self.config)
    }

    /// Contexts `[n, 77, d]` of prompts of one chunk whose words all count alike. Each row is computed alone.
    ///
    /// # Errors
    /// `InvalidPrompt` if one is too long.
    pub fn encode_text(&self, prompts: &[&str]) -> Result<Tensor, InferenceError> {
        self.text.plain(prompts)
    }

    /// Its text encoders.
    pub fn text(&self) -> &TextEncoders {
        self.text.encoders()
    }

    /// Its text encoders, to teach them words.
    pub fn text_mut(&mut self) -> &mut TextEncoders {
        self.text.encoders_mut()
    }

    /// Makes a prompt ready for [`predict`](Self::predict): what every step needs of it is computed once.
    ///
    /// `ids` are the sizes that Stable Diffusion XL takes in, as many as [`n_ids`](Self::n_ids); other models take none.
    pub fn prepare(&self, conditioning: &Conditioning, ids: &[f64]) -> Result<PromptState, InferenceError> {
        self.prepare_with(conditioning, ids, &AdapterSet::default())
    }

    /// The same for rows that adapters change.
    pub fn prepare_with(&self, conditioning: &Conditioning, ids: &[f64], adapters: &AdapterSet) -> Result<PromptState, InferenceError> {
        self.denoiser.prepare(conditioning, ids, adapters)
    }

    /// The same prompt for models that take the guidance scale in (latent consistency models); unchanged for others.
    pub fn with_guidance(&self, prompt: PromptState, guidance_scale: f64) -> Result<PromptState, InferenceError> {
        self.denoiser.with_guidance(prompt, guidance_scale, &AdapterSet::default())
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
        self.denoiser.predict(latents, timesteps, prompts.into(), padding.into())
    }

    /// The same with adapters for each row.
    pub fn predict_with(
        &self,
        latents: &Tensor,
        timesteps: &[f64],
        prompts: &[&PromptState],
        adapters: &[&AdapterSet],
    ) -> Result<Tensor, InferenceError> {
        let rows: Vec<&Changes> = adapters.iter().map(|adapters| adapters.changes(Part::Unet)).collect();
        self.denoiser.predict(latents, timesteps, prompts.into(), Batch::new(&rows).into())
    }

    /// Mean and standard deviation `[n, 4, h, w]` of the latents of pictures `[n, 3, H, W]` in -1..1, before scaling. Float32.
    pub fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        self.encode_image_padded(pixels, Padding::Zeros)
    }

    /// The same with these pixels beyond the edges.
    pub fn encode_image_padded(&self, pixels: &Tensor, padding: Padding) -> Result<(Tensor, Tensor), InferenceError> {
        self.vae.moments(pixels, None, padding)
    }

    /// The same in tiles of at most `side` latents, a multiple of 4, as a picture that is too large for the memory is encoded.
    pub fn encode_in_tiles(&self, pixels: &Tensor, side: usize, padding: Padding) -> Result<(Tensor, Tensor), InferenceError> {
        self.vae.moments(pixels, Some(side), padding)
    }

    /// Pictures `[n, 3, H, W]` in -1..1 (not clamped) of scaled latents `[n, 4, h, w]` (divides by the scaling factor). Float32.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        self.decode_padded(latents, Padding::Zeros)
    }

    /// The same with these pixels beyond the edges.
    pub fn decode_padded(&self, latents: &Tensor, padding: Padding) -> Result<Tensor, InferenceError> {
        self.vae.decode(latents, padding)
    }

    /// The same in tiles of at most `side` latents, a multiple of 4, as a picture that is too large for the memory is decoded.
    pub fn decode_in_tiles(&self, latents: &Tensor, side: usize, padding: Padding) -> Result<Tensor, InferenceError> {
        self.vae.decode_in(latents, Some(side), padding)
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
        self.text.n_parameters() + self.denoiser.n_parameters() + self.vae.n_parameters()
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Type of the text encoder's and the U-Net's weights and results.
    pub fn dtype(&self) -> DType {
        self.denoiser.dtype()
    }
}
