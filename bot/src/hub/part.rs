//! A file on its way: `NAME.part`, with a note beside it that says where its bytes came from.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::folder::PART;

/// A file on its way; while this lives, no other pull writes to it.
#[derive(Debug)]
pub(super) struct Part {
    target: PathBuf,
    path: PathBuf,
    note: PathBuf,
    /// Holds the lock.
    file: File,
}

/// Where the bytes of a part came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The SHA-256 of the address, in hex.
    pub url: String,
    /// The server's strong mark of the content: an equal one means equal bytes.
    pub etag: Option<String>,
}

impl Part {
    /// Opens or begins the part of `target`, making the folders above it.
    ///
    /// # Errors
    /// It cannot be written, or another pull writes to it.
    pub fn open(target: &Path) -> anyhow::Result<Self> {
        let with = |ending: &str| {
            let mut name = target.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let (path, note) = (with(PART), with(&format!("{PART}.json")));
        let cannot = || format!("cannot write {}", path.display());
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let file = File::options().create(true).append(true).open(&path).with_context(cannot)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => bail!("another pull is writing {}; wait for it", path.display()),
            // Some network file systems know no locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { target: target.to_owned(), path, note, file }),
        }
    }

    /// Where the bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes so far.
    pub fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |data| data.len())
    }

    /// Where they came from, if that is known.
    pub fn origin(&self) -> Option<Origin> {
        serde_json::from_slice(&fs::read(&self.note).ok()?).ok()
    }

    /// Notes where the next bytes come from.
    pub fn set_origin(&self, origin: &Origin) -> anyhow::Result<()> {
        fs::write(&self.note, serde_json::to_vec(origin)?).with_context(|| format!("cannot write {}", self.note.display()))
    }

    /// Begins again from nothing; the lock stays.
    pub fn clear(&self) -> anyhow::Result<()> {
        self.file.set_len(0).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// A writer at the end of the part.
    pub fn writer(&self) -> anyhow::Result<tokio::fs::File> {
        Ok(tokio::fs::File::from_std(self.file.try_clone().with_context(|| format!("cannot write {}", self.path.display()))?))
    }

    /// Deletes what is there.
    pub fn discard(self) {
        // What cannot be deleted is found wrong again the next time.
        let _ = (fs::remove_file(&self.path), fs::remove_file(&self.note));
    }

    /// Puts the finished file in its place.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn finish(self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.target.display());
        self.file.sync_all().with_context(cannot)?;
        fs::rename(&self.path, &self.target).with_context(cannot)?;
        let _ = fs::remove_file(&self.note);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pull_writes_a_part_at_a_time() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let target = root.path().join("a/b.safetensors");
        let part = Part::open(&target).expect("it is free");
        let error = Part::open(&target).expect_err("it is taken").to_string();
        assert!(error.contains("b.safetensors.part; wait for it"), "{error}");
        drop(part);
        let part = Part::open(&target).expect("it is free again");
        let origin = Origin { url: "https://x".into(), etag: Some("\"1\"".into()) };
        part.set_origin(&origin).expect("a note");
        assert_eq!((part.origin(), part.len()), (Some(origin), 0));
        fs::write(part.path(), "bytes").expect("a file");
        part.finish().expect("it is put in its place");
        let left: Vec<_> = fs::read_dir(target.parent().expect("a folder")).expect("a folder").flatten().collect();
        assert_eq!((fs::read(&target).expect("the file"), left.len()), (b"bytes".to_vec(), 1));
    }
}
