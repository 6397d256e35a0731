//! The text encoder with its tokenizer.

use candle_core::{DType, Tensor};

use super::transformer::{MULTIPLE, padded};
use crate::{
    checkpoint::{Checkpoint, TokenizerSource},
    error::InferenceError,
    family::contract::{Loaded, Measured, PartFiles},
    text::{
        message,
        qwen3::{ChatTokenizer, Qwen3, Qwen3Config},
    },
};

/// Tokens of a templated prompt that the model sees; the end of longer ones is cut off, as diffusers does.
pub(super) const MAX_TOKENS: usize = 512;

/// Qwen3 without its last layer, whose input is what the transformer looks at.
pub(crate) struct Text {
    encoder: Qwen3,
    tokenizer: ChatTokenizer,
    n_parameters: u64,
    dtype: DType,
}

/// A prompt's hidden states, `[1, tokens, width]`.
pub(crate) struct Conditioning {
    pub(super) states: Tensor,
}

impl Text {
    /// Reads network and tokenizer.
    pub(super) fn load(files: PartFiles<'_>, config: &Qwen3Config) -> Result<Self, InferenceError> {
        let weights = files.checkpoint.weights("text_encoder", files.device, files.dtype)?;
        if let Checkpoint::Transformer(file) = files.checkpoint {
            file.folder("tokenizer")?;
        }
        let TokenizerSource::Folder(folder) = files.checkpoint.tokenizer("tokenizer") else {
            return Err(InferenceError::Missing { path: files.checkpoint.json_path("tokenizer/tokenizer.json") });
        };
        let tokenizer = ChatTokenizer::load(&folder, MAX_TOKENS)?;
        if tokenizer.largest_id() as usize >= config.vocab_size {
            let what = format!("a tokenizer with id {} for {} embeddings", tokenizer.largest_id(), config.vocab_size);
            return Err(InferenceError::Unsupported { path: weights.path().to_owned(), what });
        }
        // Of the hidden states the last but one is asked for: what comes out of the last layer but one.
        let encoder = Qwen3::load(&weights, config, config.n_layers - 1, files.device)?;
        Ok(Self { encoder, tokenizer, n_parameters: weights.n_parameters(), dtype: weights.dtype() })
    }

    /// Encodes one prompt as a user's message.
    pub(super) fn encode(&self, prompt: &str) -> Result<Conditioning, InferenceError> {
        Ok(Conditioning { states: self.encoder.encode(&self.ids(prompt)?)? })
    }

    /// How many times as long as the shortest one a prompt is for the transformer.
    pub(super) fn length(&self, prompt: &str) -> Result<usize, InferenceError> {
        Ok(padded(self.ids(prompt)?.len()) / MULTIPLE)
    }

    fn ids(&self, prompt: &str) -> Result<Vec<u32>, InferenceError> {
        self.tokenizer.ids(&message(prompt))
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

impl Measured for Conditioning {
    /// Tokens as the transformer fills them up: prompts of other lengths may be the same then.
    fn shape(&self) -> Vec<usize> {
        vec![padded(self.states.dims()[1])]
    }

    fn n_bytes(&self) -> usize {
        self.states.elem_count() * self.states.dtype().size_in_bytes()
    }
}
