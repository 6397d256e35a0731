//! Pictures from the store.

use std::io::Cursor;

use image::RgbImage;
use storage::{BlobKey, BlobStore};

use super::outside;

/// Reads a stored picture.
///
/// # Errors
/// The blob is gone or no picture.
pub async fn stored(blobs: &dyn BlobStore, key: &str) -> anyhow::Result<RgbImage> {
    let bytes = blobs.get(&BlobKey::parse(key)?).await?;
    Ok(tokio::task::spawn_blocking(move || outside::read(Cursor::new(bytes))).await??.into_rgb8())
}
