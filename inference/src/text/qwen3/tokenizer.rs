use std::path::Path;

use crate::{checkpoint::regular, error::InferenceError};

/// What a chat model is given for one user's message: the template of Qwen3 with `add_generation_prompt` and `enable_thinking`.
pub fn templated(message: &str) -> String {
    format!("<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n")
}

/// Turns text into token ids as its own file says: Qwen's splits words, composes letters and knows special tokens, also where people type them.
pub struct ChatTokenizer {
    tokenizer: tokenizers::Tokenizer,
    max_tokens: usize,
}

impl ChatTokenizer {
    /// Reads `tokenizer.json` in a folder; texts are cut after `max_tokens`.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`, naming the file.
    pub fn load(folder: &Path, max_tokens: usize) -> Result<Self, InferenceError> {
        let path = folder.join("tokenizer.json");
        let bytes = regular::read(&path, regular::MAX_VOCABULARY_BYTES)?;
        let failed = |source: tokenizers::Error| InferenceError::Unreadable { path: path.clone(), reason: source.to_string() };
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes).map_err(failed)?;
        // Cutting is done here, and nothing is filled up, so that no file's settings matter.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(failed)?;
        Ok(Self { tokenizer, max_tokens })
    }

    /// The ids of a text, at most `max_tokens`: the end is cut off.
    ///
    /// # Errors
    /// `Unreadable`: the text cannot be split as the tokenizer's file says.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, InferenceError> {
        let mut ids = self.encode(text)?.get_ids().to_vec();
        ids.truncate(self.max_tokens);
        Ok(ids)
    }

    /// How many tokens a text has, those that are cut off too.
    ///
    /// # Errors
    /// As [`ids`](Self::ids).
    pub fn n_tokens(&self, text: &str) -> Result<usize, InferenceError> {
        Ok(self.encode(text)?.len())
    }

    fn encode(&self, text: &str) -> Result<tokenizers::Encoding, InferenceError> {
        let failed = |source: tokenizers::Error| InferenceError::Unreadable { path: "tokenizer".into(), reason: source.to_string() };
        self.tokenizer.encode_fast(text, false).map_err(failed)
    }

    /// The largest id that the tokenizer can give.
    pub fn largest_id(&self) -> u32 {
        self.tokenizer.get_vocab(true).values().copied().max().unwrap_or(0)
    }
}
