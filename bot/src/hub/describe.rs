//! What a model file is: the engine's judgement, after the files that it never reads are refused.

use std::path::Path;

pub use inference::checkpoint::{Family, FileKind, Inspection};
use inference::checkpoint::{Header, inspect};

use super::refuse;

/// Looks at a file or a model's folder; reads headers and configurations, not weights.
///
/// # Errors
/// One sentence that names the file and says what to do.
pub fn describe(path: &Path) -> anyhow::Result<Inspection> {
    if !path.is_dir() {
        refuse::by_content(path)?;
    }
    Ok(inspect(path)?)
}

/// Whether a file is a whole safetensors file.
///
/// # Errors
/// It is not; the sentence says what it is instead.
pub(super) fn check(path: &Path) -> anyhow::Result<()> {
    refuse::by_content(path)?;
    Header::read(path)?;
    Ok(())
}
