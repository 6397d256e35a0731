//! Files of strangers, read whole: a pipe or a device would be waited for for ever, and a long one would fill the memory.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

use super::json::unreadable;
use crate::error::InferenceError;

/// Far more than any description of a model needs; parsed it takes some thirty times as much.
pub const MAX_JSON_BYTES: u64 = 4 << 20;
/// The largest vocabularies of text encoders have some twenty megabytes.
pub const MAX_VOCABULARY_BYTES: u64 = 64 << 20;

/// Opens a file, and nothing else that has a path; with its length in bytes.
///
/// # Errors
/// `Missing`, or `Unreadable` for a folder, a pipe, a socket or a device.
pub fn open(path: &Path) -> Result<(File, u64), InferenceError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => InferenceError::Missing { path: path.to_owned() },
        _ => unreadable(path, source.to_string()),
    };
    // Asked before it is opened, because a pipe would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let reason = if metadata.is_dir() { "it is a folder; name the file in it" } else { "it is not a file" };
        return Err(unreadable(path, reason.to_owned()));
    }
    Ok((File::open(path).map_err(failed)?, metadata.len()))
}

/// The bytes of a file that is at most so long.
///
/// # Errors
/// As for [`open`], and `Unreadable` for a longer one.
pub fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, InferenceError> {
    let (file, n_bytes) = open(path)?;
    let too_long = |n_bytes: u64| unreadable(path, format!("it has {n_bytes} bytes; {max_bytes} are the most that such a file may have"));
    if n_bytes > max_bytes {
        return Err(too_long(n_bytes));
    }
    let mut bytes = Vec::with_capacity(n_bytes as usize);
    // It may grow while it is read, and files of some file systems do not say their length.
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(|source| unreadable(path, source.to_string()))?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_long(bytes.len() as u64));
    }
    Ok(bytes)
}

/// The text of a file that is at most so long.
///
/// # Errors
/// As for [`read`], and `Unreadable` for what is not UTF-8.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String, InferenceError> {
    String::from_utf8(read(path, max_bytes)?).map_err(|_| unreadable(path, "it is not a text in UTF-8".to_owned()))
}
