//! What became of an adapter's file.

use std::path::PathBuf;

use super::AdapterInfo;
use crate::task::Note;

/// What became of an adapter's file.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterReport {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub info: AdapterInfo,
    /// Modules that it changes.
    pub n_modules: usize,
    /// Those that changed a weight of the model.
    pub n_applied: usize,
    /// Names in the file that belong to nothing in the model, sorted.
    pub unmatched: Vec<String>,
}

impl AdapterReport {
    /// A sentence on what of the file was not used, if anything.
    pub fn warning(&self) -> Option<String> {
        let Self { path, n_modules, n_applied, unmatched, .. } = self;
        let first = unmatched.first()?;
        let others = match unmatched.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Some(format!("{}: {n_applied} of {n_modules} modules match the model; `{first}`{others} did nothing", path.display()))
    }

    /// The same for the person who asked, who knows the file by this name.
    pub fn note(&self, name: &str) -> Option<Note> {
        let Self { n_modules, n_applied, unmatched, .. } = self;
        let (name, n_modules, n_applied) = (name.to_owned(), *n_modules, *n_applied);
        (!unmatched.is_empty()).then_some(Note::AdapterInPart { name, n_applied, n_modules, n_unused: unmatched.len() })
    }
}
