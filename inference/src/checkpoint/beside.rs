//! Where parts are that a file lacks.

use std::path::{Path, PathBuf};

/// Where files that belong to a single file may be: a folder of its name, and its own folder.
pub fn folders_beside(path: &Path) -> [PathBuf; 2] {
    [path.with_extension(""), path.parent().unwrap_or(Path::new("")).to_owned()]
}
