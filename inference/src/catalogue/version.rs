//! Which files something was read from, and how they were then.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::Stamp;

/// What a diffusers folder and what lies beside a single file hold in folders of their own.
const PARTS: [&str; 12] = [
    "unet",
    "transformer",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "scheduler",
    "taesd",
    "taesdxl",
    "taef1",
    "vae_approx",
];

/// Every file that something depends on, by path, with its length, time of change and number. Two equal ones are of the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version(Vec<(PathBuf, Stamp)>);

impl Version {
    /// Of one file; `None` where none is.
    pub fn of_file(path: &Path) -> Option<Self> {
        Some(Self(vec![(path.to_owned(), Stamp::of_path(path)?)]))
    }

    /// Of a model: a diffusers folder with its parts, or a single file with what lies beside it and belongs to it. `None` where nothing is.
    pub fn of_model(path: &Path) -> Option<Self> {
        let mut version = Self(Vec::new());
        if path.is_dir() {
            version.add_folder(path);
            version.add_parts(path);
        } else {
            version.0.push((path.to_owned(), Stamp::of_path(path)?));
            version.add(path.with_extension("json"));
            let own = path.with_extension("");
            version.add_folder(&own);
            version.add_parts(&own);
            if let Some(folder) = path.parent() {
                version.add(folder.join("model_index.json"));
                version.add_parts(folder);
            }
        }
        Some(version)
    }

    /// The same with another model's or file's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Bytes of all files together.
    pub fn n_bytes(&self) -> u64 {
        self.0.iter().map(|(_, stamp)| stamp.n_bytes()).sum()
    }

    fn add(&mut self, path: PathBuf) {
        let stamp = Stamp::of_path(&path).filter(|_| path.is_file());
        self.0.extend(stamp.map(|stamp| (path, stamp)));
    }

    fn add_parts(&mut self, folder: &Path) {
        PARTS.iter().for_each(|part| self.add_folder(&folder.join(part)));
    }

    /// The files right in a folder.
    fn add_folder(&mut self, folder: &Path) {
        let mut paths: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths.into_iter().for_each(|path| self.add(path));
    }
}
