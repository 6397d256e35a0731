//! The text encoders of a model, one or two, and what they make of prompts.

use candle_core::{D, Device, Tensor};

use super::{
    chunks::{Chunk, chunks},
    emphasis::emphasise,
    learned_words::LearnedWords,
    prompt::{Prompt, PromptError},
    textual_inversion::{Embedding, Vectors},
    tokenize::Tokenizer,
};
use crate::{
    checkpoint::{TokenizerSource, Weights},
    error::InferenceError,
    model::{
        Conditioning,
        clip::{Clip, HiddenState, Tokens},
        config::ClipConfig,
    },
};

/// The most chunks that a prompt may need; 40 are 3,000 tokens.
const MAX_CHUNKS: usize = 40;

/// A model's text encoders: the first alone (Stable Diffusion 1 and 2), both (XL) or the second alone (XL's refiner).
pub struct TextEncoders {
    first: Option<Encoder>,
    second: Option<Encoder>,
    rule: Rule,
}

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

/// How the files are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// The first encoder alone has its last layer, but the model was trained without it: single files of Stable Diffusion 2 with 24 layers.
    /// Folders leave the layer out.
    pub has_unused_layer: bool,
}

/// Which hidden state is the context before any clip skip.
#[derive(Clone, Copy)]
struct Rule {
    n_skipped: usize,
    is_normed: bool,
}

struct Encoder {
    clip: Clip,
    tokenizer: Tokenizer,
    words: LearnedWords,
}

impl TextEncoders {
    /// Loads the encoders; the second one must have a projection.
    ///
    /// # Errors
    /// Whatever is wrong with the files, naming them.
    pub fn load(
        first: Option<EncoderFiles<'_>>,
        second: Option<EncoderFiles<'_>>,
        options: TextOptions,
        device: &Device,
    ) -> Result<Self, InferenceError> {
        let rule = match (&first, &second) {
            (_, Some(_)) => Rule { n_skipped: 1, is_normed: false },
            _ => Rule { n_skipped: usize::from(options.has_unused_layer), is_normed: true },
        };
        if let (Some(first), Some(second)) = (&first, &second)
            && first.config.n_positions != second.config.n_positions
        {
            let what = format!("{} positions where the first encoder has {}", second.config.n_positions, first.config.n_positions);
            return Err(InferenceError::Unsupported { path: second.weights.path().to_owned(), what });
        }
        let first = first.map(|files| Encoder::load(files, false, device)).transpose()?;
        let second = second.map(|files| Encoder::load(files, true, device)).transpose()?;
        Ok(Self { first, second, rule })
    }

    /// Makes a learned word known to all prompts that follow.
    ///
    /// # Errors
    /// `WrongShape` where its width is another than the encoders', `Unreadable` where it does not fit into a chunk.
    pub fn add_embedding(&mut self, embedding: &Embedding) -> Result<(), InferenceError> {
        let fitted = match (&self.first, &self.second, &embedding.vectors) {
            (Some(first), Some(second), Vectors::Both(l, g)) => {
                (Some(first.adopt(embedding, "clip_l", l)?), Some(second.adopt(embedding, "clip_g", g)?))
            }
            (Some(first), None, Vectors::Both(l, _)) => (Some(first.adopt(embedding, "clip_l", l)?), None),
            (Some(first), None, Vectors::Only(name, vectors)) => (Some(first.adopt(embedding, name, vectors)?), None),
            (None, Some(second), Vectors::Both(_, g)) => (None, Some(second.adopt(embedding, "clip_g", g)?)),
            (None, Some(second), Vectors::Only(name, vectors)) => (None, Some(second.adopt(embedding, name, vectors)?)),
            (Some(first), Some(second), Vectors::Only(_, vectors)) => {
                let (found, widths) = (vectors.dims()[1], (first.clip.width(), second.clip.width()));
                let reason = format!("it has vectors of {found} numbers, the model's two text encoders need {} and {}", widths.0, widths.1);
                return Err(InferenceError::Unreadable { path: embedding.path().to_owned(), reason });
            }
            (None, None, _) => (None, None),
        };
        for (encoder, vectors) in [(&mut self.first, fitted.0), (&mut self.second, fitted.1)] {
            let Some((encoder, vectors)) = encoder.as_mut().zip(vectors) else { continue };
            embedding.names().iter().for_each(|name| encoder.words.add(name, &vectors));
        }
        Ok(())
    }

    /// Chunks that a prompt needs. The shorter one of prompt and negative prompt is filled up to the longer one's.
    ///
    /// # Errors
    /// `InvalidPrompt` if they are too many.
    pub fn n_chunks(&self, prompt: &Prompt) -> Result<usize, InferenceError> {
        let counts = self.encoders().map(|encoder| Ok(encoder.chunks(prompt)?.len()));
        Ok(counts.collect::<Result<Vec<_>, InferenceError>>()?.into_iter().max().unwrap_or(1))
    }

