//! The head of an adapter's file: names, shapes and remarks, without the numbers of its tensors.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use safetensors::Dtype;

use super::{super::header, AdapterError};
use crate::error::InferenceError;

/// What stands at the head of a safetensors file.
pub(super) struct Header {
    /// Every tensor's shape by its name.
    pub(super) shapes: BTreeMap<String, Vec<usize>>,
    /// Whole numbers that stand alone (some files hold an alpha as such), by name.
    pub(super) integers: HashMap<String, i64>,
    /// Remarks of the program that wrote the file.
    pub(super) metadata: BTreeMap<String, String>,
}

impl Header {
    /// Reads and checks the head of a file.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub(super) fn read(path: &Path) -> Result<Self, InferenceError> {
        let head = header::Header::read(path).map_err(|error| match error {
            InferenceError::Missing { path } => AdapterError::Missing { path }.into(),
            other => other,
        })?;
        let integers = integers(path, &head.tensors).map_err(|source| header::unreadable(path, source.to_string()))?;
        let shapes = head.tensors.into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
        Ok(Self { shapes, integers, metadata: head.metadata })
    }
}

fn integers(path: &Path, tensors: &[header::TensorInfo]) -> io::Result<HashMap<String, i64>> {
    let mut file = File::open(path)?;
    let mut integers = HashMap::new();
    for tensor in tensors.iter().filter(|tensor| tensor.dtype == Dtype::I64 && tensor.n_values() == 1) {
        let mut value = [0; 8];
        file.seek(SeekFrom::Start(tensor.range.start as u64))?;
        file.read_exact(&mut value)?;
        integers.insert(tensor.name.clone(), i64::from_le_bytes(value));
    }
    Ok(integers)
}
