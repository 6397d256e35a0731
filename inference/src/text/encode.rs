//! The text encoders of a model, one or two, and what they make of prompts.

use candle_core::{D, Device, Tensor};

use super::{
    clip::{Clip, HiddenState},
    encoder::{Encoder, EncoderFiles},
    prompt::Prompt,
    refusal::PromptError,
    textual_inversion::{Embedding, Vectors},
    tokenize::Tokenizer,
    words::{WordPlace, word_places},
};
use crate::{adapter::AdapterSet, checkpoint::Part, error::InferenceError};

/// A prompt as text encoders give it to a U-Net.
#[derive(Clone, Debug)]
pub struct Conditioning {
    /// Its embedding `[1, tokens, context_width]`.
    pub context: Tensor,
    /// Its embedding as a whole `[1, p]`, which Stable Diffusion XL takes in.
    pub pooled: Option<Tensor>,
}

impl Conditioning {
    fn zeroed(&self) -> candle_core::Result<Self> {
        let pooled = self.pooled.as_ref().map(Tensor::zeros_like).transpose()?;
        Ok(Self { context: self.context.zeros_like()?, pooled })
    }
}

/// A model's text encoders: the first alone (Stable Diffusion 1 and 2), both (XL) or the second alone (XL's refiner).
pub struct TextEncoders {
    first: Option<Encoder>,
    second: Option<Encoder>,
    rule: Rule,
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
        let first = first.map(|files| Encoder::load(files, Clip::load, device)).transpose()?;
        let second = second.map(|files| Encoder::load(files, Clip::load_with_projection, device)).transpose()?;
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
    /// # Errors
    /// `InvalidPrompt` if it is too long or so many layers cannot be left out.
    pub fn encode(&self, prompt: &Prompt, clip_skip: u32, n_chunks: usize) -> Result<Conditioning, InferenceError> {
        self.encode_with(prompt, clip_skip, n_chunks, &AdapterSet::default())
    }

    /// The same with layers that adapters change.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with(
        &self,
        prompt: &Prompt,
        clip_skip: u32,
        n_chunks: usize,
        adapters: &AdapterSet,
    ) -> Result<Conditioning, InferenceError> {
        let state = self.state(clip_skip)?;
        let n_chunks = n_chunks.max(self.n_chunks(prompt)?);
        let (mut contexts, mut pooled) = (Vec::new(), None);
        let parts = [(&self.first, Part::TextEncoder), (&self.second, Part::TextEncoder2)];
        for (encoder, part) in parts.into_iter().filter_map(|(encoder, part)| Some((encoder.as_ref()?, part))) {
            let (context, own) = encoder.encode(prompt, state, n_chunks, adapters.changes(part))?;
            contexts.push(context);
            pooled = own.or(pooled);
        }
        Ok(Conditioning { context: Tensor::cat(&contexts, D::Minus1)?, pooled })
    }

    /// All zero, of `n_chunks` chunks.
    ///
    /// # Errors
    /// `Compute` if there is no memory for it.
    pub fn zeroed(&self, n_chunks: usize) -> Result<Conditioning, InferenceError> {
        Ok(self.encode(&Prompt::plain(""), 0, n_chunks)?.zeroed()?)
    }

    /// Width of the context.
    pub fn context_width(&self) -> usize {
        self.encoders().map(|encoder| encoder.clip.width()).sum()
    }

    /// Width of the pooled embedding, if there is one.
    pub fn pooled_width(&self) -> Option<usize> {
        self.second.as_ref()?.clip.pooled_width()
    }

    /// Where a prompt's words stand in its context.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn words(&self, prompt: &Prompt) -> Result<Vec<WordPlace>, InferenceError> {
        let places = self.encoders().next().map(|encoder| word_places(&encoder.tokenizer, &encoder.words, prompt));
        places.unwrap_or_else(|| Ok(Vec::new()))
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
