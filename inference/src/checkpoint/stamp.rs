//! What tells whether a file is still the one that was read.

use std::{fs::Metadata, path::Path, time::SystemTime};

use serde::{Deserialize, Serialize};

/// What tells a file from another one, or from itself after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    n_bytes: u64,
    modified: Option<SystemTime>,
    /// Device and number.
    place: (u64, u64),
}

impl Stamp {
    /// The stamp of what is at a path now; `None` where nothing is.
    pub fn of_path(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let place = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let place = (0, 0);
        Self { n_bytes: metadata.len(), modified: metadata.modified().ok(), place }
    }

    /// Length in bytes.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }
}
