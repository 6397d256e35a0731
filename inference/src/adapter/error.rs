//! Why an adapter is refused.

use std::path::{Path, PathBuf};

use crate::checkpoint::Family;

/// Why an adapter is refused. Each message names the file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// There is no such file.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no tensors of a known kind of adapter.
    #[error("{path} is not an adapter: none of its {n_tensors} tensors is named as in LoRA, LoCon, LoHa, LoKr or full difference files")]
    NotAnAdapter {
        /// The file.
        path: PathBuf,
        /// Its tensors.
        n_tensors: usize,
    },
    /// The file holds an adapter of a kind that is not read.
    #[error("{path} is {what}, which is not supported")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The kind.
        what: &'static str,
    },
    /// A module lacks one of the tensors that belong together.
    #[error("{path}: module `{module}` has `{found}` but no `{missing}`")]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// The module, as the file names it.
        module: String,
        /// The tensor that is there.
        found: String,
        /// The one that is not.
        missing: &'static str,
    },
    /// A module's tensors do not fit each other.
    #[error("{path}: module `{module}`: ranks of {first:?} and {second:?} differ")]
    Rank {
        /// The file.
        path: PathBuf,
        /// The module, as the file names it.
        module: String,
        /// Shape of a tensor.
        first: Vec<usize>,
        /// Shape of the one that it is multiplied with.
        second: Vec<usize>,
    },
    /// A module's change has another size than the weight that it should change.
    #[error("{path}: module `{module}` changes a weight of {} numbers, the model's has shape {model:?}{}", times(.adapter), family(*.made_for))]
    Shape {
        /// The file.
        path: PathBuf,
        /// The module, as the file names it.
        module: String,
        /// Shape of the change.
        adapter: Vec<usize>,
        /// Shape of the model's weight.
        model: Vec<usize>,
        /// The models that it was made for, where its shapes tell.
        made_for: Option<Family>,
    },
    /// Nothing in the file belongs to the model.
    #[error("{path}: 0 of {n_modules} modules match the model{}", family(*.made_for))]
    NothingMatches {
        /// The file.
        path: PathBuf,
        /// Modules that it changes.
        n_modules: usize,
        /// The models that it was made for, where its names or shapes tell.
        made_for: Option<Family>,
    },
}

impl AdapterError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::NotAnAdapter { path, .. }
            | Self::Unsupported { path, .. }
            | Self::Incomplete { path, .. }
            | Self::Rank { path, .. }
            | Self::Shape { path, .. }
            | Self::NothingMatches { path, .. } => path,
        }
    }

    /// The models that the file was made for, where its names or shapes tell.
    pub fn made_for(&self) -> Option<Family> {
        match self {
            Self::Shape { made_for, .. } | Self::NothingMatches { made_for, .. } => *made_for,
            _ => None,
        }
    }
}

fn times(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

fn family(made_for: Option<Family>) -> String {
    made_for.map_or(String::new(), |family| format!("; it was made for {family}"))
}
