//! The text encoders as a part of a model.

use candle_core::{DType, Tensor};

use super::ModelConfig;
use crate::{
    checkpoint::{TokenizerSource, Weights},
    error::InferenceError,
    family::contract::{Loaded, PartFiles},
    text::{EncoderFiles, Prompt, TextEncoders, TextOptions, clip::ClipConfig},
};

/// One CLIP or two, with their tokenizers.
pub struct Text {
    encoders: TextEncoders,
    n_parameters: u64,
    dtype: DType,
}

impl Text {
    pub(super) fn load(files: PartFiles<'_>, config: &ModelConfig) -> Result<Self, InferenceError> {
        let encoder = |name: &str, tokenizer: &str, config: &Option<ClipConfig>| -> Result<_, InferenceError> {
            let Some(config) = config.clone() else { return Ok(None) };
            Ok(Some((files.weights(name)?, files.checkpoint.tokenizer(tokenizer), config)))
        };
        let first = encoder("text_encoder", "tokenizer", &config.text_encoder)?;
        let second = encoder("text_encoder_2", "tokenizer_2", &config.text_encoder_2)?;
        let encoders = TextEncoders::load(encoder_files(&first), encoder_files(&second), TextOptions::default(), files.device)?;
        let n_parameters = [first, second].into_iter().flatten().map(|(weights, ..)| weights.n_parameters()).sum();
        Ok(Self { encoders, n_parameters, dtype: files.dtype })
    }

    /// Contexts `[n, 77, d]` of prompts of one chunk whose words all count alike. Each row is computed alone.
    pub(super) fn plain(&self, prompts: &[&str]) -> Result<Tensor, InferenceError> {
        let rows = prompts.iter().map(|prompt| Ok(self.encoders.encode(&Prompt::plain(prompt), 0, 1)?.context));
        Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, InferenceError>>()?, 0)?)
    }

    pub(super) fn encoders(&self) -> &TextEncoders {
        &self.encoders
    }

    pub(super) fn encoders_mut(&mut self) -> &mut TextEncoders {
        &mut self.encoders
    }
}

impl Loaded for Text {
    fn n_parameters(&self) -> u64 {
        self.n_parameters
    }

    fn dtype(&self) -> DType {
        self.dtype
    }
}

fn encoder_files(encoder: &Option<(Weights, TokenizerSource, ClipConfig)>) -> Option<EncoderFiles<'_>> {
    encoder.as_ref().map(|(weights, tokenizer, config)| EncoderFiles { weights, config, tokenizer })
}
