//! From what went wrong to what is recorded: names that people say in place of files, and nothing of a panic's text. The log has the rest.

use std::{path::Path, sync::Arc};

use inference::{
    adapter::AdapterError,
    catalogue::{AdapterCard, Catalogue},
    error::{InferenceError, InvalidTask},
    task::Task,
    text,
};
use storage::{Failure, StorageError};

use crate::{messages::UserError, prompt::PromptError};

/// What the engine's error means for the person who asked.
pub fn of_engine(error: &InferenceError, task: &Task, catalogue: &Catalogue) -> Failure {
    if error.is_out_of_memory() {
        return Failure::OutOfMemory;
    }
    match error {
        InferenceError::Missing { path } => of_file(path, task, catalogue, true),
        InferenceError::Unreadable { path, .. }
        | InferenceError::WrongShape { path, .. }
        | InferenceError::MissingTensor { path, .. }
        | InferenceError::Unsupported { path, .. } => of_file(path, task, catalogue, false),
        InferenceError::Adapter(error) => of_adapter(error, task, catalogue),
        InferenceError::InvalidTask(invalid) => of_invalid(invalid),
        InferenceError::InvalidPrompt(prompt) => of_invalid(&InvalidTask::Prompt(prompt.clone())),
        InferenceError::NotANumber { index, step } => Failure::NotANumber { picture: *index, step: *step },
        InferenceError::Busy => Failure::Busy,
        InferenceError::Shared(error) => of_engine(error, task, catalogue),
        InferenceError::NoModels
        | InferenceError::NoDevices
        | InferenceError::Device { .. }
        | InferenceError::DeviceEnded { .. }
        | InferenceError::Compute(_)
        | InferenceError::Panicked { .. }
        | InferenceError::State(_)
        | InferenceError::Cancelled
        | InferenceError::Internal { .. }
        | InferenceError::Stopped => Failure::Internal,
    }
}

/// Whether a task failed because there is no engine any more, so that no other could be drawn. Whatever else should not be, such as a device
/// that is gone while others work, is the end of one job.
pub fn is_of_no_engine(error: &InferenceError, is_engine_alive: bool) -> bool {
    match error {
        InferenceError::Shared(error) => is_of_no_engine(error, is_engine_alive),
        error => matches!(error, InferenceError::Stopped) && !is_engine_alive,
    }
}

/// What it means that a stored task is refused now.
pub fn of_refusal(refusal: &UserError) -> Failure {
    match refusal {
        UserError::Task(invalid) | UserError::ModelCannot { why: invalid, .. } => of_invalid(invalid),
        UserError::Prompt(PromptError::UnknownLora { shown, .. } | PromptError::LoraGone { shown }) => {
            Failure::AdapterGone { name: shown.clone() }
        }
        UserError::Prompt(PromptError::LoraWeight { shown }) => {
            of_invalid(&InvalidTask::Prompt(text::PromptError::AdapterWeight { tag: shown.clone() }))
        }
        UserError::DiskFull => Failure::DiskFull,
        _ => Failure::Internal,
    }
}

/// What a fault of our own means.
pub fn of_ours(error: &anyhow::Error) -> Failure {
    let is_disk_full = error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(StorageError::DiskFull))
            || cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::StorageFull)
    });
    if is_disk_full { Failure::DiskFull } else { Failure::Internal }
}

fn of_invalid(invalid: &InvalidTask) -> Failure {
    match invalid {
        InvalidTask::UnknownModel { found: name, .. } | InvalidTask::ModelGone { name } => Failure::ModelGone { name: name.clone() },
        InvalidTask::ModelFaulty { name } => Failure::ModelUnfit { name: name.clone() },
        InvalidTask::UnknownAdapter { found: name, .. } | InvalidTask::AdapterGone { name } => Failure::AdapterGone { name: name.clone() },
        other => serde_json::to_value(other).map_or(Failure::Internal, |refusal| Failure::Invalid { refusal }),
    }
}

fn of_adapter(error: &AdapterError, task: &Task, catalogue: &Catalogue) -> Failure {
    let Some(name) = used_adapter(error.path(), task, catalogue) else { return Failure::Internal };
    match error {
        AdapterError::Missing { .. } => Failure::AdapterGone { name },
        _ => Failure::AdapterUnfit { name, made_for: error.made_for().map(|family| family.to_string()) },
    }
}

/// A file that cannot be used, by the name of what it belongs to: an adapter, a learned word, else the task's model.
fn of_file(path: &Path, task: &Task, catalogue: &Catalogue, is_missing: bool) -> Failure {
    if let Some(name) = used_adapter(path, task, catalogue) {
        return if is_missing { Failure::AdapterGone { name } } else { Failure::AdapterUnfit { name, made_for: None } };
    }
    if let Some(word) = catalogue.embeddings().iter().find(|word| word.path == path) {
        return Failure::WordUnfit { name: word.name.clone() };
    }
    let named = task.base().and_then(|base| base.model.clone());
    match named.or_else(|| Some(catalogue.model(None)?.name.clone())) {
        Some(name) if is_missing => Failure::ModelGone { name },
        Some(name) => Failure::ModelUnfit { name },
        None => Failure::Internal,
    }
}

/// The name that the task says for an adapter's file. The file may have gone from the catalogue since: then the only one that the task names is meant.
fn used_adapter(path: &Path, task: &Task, catalogue: &Catalogue) -> Option<String> {
    let used = task.base().map(|base| base.all_adapters()).unwrap_or_default();
    let of_path = |card: &&Arc<AdapterCard>| card.path == path;
    let is_used = |card: &&Arc<AdapterCard>| used.iter().any(|used| used.name == card.name);
    let adapters = || catalogue.adapters().iter().filter(of_path);
    if let Some(card) = adapters().find(is_used).or_else(|| adapters().next()) {
        return Some(card.name.clone());
    }
    let mut unknown = used.into_iter().map(|used| used.name).filter(|name| catalogue.adapter(name).is_none());
    unknown.next().filter(|name| path.file_stem().is_some_and(|stem| stem.to_string_lossy() == *name))
}

#[cfg(test)]
mod tests;
