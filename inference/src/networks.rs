//! The networks as the batcher sees them: rows in, rows out, all `f32`.

use std::{any::Any, rc::Rc};

use candle_core::{DType, Device, Tensor};

use crate::{
    error::{InferenceError, InvalidTask},
    family::stable_diffusion::{Model, Padding, PromptState},
    text,
    upscale::Upscaler,
};

/// A prompt to encode, once for all steps of a pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PromptRequest {
    /// The text; `None` is a conditioning of zeros.
    pub(crate) text: Option<String>,
    /// Layers of the text encoder left out beyond the model's own rule.
    pub(crate) clip_skip: u32,
    /// Chunks of 77 tokens; a shorter text is filled up with empty ones.
    pub(crate) n_chunks: usize,
    /// What the model is told about the picture's size (Stable Diffusion XL); empty for models that are told nothing.
    pub(crate) size_ids: Vec<f64>,
    /// The guidance scale, for models that take it as an input.
    pub(crate) guidance: Option<f64>,
}

/// What a prompt became; only the networks that made it can read it.
pub(crate) struct Prompt {
    /// Tokens that the U-Net looks at. Rows of one batch have the same number.
    pub(crate) n_tokens: usize,
    /// Chunks that these are.
    pub(crate) n_chunks: usize,
    /// The networks' own.
    pub(crate) state: Box<dyn Any>,
}

/// What can go through a network as one batch. A row's answer must not depend on the other rows.
pub(crate) trait Networks {
    /// Where the networks compute.
    fn device(&self) -> &Device;
    /// Chunks of 77 tokens that a prompt takes.
    fn n_chunks(&self, prompt: &str) -> Result<usize, InferenceError>;
    /// Encodes a prompt.
    fn prompt(&self, request: &PromptRequest) -> Result<Prompt, InferenceError>;
    /// The U-Net's raw output `[n, c, h, w]`, one training timestep and one prompt a row.
    fn predict(&self, rows: &Rows, timesteps: &[f64], prompts: &[Rc<Prompt>]) -> Result<Tensor, InferenceError>;
    /// Mean and standard deviation, both `[n, c, h, w]` and scaled, of pictures `[n, 3, H, W]` in -1..1.
    fn encode_image(&self, pixels: &Rows) -> Result<(Tensor, Tensor), InferenceError>;
    /// Pictures `[n, 3, H, W]` in -1..1 of scaled latents.
    fn decode(&self, latents: &Rows) -> Result<Tensor, InferenceError>;
    /// Pictures `[n, 3, H, W]` in 0..1, enlarged.
    fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError>;
}

/// Rows for a network of convolutions.
#[derive(Clone)]
pub(crate) struct Rows {
    /// `[n, c, h, w]`.
    pub(crate) tensor: Tensor,
    /// Whether edges continue on the opposite side.
    pub(crate) is_seamless: bool,
}

/// The networks of a loaded model.
pub(crate) struct Loaded {
    pub(crate) model: Model,
    pub(crate) upscaler: Option<Rc<Upscaler>>,
}

impl Rows {
    fn padding(&self) -> Padding {
        if self.is_seamless { Padding::Circular } else { Padding::Zeros }
    }
}

impl Networks for Loaded {
    fn device(&self) -> &Device {
        self.model.device()
    }

    fn n_chunks(&self, prompt: &str) -> Result<usize, InferenceError> {
        self.model.text().n_chunks(&text::Prompt::parse(prompt))
    }

    fn prompt(&self, request: &PromptRequest) -> Result<Prompt, InferenceError> {
        let encoders = self.model.text();
        let conditioning = match &request.text {
            Some(text) => encoders.encode(&text::Prompt::parse(text), request.clip_skip, request.n_chunks)?,
            None => encoders.zeroed(request.n_chunks)?,
        };
        let mut state = self.model.prepare(&conditioning, &request.size_ids)?;
        if let Some(guidance_scale) = request.guidance {
            state = self.model.with_guidance(state, guidance_scale)?;
        }
        Ok(Prompt { n_tokens: state.n_tokens(), n_chunks: request.n_chunks, state: Box::new(state) })
    }

    fn predict(&self, rows: &Rows, timesteps: &[f64], prompts: &[Rc<Prompt>]) -> Result<Tensor, InferenceError> {
        let states: Vec<&PromptState> = prompts.iter().filter_map(|prompt| prompt.state.downcast_ref()).collect();
        Ok(self.model.predict_padded(&rows.tensor, timesteps, &states, rows.padding())?.to_dtype(DType::F32)?)
    }

    fn encode_image(&self, pixels: &Rows) -> Result<(Tensor, Tensor), InferenceError> {
        let (mean, deviation) = self.model.encode_image_padded(&pixels.tensor, pixels.padding())?;
        let factor = self.model.scaling_factor();
        Ok(((mean * factor)?, (deviation * factor)?))
    }

    fn decode(&self, latents: &Rows) -> Result<Tensor, InferenceError> {
        self.model.decode_padded(&latents.tensor, latents.padding())
    }

    fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError> {
        let upscaler = self.upscaler.as_ref().ok_or(InvalidTask::NoUpscaler)?;
        Ok(upscaler.upscale(pixels)?.to_dtype(DType::F32)?)
    }
}
