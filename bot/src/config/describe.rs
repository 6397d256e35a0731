//! `[describe]`: how pictures are described whose files say nothing.

use std::path::PathBuf;

use serde::Deserialize;

/// `[describe]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DescribeConfig {
    /// Folder of a CLIP of both kinds; empty for none.
    pub clip: PathBuf,
    /// File of the words that a picture is compared with; empty for ours.
    pub words: PathBuf,
}
