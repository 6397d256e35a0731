//! How long a prompt is, told before its model is in memory.

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
    qwen3::{ChatTokenizer, templated},
    refusal::PromptError,
    tags,
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
    /// In stretches of tokens of a chat model's message; what is too long is cut off.
    Chat(ChatShape),
}

/// What is known of a chat model before it is loaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChatShape {
    pub(crate) tokenizer: TokenizerSource,
    /// Tokens of a message that are read.
    pub(crate) max_tokens: usize,
    /// Tokens of a stretch.
    pub(crate) unit: usize,
}

/// A message of which the end is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) n_tokens: usize,
    pub(crate) n_read: usize,
}

/// What a chat model is given of a prompt: the words, without the adapters that it names.
pub(crate) fn message(prompt: &str) -> String {
    templated(&tags::take_out(prompt).0)
}

impl PromptMeasure {
    /// Widths of the vectors of a learned word.
    pub(crate) fn widths(&self) -> [Option<usize>; 2] {
        match self {
            Self::Chunks(shapes) => shapes.each_ref().map(|shape| shape.as_ref().map(|shape| shape.width)),
            Self::Chat(_) => [None, None],
        }
    }
}

/// Counts as the encoders of a model do when it is loaded. Tokenizers and learned words are read once, at the latest at the first count.
pub(crate) struct PromptLengths {
    measure: PromptMeasure,
    /// The words and their files.
    words: Arc<Vec<(String, PathBuf)>>,
    counters: OnceLock<Counters>,
}

enum Counters {
    Chunks(Vec<(Tokenizer, LearnedWords)>),
    /// `None` where the tokenizer cannot be read.
    Chat(ChatShape, Option<Box<ChatTokenizer>>),
}

impl PromptLengths {
    pub(crate) fn new(measure: PromptMeasure, words: Arc<Vec<(String, PathBuf)>>) -> Self {
        Self { measure, words, counters: OnceLock::new() }
    }

    /// Reads the files now instead of at the first count.
    pub(crate) fn prepare(&self) {
        self.counters();
    }

    fn counters(&self) -> &Counters {
        self.counters.get_or_init(|| self.read())
    }

    /// How long a prompt is, in the family's own unit; 1 where the files cannot be read, which whoever loads the model will tell.
    ///
    /// # Errors
    /// It is too long.
    pub(crate) fn length(&self, prompt: &str) -> Result<usize, PromptError> {
        match self.counters() {
            Counters::Chunks(counters) => n_chunks(counters, &Prompt::parse(prompt)),
            Counters::Chat(shape, tokenizer) => {
                let n_tokens = tokenizer.as_ref().and_then(|tokenizer| tokenizer.n_tokens(&message(prompt)).ok()).unwrap_or(1);
                Ok(n_tokens.min(shape.max_tokens).div_ceil(shape.unit).max(1))
            }
        }
    }

    /// What is left out of a prompt, of one that is longer than its model reads.
    pub(crate) fn cut(&self, prompt: &str) -> Option<Cut> {
        let Counters::Chat(ChatShape { max_tokens, .. }, Some(tokenizer)) = self.counters() else { return None };
        let n_tokens = tokenizer.n_tokens(&message(prompt)).ok().filter(|n_tokens| n_tokens > max_tokens)?;
        Some(Cut { n_tokens, n_read: *max_tokens })
    }

    fn read(&self) -> Counters {
        let shapes = match &self.measure {
            PromptMeasure::Chunks(shapes) => shapes,
            PromptMeasure::Chat(shape) => {
                let folder = if let TokenizerSource::Folder(folder) = &shape.tokenizer { Some(folder) } else { None };
                let tokenizer = folder.and_then(|folder| ChatTokenizer::load(folder, shape.max_tokens).ok());
                return Counters::Chat(shape.clone(), tokenizer.map(Box::new));
            }
        };
        let read = |(_, path): &(String, PathBuf)| Embedding::load(path).ok();
        let embeddings: Vec<_> = self.words.iter().map(|word| (word.0.trim(), read(word))).collect();
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
        Counters::Chunks(shapes.iter().enumerate().filter_map(counter).collect())
    }
}

/// Chunks that a prompt takes of the longest encoder.
fn n_chunks(counters: &[(Tokenizer, LearnedWords)], prompt: &Prompt) -> Result<usize, PromptError> {
    let mut most = 1;
    for (tokenizer, words) in counters {
        let found = chunks(tokenizer, words, prompt).map_or(1, |chunks| chunks.len());
        if found > MAX_CHUNKS {
            return Err(PromptError::TooLong { found, chunk: tokenizer.n_kept(), max: MAX_CHUNKS });
        }
        most = most.max(found);
    }
    Ok(most)
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
