//! How many chunks a prompt takes, told before its model is in memory.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

use super::{
    chunks::chunks,
    encoder::MAX_CHUNKS,
    learned_words::LearnedWords,
    prompt::Prompt,
    refusal::PromptError,
    textual_inversion::{Embedding, Vectors},
    tokenize::Tokenizer,
};
use crate::checkpoint::TokenizerSource;

/// What is known of one text encoder before it is loaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EncoderShape {
    pub(crate) tokenizer: TokenizerSource,
    pub(crate) n_positions: usize,
    pub(crate) width: usize,
}

/// How a family measures prompts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PromptMeasure {
    /// In chunks that CLIP reads, of the longest of a first and a second encoder.
    Chunks([Option<EncoderShape>; 2]),
    /// Not at all: what is too long is cut off.
    One,
}

impl PromptMeasure {
    /// Widths of the vectors of a learned word.
    pub(crate) fn widths(&self) -> [Option<usize>; 2] {
        match self {
            Self::Chunks(shapes) => shapes.each_ref().map(|shape| shape.as_ref().map(|shape| shape.width)),
            Self::One => [None, None],
        }
    }
}

/// Counts as the encoders of a model do when it is loaded. Tokenizers and learned words are read once, at the latest at the first count.
pub(crate) struct PromptLengths {
    measure: PromptMeasure,
    /// The words and their files.
    words: Arc<Vec<(String, PathBuf)>>,
    counters: OnceLock<Vec<(Tokenizer, LearnedWords)>>,
}

impl PromptLengths {
    pub(crate) fn new(measure: PromptMeasure, words: Arc<Vec<(String, PathBuf)>>) -> Self {
        Self { measure, words, counters: OnceLock::new() }
    }

    /// Reads the files now instead of at the first count.
    pub(crate) fn prepare(&self) {
        self.counters.get_or_init(|| self.read());
    }

    /// Chunks that a prompt takes; 1 where the files cannot be read, which whoever loads the model will tell.
    ///
    /// # Errors
    /// They are too many.
    pub(crate) fn n_chunks(&self, prompt: &Prompt) -> Result<usize, PromptError> {
        let mut most = 1;
        for (tokenizer, words) in self.counters.get_or_init(|| self.read()) {
            let found = chunks(tokenizer, words, prompt).map_or(1, |chunks| chunks.len());
            if found > MAX_CHUNKS {
                return Err(PromptError::TooLong { found, chunk: tokenizer.n_kept(), max: MAX_CHUNKS });
            }
            most = most.max(found);
        }
        Ok(most)
    }

    fn read(&self) -> Vec<(Tokenizer, LearnedWords)> {
        let read = |(_, path): &(String, PathBuf)| Embedding::load(path).ok();
        let embeddings: Vec<_> = self.words.iter().map(|word| (word.0.trim(), read(word))).collect();
        let PromptMeasure::Chunks(shapes) = &self.measure else { return Vec::new() };
        let widths = self.measure.widths();
        let counter = |(i, shape): (usize, &Option<EncoderShape>)| {
            let shape = shape.as_ref()?;
            let tokenizer = Tokenizer::of(&shape.tokenizer, shape.n_positions).ok()?;
            let mut words = LearnedWords::default();
            for (name, embedding) in &embeddings {
                let vectors = embedding.as_ref().and_then(|embedding| fitting(&embedding.vectors, widths, i));
                if let Some(vectors) = vectors.filter(|vectors| vectors.dims()[0] <= tokenizer.n_kept()) {
                    words.add(name, vectors);
                }
            }
            Some((tokenizer, words))
        };
        shapes.iter().enumerate().filter_map(counter).collect()
    }
}

/// The vectors that one of a model's encoders takes of a learned word, if its widths are the model's.
fn fitting(vectors: &Vectors, widths: [Option<usize>; 2], encoder: usize) -> Option<&candle_core::Tensor> {
    let pair = match (widths, vectors) {
        ([Some(_), Some(_)], Vectors::Both(l, g)) => [Some(l), Some(g)],
        ([Some(_), None], Vectors::Both(only, _) | Vectors::Only(_, only)) => [Some(only), None],
        ([None, Some(_)], Vectors::Both(_, only) | Vectors::Only(_, only)) => [None, Some(only)],
        _ => [None, None],
    };
    let is_fitting = pair.iter().zip(widths).all(|(vectors, width)| vectors.map(|vectors| vectors.dims()[1]) == width);
    pair[encoder].filter(|_| is_fitting)
}
