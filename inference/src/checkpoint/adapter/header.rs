//! The head of a safetensors file: names, shapes and remarks, without the numbers of its tensors.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use serde_json::Value;

use super::AdapterError;
use crate::error::InferenceError;

/// The longest head that the format allows.
const MAX_BYTES: u64 = 100_000_000;

/// What stands at the head of a safetensors file.
pub(super) struct Header {
    /// Every tensor's shape by its name.
    pub(super) shapes: BTreeMap<String, Vec<usize>>,
    /// Whole numbers that stand alone (some files hold an alpha as such), by name.
    pub(super) integers: HashMap<String, i64>,
    /// Remarks of the program that wrote the file.
    pub(super) metadata: HashMap<String, String>,
}

impl Header {
    /// Reads the head of a file.
    ///
    /// # Errors
    /// `Missing` or `Unreadable`.
    pub(super) fn read(path: &Path) -> Result<Self, InferenceError> {
        let unreadable = |reason: String| InferenceError::Unreadable { path: path.to_owned(), reason };
        let head = head(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => AdapterError::Missing { path: path.to_owned() }.into(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => unreadable("it is not a safetensors file".to_owned()),
            _ => unreadable(source.to_string()),
        })?;
        let (mut file, bytes) = head;
        Self::parse(&mut file, &bytes).ok_or_else(|| unreadable("it is not a safetensors file".to_owned()))
    }

    fn parse(file: &mut File, bytes: &[u8]) -> Option<Self> {
        let Value::Object(entries) = serde_json::from_slice(bytes).ok()? else { return None };
        let mut header = Self { shapes: BTreeMap::new(), integers: HashMap::new(), metadata: HashMap::new() };
        for (name, entry) in entries {
            if name == "__metadata__" {
                header.metadata = serde_json::from_value(entry).ok()?;
            } else {
                let shape: Vec<usize> = serde_json::from_value(entry.get("shape")?.clone()).ok()?;
                if entry.get("dtype")? == "I64" && shape.iter().product::<usize>() == 1 {
                    let offset = entry.get("data_offsets")?.get(0)?.as_u64()?;
                    let mut value = [0; 8];
                    file.seek(SeekFrom::Start(8 + bytes.len() as u64 + offset)).ok()?;
                    file.read_exact(&mut value).ok()?;
                    header.integers.insert(name.clone(), i64::from_le_bytes(value));
                }
                header.shapes.insert(name, shape);
            }
        }
        Some(header)
    }
}

/// A file and the text of its head.
fn head(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut file = File::open(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    // Checked before it is believed: the first bytes of another kind of file are an enormous number.
    if length > MAX_BYTES.min(file.metadata()?.len()) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    file.by_ref().take(length).read_to_end(&mut bytes)?;
    Ok((file, bytes))
}
