//! Pictures of jobs.

use crate::ids::BlobKey;

/// A finished picture, already in the blob store.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// Which picture of the job.
    pub index: u32,
    /// Its seed.
    pub seed: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Where its bytes (PNG) are.
    pub blob: BlobKey,
    /// What it was made with; `None` for pictures of older versions.
    pub provenance: Option<Provenance>,
    /// What its steps came to, one number each, so that it can be told where another drawing of it begins to differ; empty where that is not known.
    pub digests: Vec<u64>,
}

/// What a picture was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// SHA-256 of the model's weights in hex; `None` where they could not be read.
    pub model_hash: Option<String>,
    /// Version of the program.
    pub engine: String,
    /// Such as `cpu` or `cuda:0`.
    pub device: String,
    /// Type of weights and activations, such as `f32`.
    pub dtype: String,
}
