//! A weights file that is open: read by place, and watched for changes.
//!
//! Nothing is mapped into memory, because a mapped file that somebody cuts short ends the process.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{Stamp, header::Header, json::unreadable};
use crate::error::InferenceError;

const CHANGED: &str = "the file was changed since it was opened; start again";

/// A weights file whose header was read.
pub(super) struct Opened {
    path: PathBuf,
    file: File,
    stamp: Stamp,
}

impl Opened {
    /// Opens a file, which stays open, and reads its header.
    pub(super) fn open(path: &Path) -> Result<(Self, Header), InferenceError> {
        let before = std::fs::metadata(path).map(|metadata| Stamp::of(&metadata)).ok();
        let header = Header::read(path)?;
        let failed = |source: io::Error| unreadable(path, source.to_string());
        let file = File::open(path).map_err(failed)?;
        let stamp = Stamp::of(&file.metadata().map_err(failed)?);
        if before != Some(stamp) {
            return Err(changed(path));
        }
        Ok((Self { path: path.to_owned(), file, stamp }, header))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Fills `bytes` from `place` on.
    pub(super) fn read_at(&self, bytes: &mut [u8], place: u64) -> Result<(), InferenceError> {
        read_exact_at(&self.file, bytes, place).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => changed(&self.path),
            _ => unreadable(&self.path, source.to_string()),
        })
    }

    /// Refuses a file that is another one than when it was opened. Asked after reading, so that what was read is of one file.
    pub(super) fn check(&self) -> Result<(), InferenceError> {
        let now = self.file.metadata().map_err(|source| unreadable(&self.path, source.to_string()))?;
        if Stamp::of(&now) == self.stamp { Ok(()) } else { Err(changed(&self.path)) }
    }
}

/// What to say of a file that changed while the process had it open.
pub(super) fn changed(path: &Path) -> InferenceError {
    unreadable(path, CHANGED.to_owned())
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], place: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, place)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut place: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, place)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        place += n as u64;
    }
    Ok(())
}
