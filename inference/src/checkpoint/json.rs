//! Reading the `config.json` files of models: their defaults are those of diffusers and transformers, and what the engine cannot do is refused.

use std::path::Path;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::error::InferenceError;

/// One value for all blocks or one for each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum PerBlock<T> {
    // First, because one value may be a list too.
    Each(Vec<T>),
    One(T),
}

impl<T: Clone> PerBlock<T> {
    /// The values of `n` blocks.
    pub(crate) fn for_blocks(&self, n: usize, path: &Path, key: &str) -> Result<Vec<T>, InferenceError> {
        match self {
            PerBlock::One(value) => Ok(vec![value.clone(); n]),
            PerBlock::Each(values) if values.len() == n => Ok(values.clone()),
            PerBlock::Each(values) => Err(unreadable(path, format!("`{key}` has {} values for {n} blocks", values.len()))),
        }
    }
}

pub(crate) fn parse<T: DeserializeOwned>(json: &Value, path: &Path) -> Result<T, InferenceError> {
    T::deserialize(json).map_err(|source| unreadable(path, source.to_string()))
}

pub(crate) fn unreadable(path: &Path, reason: String) -> InferenceError {
    InferenceError::Unreadable { path: path.to_owned(), reason }
}

pub(crate) fn unsupported(path: &Path, what: String) -> InferenceError {
    InferenceError::Unsupported { path: path.to_owned(), what }
}

/// Refuses keys that are there with another value than the ones that the engine can do.
pub(crate) fn allow_only(json: &Value, path: &Path, allowed: &[(&str, &[&str])]) -> Result<(), InferenceError> {
    for (key, values) in allowed {
        let Some(found) = json.get(key).map(Value::to_string) else { continue };
        if !values.contains(&found.as_str()) {
            return Err(unsupported(path, format!("`{key}` {found}")));
        }
    }
    Ok(())
}

/// Refuses numbers that would divide by zero or need more memory than any real model.
pub(crate) fn check_sizes(path: &Path, sizes: &[(&str, usize)]) -> Result<(), InferenceError> {
    match sizes.iter().find(|(_, size)| !(1..=1 << 20).contains(size)) {
        Some((key, size)) => Err(unreadable(path, format!("`{key}` is {size}"))),
        None => Ok(()),
    }
}

/// Refuses channels that cannot be shared out evenly.
pub(crate) fn check_divides(path: &Path, channels: &[usize], key: &str, parts: usize) -> Result<(), InferenceError> {
    match channels.iter().find(|channels| !channels.is_multiple_of(parts)) {
        Some(channels) => Err(unreadable(path, format!("{channels} channels cannot be divided by `{key}` {parts}"))),
        None => Ok(()),
    }
}
