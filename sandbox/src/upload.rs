//! The bytes of a file that comes in: in memory, or on disk where they were put as they came.

use bytes::Bytes;
use std::io;
use tempfile::TempPath;

/// What the names of files begin with that nobody has taken yet.
pub(crate) const PREFIX: &str = "incoming-";

/// The bytes of a file that comes in.
pub(crate) enum Content {
    Bytes(Bytes),
    /// Removed unless somebody takes it.
    File {
        path: TempPath,
        n_bytes: usize,
    },
}

impl Content {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File { n_bytes, .. } => *n_bytes,
        }
    }

    /// Width and height, read from a picture's header.
    pub(crate) async fn dimensions(&self) -> Option<(u32, u32)> {
        match self {
            Self::Bytes(bytes) => measured(image::ImageReader::new(io::Cursor::new(bytes))),
            Self::File { path, .. } => {
                let path = path.to_path_buf();
                let read = tokio::task::spawn_blocking(move || measured(image::ImageReader::open(path).ok()?));
                read.await.ok().flatten()
            }
        }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

fn measured<R: io::BufRead + io::Seek>(reader: image::ImageReader<R>) -> Option<(u32, u32)> {
    reader.with_guessed_format().ok()?.into_dimensions().ok()
}
