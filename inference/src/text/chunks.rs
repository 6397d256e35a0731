//! Long prompts: tokens in chunks that an encoder can read.

use candle_core::Tensor;

use super::{
    learned_words::{LearnedWords, Unit},
    prompt::{Piece, Prompt},
    tokenize::Tokenizer,
};
use crate::{error::InferenceError, text::clip::Injected};

/// What an encoder reads at once: start, 75 tokens, end and padding.
#[derive(Debug)]
pub struct Chunk {
    /// The ids, `n_positions` of them; learned words have the start's id.
    pub ids: Vec<u32>,
    /// The weight of each id.
    pub weights: Vec<f32>,
    /// The learned words' vectors.
    pub injected: Vec<Injected>,
}

/// A prompt's chunks, at least one. They are full to the last token (the web UI's `comma_padding_backtrack` 0), except before a `BREAK` and before
/// a learned word that would not fit whole; nothing after a last `BREAK` makes no chunk.
pub fn chunks(tokenizer: &Tokenizer, words: &LearnedWords, prompt: &Prompt) -> Result<Vec<Chunk>, InferenceError> {
    let mut open = Open::default();
    let mut chunks = Vec::new();
    for piece in prompt.pieces() {
        let Piece::Words { text, weight } = piece else {
            chunks.push(open.close(tokenizer));
            continue;
        };
        for unit in words.split(text) {
            match unit {
                Unit::Vectors(vectors) => {
                    let n = vectors.dim(0)?;
                    if open.tokens.len() + n > tokenizer.n_kept() {
                        chunks.push(open.close(tokenizer));
                    }
                    open.inject(vectors, n, (tokenizer.start(), *weight as f32));
                }
                Unit::Text(text) => {
                    for token in tokenizer.tokens(text)? {
                        if open.tokens.len() == tokenizer.n_kept() {
                            chunks.push(open.close(tokenizer));
                        }
                        open.tokens.push(token);
                        open.weights.push(*weight as f32);
                    }
                }
            }
        }
    }
    if !open.tokens.is_empty() || chunks.is_empty() {
        chunks.push(open.close(tokenizer));
    }
    Ok(chunks)
}

/// A chunk that is being filled.
#[derive(Default)]
struct Open {
    tokens: Vec<u32>,
    weights: Vec<f32>,
    injected: Vec<Injected>,
}

impl Open {
    fn inject(&mut self, vectors: &Tensor, n: usize, (token, weight): (u32, f32)) {
        // One more for the start.
        self.injected.push(Injected { at: self.tokens.len() + 1, vectors: vectors.clone() });
        self.tokens.extend(std::iter::repeat_n(token, n));
        self.weights.extend(std::iter::repeat_n(weight, n));
    }

    fn close(&mut self, tokenizer: &Tokenizer) -> Chunk {
        let Self { tokens, weights, injected } = std::mem::take(self);
        let ids = tokenizer.framed(&tokens);
        let mut weights = [vec![1.0], weights].concat();
        weights.resize(ids.len(), 1.0);
        Chunk { ids, weights, injected }
    }
}
