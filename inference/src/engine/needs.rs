//! What a task needs in memory, from cards alone.

use std::sync::Arc;

use crate::{
    catalogue::{Catalogue, ModelCard, PartKind, UpscalerCard},
    error::{InferenceError, InvalidTask},
    task::{Enlarger, Task},
};

/// Bytes of a number of the super-resolution network.
const BYTES_PER_NUMBER: u64 = 4;

/// What a task needs, in the order in which it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A part of its model.
    Part(PartKind),
    /// The tiny decoder of previews.
    Preview,
    /// The super-resolution network.
    Upscaler,
    /// One of its adapters, by its place among all of them.
    Adapter(usize),
    /// The layers that its adapters need of their own.
    Set,
}

impl Need {
    /// Whether it is needed from the task's beginning to its end.
    fn is_fixed(self) -> bool {
        matches!(self, Self::Adapter(_) | Self::Set)
    }
}

/// The model that a task is drawn with; what is only enlarged takes the first one's facts.
pub(super) fn card<'a>(task: &Task, catalogue: &'a Catalogue) -> Result<&'a Arc<ModelCard>, InferenceError> {
    let found = match task.base() {
        Some(base) => catalogue.model(base.model.as_deref()),
        None => catalogue.models().first(),
    };
    found.ok_or(InferenceError::Internal { what: "a task of a model that is in no catalogue" })
}

/// Bytes of a super-resolution network.
pub(super) fn upscaler_bytes(card: &UpscalerCard) -> u64 {
    card.n_parameters * BYTES_PER_NUMBER
}

/// What a task needs, each with its bytes, where models may take so much memory.
pub(super) fn needs(task: &Task, catalogue: &Catalogue, budget: u64) -> Result<Vec<(Need, u64)>, InferenceError> {
    let card = card(task, catalogue)?;
    let upscaler = catalogue.upscaler().map(|card| (Need::Upscaler, upscaler_bytes(card)));
    let Some(base) = task.base() else { return Ok(upscaler.into_iter().collect()) };
    let is_between = base.hires.is_some_and(|hires| hires.enlarger == Enlarger::Network);
    let parts = card.parts.iter().map(|part| (Need::Part(part.kind), part.n_bytes));
    // Previews are shown without it too, so no model has to come and go for it.
    let preview = card.preview.as_ref().map(|preview| preview.n_bytes).filter(|n_bytes| card.n_bytes().saturating_add(*n_bytes) <= budget);
    let preview = preview.map(|n_bytes| (Need::Preview, n_bytes));
    let mut needs: Vec<_> = parts.chain(preview).chain(upscaler.filter(|_| is_between)).collect();
    let bytes_per_number = card.bytes_per_number();
    let mut n_own: u64 = 0;
    for (place, used) in base.all_adapters().iter().enumerate() {
        let adapter = catalogue.adapter(&used.name).ok_or_else(|| catalogue.unknown_adapter(&used.name))?;
        needs.push((Need::Adapter(place), adapter.n_live * bytes_per_number));
        n_own = n_own.saturating_add(adapter.n_own);
    }
    if n_own > 0 {
        needs.push((Need::Set, n_own.min(card.n_changeable()) * bytes_per_number));
    }
    Ok(needs)
}

/// Whether a task can be drawn with so much memory for models.
///
/// # Errors
/// `Memory`: what it needs at once, its adapters and the largest other part, is larger.
pub(super) fn check(task: &Task, catalogue: &Catalogue, budget: u64) -> Result<(), InferenceError> {
    let (fixed, parts): (Vec<_>, Vec<_>) = needs(task, catalogue, budget)?.into_iter().partition(|(need, _)| need.is_fixed());
    let largest = parts.into_iter().map(|(_, n_bytes)| n_bytes).max().unwrap_or(0);
    let needed = fixed.into_iter().fold(largest, |sum, (_, n_bytes)| sum.saturating_add(n_bytes));
    if needed <= budget {
        return Ok(());
    }
    Err(InvalidTask::Memory { needed_mib: needed.div_ceil(1 << 20), memory_mib: budget >> 20 }.into())
}
