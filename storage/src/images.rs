//! Pictures of done jobs.

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
}
