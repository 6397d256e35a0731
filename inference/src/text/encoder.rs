//! One text encoder with its tokenizer and its learned words.

use candle_core::{Device, Tensor};

use super::{
    chunks::{Chunk, chunks},
    emphasis::emphasise,
    learned_words::LearnedWords,
    prompt::Prompt,
    refusal::PromptError,
    textual_inversion::Embedding,
    tokenize::Tokenizer,
};
use crate::{
    checkpoint::{TokenizerSource, Weights},
    error::InferenceError,
    ops::Changes,
    text::clip::{Clip, ClipConfig, HiddenState, Tokens},
};

/// The most chunks that a prompt may need; 40 are 3,000 tokens.
pub(super) const MAX_CHUNKS: usize = 40;

/// Where one encoder's parts are.
#[derive(Clone, Copy)]
pub struct EncoderFiles<'a> {
    /// The network's weights.
    pub weights: &'a Weights,
    /// The network's shape.
    pub config: &'a ClipConfig,
    /// The tokenizer.
    pub tokenizer: &'a TokenizerSource,
}

/// Reads a network with its projection or without.
type LoadClip = fn(&Weights, &ClipConfig, &Device) -> Result<Clip, InferenceError>;

/// One text encoder.
pub(super) struct Encoder {
    pub clip: Clip,
    pub tokenizer: Tokenizer,
    pub words: LearnedWords,
}

impl Encoder {
    /// Reads the parts, the network by `load`.
    pub(super) fn load(files: EncoderFiles<'_>, load: LoadClip, device: &Device) -> Result<Self, InferenceError> {
        let EncoderFiles { weights, config, tokenizer: source } = files;
        let tokenizer = Tokenizer::of(source, config.n_positions)?;
        if tokenizer.largest_id() as usize >= config.vocab_size {
            let what = format!("a tokenizer with id {} for {} embeddings", tokenizer.largest_id(), config.vocab_size);
            return Err(InferenceError::Unsupported { path: weights.path().to_owned(), what });
        }
        Ok(Self { clip: load(weights, config, device)?, tokenizer, words: LearnedWords::default() })
    }

    /// An embedding's vectors as the network's own.
    pub(super) fn adopt(&self, embedding: &Embedding, tensor: &str, vectors: &Tensor) -> Result<Tensor, InferenceError> {
        let path = || embedding.path().to_owned();
        let (n, width) = vectors.dims2()?;
        if width != self.clip.width() {
            let expected = vec![n, self.clip.width()];
            return Err(InferenceError::WrongShape { path: path(), tensor: tensor.to_owned(), found: vec![n, width], expected });
        }
        if n > self.tokenizer.n_kept() {
            let reason = format!("it has {n} vectors, at most {} fit into a prompt", self.tokenizer.n_kept());
            return Err(InferenceError::Unreadable { path: path(), reason });
        }
        Ok(self.clip.adopt(vectors)?)
    }

    /// A prompt's chunks.
    pub(super) fn chunks(&self, prompt: &Prompt) -> Result<Vec<Chunk>, InferenceError> {
        let chunks = chunks(&self.tokenizer, &self.words, prompt)?;
        if chunks.len() > MAX_CHUNKS {
            return Err(PromptError::TooLong { found: chunks.len(), chunk: self.tokenizer.n_kept(), max: MAX_CHUNKS }.into());
        }
        Ok(chunks)
    }

    /// Each chunk is encoded alone; the pooled embedding is the first one's and knows no weights.
    pub(super) fn encode(
        &self,
        prompt: &Prompt,
        state: HiddenState,
        n_chunks: usize,
        changes: &Changes,
    ) -> Result<(Tensor, Option<Tensor>), InferenceError> {
        let mut filled = self.chunks(prompt)?;
        if filled.len() < n_chunks {
            filled.extend(chunks(&self.tokenizer, &self.words, &Prompt::plain(""))?);
        }
        let mut encoded = Vec::new();
        for Chunk { ids, weights, injected } in &filled {
            let chunk = self.clip.encode(Tokens { ids, injected }, state, changes)?;
            encoded.push((emphasise(&chunk.hidden, weights)?, chunk.pooled));
        }
        let pooled = encoded.first().and_then(|(_, pooled)| pooled.clone());
        // All further chunks are the same empty one.
        let mut hidden: Vec<Tensor> = encoded.into_iter().map(|(hidden, _)| hidden).collect();
        if let Some(last) = hidden.last().cloned() {
            hidden.resize(n_chunks.max(hidden.len()), last);
        }
        Ok((Tensor::cat(&hidden, 1)?, pooled))
    }
}
