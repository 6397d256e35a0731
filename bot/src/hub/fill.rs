//! A folder's files, one after another, in a folder beside the place where they will be.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Client,
    download::Wanted,
    folder::PART,
    listing::{Listing, RepoFile},
    refusal::Subject,
    sha256::{self, Sha256Hex},
    source::Repo,
};

/// Files of a repository on their way into a folder.
pub(super) struct Filling<'a> {
    pub client: &'a Client,
    pub repo: &'a Repo,
    pub listing: &'a Listing,
    pub files: &'a [&'a RepoFile],
    pub staging: &'a Path,
}

impl<'a> Filling<'a> {
    /// Brings all files and leaves no others.
    pub async fn run(&self, bar: &ProgressBar) -> anyhow::Result<()> {
        let missing = self.missing(bar).await?;
        let filled = self.download(&missing, bar).await;
        if filled.is_err() {
            // A refusal before the first byte leaves nothing that looks like a begun model.
            remove_empty(self.staging);
            return filled;
        }
        sweep(self.staging, &self.files.iter().map(|file| self.staging.join(&file.path)).collect())
    }

    async fn download(&self, missing: &[&RepoFile], bar: &ProgressBar) -> anyhow::Result<()> {
        // The sizes are a server's to say.
        let n_bytes = |files: &[&RepoFile]| files.iter().filter_map(|file| file.size_bytes).fold(0, u64::saturating_add);
        let (all, left) = (n_bytes(self.files), n_bytes(missing));
        let held: u64 = missing.iter().map(|file| part_bytes(&self.staging.join(&file.path))).sum();
        self.client.check_disk(self.staging, left.saturating_sub(held))?;
        show_bytes(bar);
        bar.set_length(all);
        let mut before = all - left;
        for (index, file) in missing.iter().enumerate() {
            let nth = self.files.len() - missing.len() + index + 1;
            bar.set_message(format!("{} ({nth} of {})", file.path, self.files.len()));
            let wanted = Wanted {
                url: self.listing.url(self.client.hub(), self.repo, &file.path),
                target: self.staging.join(&file.path),
                size_bytes: file.size_bytes,
                sha256: file.sha256.clone(),
                subject: Subject::file(self.client.hub(), self.repo, &file.path),
            };
            before += self.client.download(&wanted, bar, before).await?.size_bytes;
        }
        Ok(())
    }

    /// The files that an earlier, interrupted pull did not bring. The others are compared again, for the repository may have changed since;
    /// small ones without a hash are simply asked for again.
    async fn missing(&self, bar: &ProgressBar) -> anyhow::Result<Vec<&'a RepoFile>> {
        let mut missing = Vec::new();
        for file in self.files {
            let path = self.staging.join(&file.path);
            let is_there = match &file.sha256 {
                Some(expected) if has_size(&path, file.size_bytes) => {
                    bar.set_message(format!("checking {}", file.path));
                    hash(&path).await? == *expected
                }
                _ => false,
            };
            if !is_there {
                missing.push(*file);
            }
        }
        Ok(missing)
    }
}

/// Gives the bar its look for bytes.
pub(super) fn show_bytes(bar: &ProgressBar) {
    let style = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes}, {binary_bytes_per_sec}, {eta} left: {msg}");
    bar.set_style(style.expect("the template is right"));
}

/// Whether a file is there with this size, if one is known.
pub(super) fn has_size(path: &Path, size_bytes: Option<u64>) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && size_bytes.is_none_or(|size| size == data.len()))
}

/// Bytes of an interrupted download of a file.
pub(super) fn part_bytes(target: &Path) -> u64 {
    let mut part = target.as_os_str().to_owned();
    part.push(PART);
    fs::metadata(part).map_or(0, |data| data.len())
}

/// The hash of a file, off the runtime.
pub(super) async fn hash(path: &Path) -> anyhow::Result<Sha256Hex> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || sha256::of_file(&path, &ProgressBar::hidden())).await?
}

/// Deletes what an earlier pull of something else left behind.
fn sweep(folder: &Path, wanted: &HashSet<PathBuf>) -> anyhow::Result<()> {
    for found in fs::read_dir(folder)? {
        let found = found?;
        match found.file_type()?.is_dir() {
            true => {
                sweep(&found.path(), wanted)?;
                // Only an empty one goes.
                let _ = fs::remove_dir(found.path());
            }
            false if !wanted.contains(&found.path()) => fs::remove_file(found.path())?,
            false => {}
        }
    }
    Ok(())
}

/// Deletes folders with nothing in them.
fn remove_empty(folder: &Path) {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    inside.filter(|path| path.is_dir()).for_each(|path| remove_empty(&path));
    // Only an empty one goes.
    let _ = fs::remove_dir(folder);
}
