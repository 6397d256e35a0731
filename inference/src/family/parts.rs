//! The parts of a model of any family: text encoders and denoiser, each loaded alone, shared between threads and dropped alone.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{
    contract::{Loaded, PartFiles, PromptRequest, Row, Told},
    registry::{AnyConditioning, AnyConfig, AnyDenoiser, AnyPrepared, AnyText},
};
use crate::{
    error::InferenceError,
    part::PartId,
    text::{Embedding, WordPlace},
};

/// The text encoders of a model.
pub struct Text {
    encoders: AnyText,
}

/// What text encoders made of a prompt.
pub struct Conditioning(AnyConditioning);

/// The network of a model that tells noise from picture.
pub struct Denoiser {
    id: PartId,
    network: AnyDenoiser,
    device: Device,
}

/// What a denoiser needs of a prompt at every step. Only the denoiser that made it reads it.
pub struct Prepared {
    denoiser: PartId,
    shape: Vec<usize>,
    state: AnyPrepared,
}

impl Text {
    pub(super) fn load(files: PartFiles<'_>, config: &AnyConfig) -> Result<Self, InferenceError> {
        Ok(Self { encoders: AnyText::load(files, config)? })
    }

    #[cfg(test)]
    pub(crate) fn toy(encoders: super::toy::ToyText) -> Self {
        Self { encoders: AnyText::Toy(Box::new(encoders)) }
    }

    /// Makes a learned word known to all prompts that follow.
    ///
    /// # Errors
    /// The word is made for another model.
    pub fn learn(&mut self, word: &Embedding) -> Result<(), InferenceError> {
        self.encoders.learn(word)
    }

    /// How long a prompt is, in the family's own unit: chunks of 77 tokens for Stable Diffusion.
    ///
    /// # Errors
    /// It is too long.
    pub fn length(&self, prompt: &str) -> Result<usize, InferenceError> {
        self.encoders.length(prompt)
    }

    /// Where a prompt's words stand in what the denoiser looks at; none in families that do not tell.
    ///
    /// # Errors
    /// Its tokenizer fails.
    pub fn words(&self, prompt: &str) -> Result<Vec<WordPlace>, InferenceError> {
        self.encoders.words(prompt)
    }

    /// Encodes a prompt.
    ///
    /// # Errors
    /// It is too long, or computing failed.
    pub fn encode(&self, request: &PromptRequest) -> Result<Conditioning, InferenceError> {
        self.encoders.encode(request).map(Conditioning)
    }

    /// Numbers in all weights.
    pub fn n_parameters(&self) -> u64 {
        self.encoders.loaded().n_parameters()
    }

    /// Bytes of all weights.
    pub fn n_bytes(&self) -> u64 {
        n_bytes(self.encoders.loaded())
    }
}

impl Conditioning {
    /// Rows with the same shape may go through the denoiser together.
    pub fn shape(&self) -> Vec<usize> {
        self.0.measured().shape()
    }

    /// Bytes of its numbers.
    pub fn n_bytes(&self) -> usize {
        self.0.measured().n_bytes()
    }
}

impl Denoiser {
    pub(super) fn load(files: PartFiles<'_>, config: &AnyConfig) -> Result<Self, InferenceError> {
        Ok(Self { id: PartId::new(), network: AnyDenoiser::load(files, config)?, device: files.device.clone() })
    }

    #[cfg(test)]
    pub(crate) fn toy(network: super::toy::ToyDenoiser) -> Self {
        Self { id: PartId::new(), network: AnyDenoiser::Toy(Box::new(network)), device: Device::Cpu }
    }

    /// Computes what every step needs of a prompt.
    ///
    /// # Errors
    /// The prompt was encoded for another family, or computing failed.
    pub fn prepare(&self, conditioning: &Conditioning, told: &Told) -> Result<Prepared, InferenceError> {
        let state = self.network.prepare(&conditioning.0, told)?;
        Ok(Prepared { denoiser: self.id, shape: conditioning.shape(), state })
    }

    /// The raw output `[n, c, h, w]`, float32, of rows with equal shapes. On the processor in float32 a row's result is the same, bit for bit,
    /// whatever the other rows are.
    ///
    /// # Errors
    /// A prompt was made ready for another denoiser, or computing failed.
    pub(crate) fn predict(&self, rows: &[&Row<Arc<Prepared>>]) -> Result<Tensor, InferenceError> {
        if rows.iter().any(|row| row.prepared.denoiser != self.id) {
            return Err(InferenceError::Internal { what: "a prompt was made ready for another denoiser" });
        }
        let states: Vec<Row<&AnyPrepared>> = rows.iter().map(|row| row.with(&row.prepared.state)).collect();
        Ok(self.network.predict(&states)?.to_dtype(DType::F32)?)
    }

    /// Numbers in all weights.
    pub fn n_parameters(&self) -> u64 {
        self.network.loaded().n_parameters()
    }

    /// Bytes of all weights.
    pub fn n_bytes(&self) -> u64 {
        n_bytes(self.network.loaded())
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The same network with the identity of another one that was loaded from the same files: it reads what that one has prepared.
    pub(crate) fn with_identity(self, id: PartId) -> Self {
        Self { id, ..self }
    }
}

impl Prepared {
    /// The shape of the conditioning that it was made of: rows with the same one may go together.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

fn n_bytes(part: &dyn Loaded) -> u64 {
    part.n_parameters() * part.dtype().size_in_bytes() as u64
}
