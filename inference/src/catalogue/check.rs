//! Whether a task can be done, and what it will take.

use std::iter;

use serde::{Deserialize, Serialize};

use super::{
    Catalogue, Kind, ModelCard, PartKind,
    limits::{Chunks, Limits, MAX_ADAPTER_WEIGHT, MAX_ADAPTERS},
};
use crate::{
    adapter::AdapterWeights,
    error::InvalidTask,
    state::Place,
    task::{AdapterUse, ImageSize, Note, Task, TaskKind, TextToImage},
    text::{Cut, Prompt, PromptError, parts},
};

/// Tensors of a network's widest layer that live at once: input, padded input, output, residual, and one more.
const N_WIDEST: u64 = 5;
/// Bytes of a number in a layer's results; the plain operations hold some in float32 whatever the precision.
const BYTES_PER_RESULT: u64 = 4;
/// Most numbers of a VAE's widest layer: larger pictures go through in tiles.
const MAX_VAE_NUMBERS: u64 = 1 << 28;

/// What a task will take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// Row-megapixels: network rows × megapixels, and what encoding, decoding and enlarging cost in the same unit. The finished task's usage is the same.
    pub cost: f64,
    /// Bytes in memory: an estimate of the weights that it needs and of the results that live at once while one of its pictures is drawn.
    pub bytes: u64,
    /// Sizes of a picture after each of its passes; the last one is the finished picture's.
    pub sizes: Vec<ImageSize>,
}

impl Catalogue {
    /// Whether a task can be done, and what it will take. Reads tokenizers that were not read before, so the first check of a model may block.
    ///
    /// # Errors
    /// Which value is out of range, and what it may be; a model or an adapter that is not known, or not there any more.
    pub fn check(&self, task: &Task) -> Result<Quote, InvalidTask> {
        let base = task.base();
        self.check_values(task)?;
        let model = self.find(task)?;
        let chunks = base.map(|base| self.chunks(model, base)).transpose()?;
        let adapters = base.map(TextToImage::all_adapters).unwrap_or_default();
        let limits = self.limits_of(task, model);
        let (cost, sizes) = (limits.cost(task, chunks.unwrap_or(Chunks::ONE)), limits.sizes(task));
        Ok(Quote { cost, bytes: self.bytes(&self.models[model], &adapters, &sizes, task), sizes })
    }

    /// The same of a task of which only these pictures are drawn, each from its beginning or from a place of its own, as it is told by
    /// [`TrajectoryState::place`](crate::state::TrajectoryState::place).
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_rest(&self, task: &Task, begins: &[Option<Place>]) -> Result<Quote, InvalidTask> {
        let quote = self.check(task)?;
        let model = self.find(task)?;
        let chunks = task.base().map(|base| self.chunks(model, base)).transpose()?;
        Ok(Quote { cost: self.limits_of(task, model).cost_from(task, chunks.unwrap_or(Chunks::ONE), begins), ..quote })
    }