    /// What a prompt means to the U-Net. Empty chunks fill it up to `n_chunks`; `clip_skip` layers more than the model's default are left out.
    ///
    /// diffusers' pipelines skip layers for the prompt alone and give 0 for the negative prompt.
    ///
    /// # Errors
    /// `InvalidPrompt` if it is too long or so many layers cannot be left out.
    pub fn encode(&self, prompt: &Prompt, clip_skip: u32, n_chunks: usize) -> Result<Conditioning, InferenceError> {
        let state = self.state(clip_skip)?;
        let n_chunks = n_chunks.max(self.n_chunks(prompt)?);
        let (mut contexts, mut pooled) = (Vec::new(), None);
        for encoder in self.encoders() {
            let (context, own) = encoder.encode(prompt, state, n_chunks)?;
            contexts.push(context);
            pooled = own.or(pooled);
        }
        Ok(Conditioning { context: Tensor::cat(&contexts, D::Minus1)?, pooled })
    }

    /// All zero: an absent negative prompt of models with `force_zeros_for_empty_prompt`.
    ///
    /// # Errors
    /// `Compute` if there is no memory for it.
    pub fn zeroed(&self, n_chunks: usize) -> Result<Conditioning, InferenceError> {
        let empty = self.encode(&Prompt::plain(""), 0, n_chunks)?;
        Ok(Conditioning { context: empty.context.zeros_like()?, pooled: empty.pooled.map(|pooled| pooled.zeros_like()).transpose()? })
    }

    /// Width of the context.
    pub fn context_width(&self) -> usize {
        self.encoders().map(|encoder| encoder.clip.width()).sum()
    }

    /// Width of the pooled embedding, if there is one.
    pub fn pooled_width(&self) -> Option<usize> {
        self.second.as_ref()?.clip.pooled_width()
    }

    /// The first encoder's tokenizer, or that of the only one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.encoders().next().map(|encoder| &encoder.tokenizer)
    }

    fn encoders(&self) -> impl Iterator<Item = &Encoder> {
        self.first.iter().chain(&self.second)
    }

    fn state(&self, clip_skip: u32) -> Result<HiddenState, PromptError> {
        let n_layers = self.encoders().map(|encoder| encoder.clip.n_layers()).min().unwrap_or(0);
        let max = n_layers.saturating_sub(self.rule.n_skipped);
        match usize::try_from(clip_skip) {
            Ok(skip) if skip <= max => Ok(HiddenState { n_skipped: self.rule.n_skipped + skip, is_normed: self.rule.is_normed }),
            _ => Err(PromptError::ClipSkip { found: clip_skip, max }),
        }
    }
}

impl Encoder {
    fn load(files: EncoderFiles<'_>, has_projection: bool, device: &Device) -> Result<Self, InferenceError> {
        let EncoderFiles { weights, config, tokenizer: source } = files;
        let tokenizer = Tokenizer::of(source, config.n_positions)?;
        if tokenizer.largest_id() as usize >= config.vocab_size {
            let what = format!("a tokenizer with id {} for {} embeddings", tokenizer.largest_id(), config.vocab_size);
            return Err(InferenceError::Unsupported { path: weights.path().to_owned(), what });
        }
        let clip = if has_projection { Clip::load_with_projection } else { Clip::load }(weights, config, device)?;
        Ok(Self { clip, tokenizer, words: LearnedWords::default() })
    }

    /// An embedding's vectors as the network's own.
    fn adopt(&self, embedding: &Embedding, tensor: &str, vectors: &Tensor) -> Result<Tensor, InferenceError> {
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

    fn chunks(&self, prompt: &Prompt) -> Result<Vec<Chunk>, InferenceError> {
        let chunks = chunks(&self.tokenizer, &self.words, prompt)?;
        if chunks.len() > MAX_CHUNKS {
            return Err(PromptError::TooLong { found: chunks.len(), chunk: self.tokenizer.n_kept(), max: MAX_CHUNKS }.into());
        }
        Ok(chunks)
    }

    /// Each chunk is encoded alone; the pooled embedding is the first one's and knows no weights.
    fn encode(&self, prompt: &Prompt, state: HiddenState, n_chunks: usize) -> Result<(Tensor, Option<Tensor>), InferenceError> {
        let mut filled = self.chunks(prompt)?;
        if filled.len() < n_chunks {
            filled.extend(chunks(&self.tokenizer, &self.words, &Prompt::plain(""))?);
        }
        let mut encoded = Vec::new();
        for Chunk { ids, weights, injected } in &filled {
            let chunk = self.clip.encode(Tokens { ids, injected }, state)?;
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
