//! What tells a model's files from others, wherever they lie: samples of their bytes. Whole weights take as long to read as to load, and a name or
//! a time of change says little on another machine.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    StateError,
    digest::{add, hex},
};

/// Bytes from a file's beginning: of a small file all, of weights (most of) their names and shapes.
const FIRST: u64 = 64 * 1024;
/// Places in a larger file that are looked at, evenly spread to its end: other weights differ everywhere.
const N_PLACES: u64 = 16;
/// Bytes at each.
const SAMPLE: u64 = 4 * 1024;
/// Files of a model's folder that say what it computes.
const KINDS: [&str; 4] = ["safetensors", "json", "txt", "model"];
/// A model's folder is no deeper.
const MAX_DEPTH: u32 = 3;

/// The files of a loaded model, each with what it is for: its own, its VAE, adapters with their weights, learned words, a network for enlarging.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files(Vec<(String, PathBuf)>);

impl Files {
    /// Adds a file or a folder.
    pub(crate) fn and(mut self, purpose: impl Into<String>, path: &Path) -> Self {
        self.0.push((purpose.into(), path.to_owned()));
        self
    }

    /// SHA-256 in hex over purposes, names below folders, lengths and samples.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn digest(&self) -> Result<String, StateError> {
        let failed = |error: io::Error| StateError::Files { kind: error.kind() };
        let mut digest = Sha256::new();
        for (purpose, path) in &self.0 {
            add(&mut digest, purpose.as_bytes());
            if path.is_dir() {
                for (name, file) in below(path, MAX_DEPTH).map_err(failed)? {
                    add(&mut digest, name.as_bytes());
                    add_file(&mut digest, &file).map_err(failed)?;
                }
            } else {
                add_file(&mut digest, path).map_err(failed)?;
                let beside = path.with_extension("json");
                if beside.is_file() {
                    add_file(&mut digest, &beside).map_err(failed)?;
                }
            }
        }
        Ok(hex(digest))
    }
}

fn add_file(digest: &mut Sha256, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let n_bytes = file.metadata()?.len();
    digest.update(n_bytes.to_le_bytes());
    let mut sample = |place: u64, n: u64| -> io::Result<()> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(place))?;
        file.by_ref().take(n).read_to_end(&mut bytes)?;
        add(digest, &bytes);
        Ok(())
    };
    sample(0, FIRST)?;
    let after = n_bytes.saturating_sub(FIRST);
    let place = |i: u64| (FIRST + after * i / N_PLACES).saturating_sub(SAMPLE);
    (1..=N_PLACES).filter(|_| after > 0).try_for_each(|i| sample(place(i), SAMPLE))
}

/// The files below a folder that count, by name.
fn below(folder: &Path, depth: u32) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if path.is_dir() {
            let inner = if depth > 0 { below(&path, depth - 1)? } else { Vec::new() };
            found.extend(inner.into_iter().map(|(inner, path)| (format!("{name}/{inner}"), path)));
        } else if path.extension().is_some_and(|extension| KINDS.iter().any(|kind| extension == *kind)) {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}