    /// The same of everything but the length of its prompts, for which tokenizers are needed.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_values(&self, task: &Task) -> Result<(), InvalidTask> {
        let model = self.find(task)?;
        if let Some(base) = task.base() {
            for prompt in iter::once(&base.prompt).chain(&base.readings) {
                Prompt::parse(prompt).check()?;
            }
            if base.has_parts {
                parts(&base.prompt)?;
            }
            Prompt::parse(base.negative_prompt.as_deref().unwrap_or_default()).check()?;
            self.check_adapters(&self.models[model], &base.all_adapters())?;
        }
        self.limits_of(task, model).check(task)
    }

    /// What a task will cost in row-megapixels, whether it can be done or not. A task of an unknown model costs what it would with the first one.
    pub fn cost(&self, task: &Task) -> f64 {
        if self.models.is_empty() {
            return 0.0;
        }
        let model = self.position(task.base().and_then(|base| base.model.as_deref())).unwrap_or(0);
        let chunks = task.base().and_then(|base| self.chunks(model, base).ok());
        self.limits_of(task, model).cost(task, chunks.unwrap_or(Chunks::ONE))
    }

    /// Where a task's model is. What is only enlarged needs none of its own.
    fn find(&self, task: &Task) -> Result<usize, InvalidTask> {
        let Some(base) = task.base() else { return self.models.first().map(|_| 0).ok_or(InvalidTask::NoUpscaler) };
        let found = base.model.as_deref().unwrap_or(&self.usual);
        self.position(Some(found)).ok_or_else(|| self.unknown_model(found))
    }

    /// What to say of a model that is not there.
    fn unknown_model(&self, found: &str) -> InvalidTask {
        let name = found.to_owned();
        if self.faults.iter().any(|fault| fault.kind == Some(Kind::Model) && fault.name == name) {
            return InvalidTask::ModelFaulty { name };
        }
        if self.is_gone(Kind::Model, found) {
            return InvalidTask::ModelGone { name };
        }
        let known = self.models.iter().map(|card| card.name.as_str()).collect::<Vec<_>>().join(", ");
        InvalidTask::UnknownModel { found: name, known }
    }

    fn check_adapters(&self, model: &ModelCard, adapters: &[AdapterUse]) -> Result<(), InvalidTask> {
        if adapters.len() > MAX_ADAPTERS {
            return Err(InvalidTask::Adapters { found: adapters.len(), max: MAX_ADAPTERS });
        }
        for used in adapters {
            let Some(card) = self.adapter(&used.name) else { return Err(self.unknown_adapter(&used.name)) };
            if let Some(made_for) = card.family.filter(|family| family.is_apart_from(model.family)) {
                return Err(InvalidTask::AdapterFamily { name: used.name.clone(), made_for, family: model.family });
            }
            let AdapterWeights { unet, text_encoder } = used.weights();
            let range = -MAX_ADAPTER_WEIGHT..=MAX_ADAPTER_WEIGHT;
            if let Some(weight) = [unet, text_encoder].into_iter().find(|weight| !range.contains(weight)) {
                return Err(InvalidTask::AdapterWeight { name: used.name.clone(), weight });
            }
        }
        Ok(())
    }

    /// What to say of an adapter that is not there.
    pub(crate) fn unknown_adapter(&self, found: &str) -> InvalidTask {
        if self.is_gone(Kind::Adapter, found) {
            return InvalidTask::AdapterGone { name: found.to_owned() };
        }
        let names = self.adapters.iter().map(|card| card.name.as_str()).collect::<Vec<_>>().join(", ");
        let known = if names.is_empty() { "none is configured".to_owned() } else { format!("there are {names}") };
        InvalidTask::UnknownAdapter { found: found.to_owned(), known }
    }

    /// Chunks of a task's prompts, as its trajectory will count them.
    fn chunks(&self, model: usize, base: &TextToImage) -> Result<Chunks, PromptError> {
        let (limits, lengths) = (&self.models[model].limits, &self.lengths()[model]);
        let negative = base.negative_prompt.as_deref().filter(|_| limits.is_guided(base)).unwrap_or_default();
        let texts = base.texts().into_iter().map(|text| lengths.length(text)).collect::<Result<Vec<_>, PromptError>>()?;
        Ok(Chunks::of(&texts, lengths.length(negative)?))
    }

    /// What can be said of a task that its model draws all the same: settings that it makes nothing of, prompts whose end it does not read. Reads tokenizers
    /// as [`check`](Self::check) does.
    pub fn notes(&self, task: &Task) -> Vec<Note> {
        let (Some(base), Ok(model)) = (task.base(), self.find(task)) else { return Vec::new() };
        let (limits, lengths) = (&self.models[model].limits, &self.lengths()[model]);
        let negative = base.negative_prompt.as_deref().filter(|_| limits.is_guided(base));
        let encoded: Vec<&str> = std::iter::once(base.prompt.as_str()).chain(negative).collect();
        let unread = limits.rules.unread.iter().filter(|setting| setting.is_asked(base, &encoded));
        let cut = encoded.iter().enumerate().filter_map(|(place, text)| {
            let Cut { n_tokens, n_read } = lengths.cut(text)?;
            Some(Note::PromptCut { n_tokens, n_read, is_negative: place > 0 })
        });
        unread.map(|setting| Note::SettingUnread { setting: *setting }).chain(cut).collect()
    }

    /// The guidance scale that would do nothing, of a task that is guided by its negative prompt; `None` of one that is not.
    pub fn unguided(&self, task: &Task) -> Option<f64> {
        let (base, model) = (task.base()?, self.find(task).ok()?);
        let limits = &self.models[model].limits;
        limits.rules.guidance.none().filter(|_| limits.is_guided(base))
    }

    /// Longest side in pixels of a picture that the super-resolution network takes.
    pub fn max_enlarged(&self) -> u32 {
        self.models.iter().map(|card| card.max_side).max().unwrap_or_default()
    }

    /// The super-resolution network is every model's: it takes what any of them draws.
    fn limits_of(&self, task: &Task, model: usize) -> Limits {
        let largest = self.models.iter().max_by_key(|card| card.max_side);
        let card = largest.filter(|_| matches!(task.kind, TaskKind::Upscale(_))).unwrap_or(&self.models[model]);
        card.limits(self.upscale_factor())
    }

    /// Bytes of the weights and of the results that live at once.
    fn bytes(&self, card: &ModelCard, adapters: &[AdapterUse], sizes: &[ImageSize], task: &Task) -> u64 {
        let largest = sizes.iter().map(|size| u64::from(size.width) * u64::from(size.height)).max().unwrap_or(0);
        let upscaler = self.upscaler.as_ref().map_or(0, |card| card.n_parameters * BYTES_PER_RESULT);
        let Some(base) = task.base() else { return upscaler + N_WIDEST * largest * BYTES_PER_RESULT };
        let bytes_per_number = card.bytes_per_number();
        let adapters =
            adapters.iter().filter_map(|used| self.adapter(&used.name)).map(|card| (card.n_live + card.n_own) * bytes_per_number);
        let rows = if card.limits.is_guided(base) { 2 } else { 1 };
        let latents = largest / u64::from(card.size_multiple).pow(2).max(1);
        let denoiser = rows * latents * card.widths.denoiser;
        let vae = (largest * card.widths.vae).min(MAX_VAE_NUMBERS);
        let uses_upscaler = base.hires.is_some_and(|hires| hires.enlarger == crate::task::Enlarger::Network);
        let preview = card.preview.as_ref().map_or(0, |preview| preview.n_bytes);
        let weights = card.n_bytes() + preview + adapters.sum::<u64>() + if uses_upscaler { upscaler } else { 0 };
        weights + N_WIDEST * denoiser.max(vae) * BYTES_PER_RESULT
    }
}

impl ModelCard {
    /// Bytes that a number of its denoiser takes, and one of an adapter of it.
    pub(crate) fn bytes_per_number(&self) -> u64 {
        let denoiser = self.parts.iter().find(|part| part.kind == PartKind::Denoiser);
        denoiser.map_or(4, |part| part.n_bytes.checked_div(part.n_parameters).unwrap_or(4))
    }

    /// What it can be asked for beside a super-resolution network of this enlargement.
    pub(crate) fn limits(&self, upscale_factor: Option<u32>) -> Limits {
        Limits { upscale_factor, ..self.limits.clone() }
    }
}
