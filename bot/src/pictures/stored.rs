//! Pictures from the store.

use std::io::Cursor;

use image::RgbImage;
use inference::task::{ImageSize, Input, Pixels, Role};
use storage::{BlobKey, BlobStore, StorageError};

use super::{PictureError, outside};

/// Reads a stored picture.
///
/// # Errors
/// The blob is gone or no picture.
pub async fn stored(blobs: &dyn BlobStore, key: &str) -> anyhow::Result<RgbImage> {
    let bytes = blobs.get(&BlobKey::parse(key)?).await?;
    Ok(tokio::task::spawn_blocking(move || outside::read(Cursor::new(bytes))).await??.into_rgb8())
}

/// Whether a picture can never be read, as this error tells; of any other, the same may work later.
pub fn is_lost(error: &anyhow::Error) -> bool {
    use StorageError::{BadBlobKey, MissingBlob};
    error.chain().any(|cause| cause.is::<PictureError>() || matches!(cause.downcast_ref(), Some(MissingBlob(_) | BadBlobKey(_))))
}

/// Reads a picture that a task is made from, in the size that the task says: one of two passes is larger than its task.
///
/// # Errors
/// As [`stored`].
pub async fn input(blobs: &dyn BlobStore, input: &Input, size: Option<ImageSize>) -> anyhow::Result<Pixels> {
    let bytes = blobs.get(&BlobKey::parse(&input.blob)?).await?;
    let is_mask = input.role == Role::Mask;
    let read = move || {
        let picture = outside::read(Cursor::new(bytes))?;
        let size = size.unwrap_or(ImageSize::new(picture.width(), picture.height()));
        anyhow::Ok(if is_mask { outside::mask(&picture, size).into() } else { outside::fitted(&picture, size).into_rgb8().into() })
    };
    tokio::task::spawn_blocking(read).await?
}
