//! What a task is drawn with.

use std::{rc::Rc, sync::Arc};

use super::Source;
use crate::{
    adapter::{Adapter, AdapterSet, AdapterWeights},
    batcher::Parts,
    error::InferenceError,
    part::{PartId, Slot},
    task::{AdapterUse, Note, Task},
    text::mentions,
    trajectory::Facts,
};

const ABSENT: InferenceError = InferenceError::Internal { what: "a task has begun without an adapter" };

/// Where a task's parts are, and what is to be known about its model.
pub(crate) struct Ready {
    pub(crate) parts: Rc<Parts>,
    pub(crate) facts: Rc<Facts>,
    pub(super) source: Arc<Source>,
    /// The places of its adapters, what they are called, and how much of each.
    pub(super) adapters: Vec<(Rc<Slot<Adapter>>, AdapterUse)>,
    /// The place of the layers that these need of their own, if they need any.
    pub(super) set: Option<Rc<Slot<AdapterSet>>>,
}

impl Ready {
    /// Its adapters as they change its rows, which is in memory from the beginning of a task to its end.
    pub(crate) fn set(&self) -> Result<AdapterSet, InferenceError> {
        match &self.set {
            Some(slot) => slot.get().map(|set| AdapterSet::clone(&set)).ok_or(ABSENT),
            // What is of low rank is taken as it is.
            None => AdapterSet::new(self.adapters()?),
        }
    }

    pub(crate) fn adapters(&self) -> Result<Vec<(Arc<Adapter>, AdapterWeights)>, InferenceError> {
        let held = self.adapters.iter().map(|(slot, used)| Some((slot.get()?, used.weights())));
        held.collect::<Option<_>>().ok_or(ABSENT)
    }

    /// Whether the place of a part is one of its model's.
    pub(super) fn has(&self, id: PartId) -> bool {
        let Parts { text, denoiser, vae, upscaler, .. } = &*self.parts;
        [text.id(), denoiser.id(), vae.id()].contains(&id)
            || upscaler.as_ref().is_some_and(|slot| slot.id() == id)
            || self.facts.decoder.as_ref().is_some_and(|slot| slot.id() == id)
            || self.adapters.iter().any(|(slot, _)| slot.id() == id)
            || self.set.as_ref().is_some_and(|slot| slot.id() == id)
    }

    /// What the person who asked should know.
    pub(super) fn notes(&self, task: &Task) -> Vec<Note> {
        let Some(base) = task.base() else { return Vec::new() };
        let prompts = [base.prompt.as_str(), base.negative_prompt.as_deref().unwrap_or_default()];
        let words = self.source.unlearned().into_iter().filter(|word| prompts.iter().any(|prompt| mentions(prompt, word)));
        let adapters = self.adapters.iter().filter_map(|(slot, used)| slot.get()?.report().note(&used.name));
        adapters.chain(words.map(|word| Note::WordNotLearned { word })).collect()
    }
}
