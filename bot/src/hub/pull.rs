//! A whole pull: which files, where to, and what is there already.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail};
use indicatif::ProgressBar;

use super::{
    Client, ModelsFolder,
    choose::{INDEX, check_pipeline, choose, has_unet},
    download::{Received, Wanted},
    fill::{Filling, has_size, hash, part_bytes, show_bytes},
    folder::{PART, without_ending},
    listing::{Listing, RepoFile},
    refusal::Subject,
    sha256::Sha256Hex,
    source::{Repo, Source},
};
use crate::models::name;

const SAFETENSORS: &str = ".safetensors";

/// What to pull.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Where from.
    pub source: Source,
    /// What to call it; the repository's or file's own name if nobody says.
    pub name: Option<String>,
    /// The sha256 of the one file.
    pub sha256: Option<Sha256Hex>,
    /// Prefer weights in this precision, such as `fp16`.
    pub variant: Option<String>,
}

/// What is there after a pull.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What it is called.
    pub name: String,
    /// The folder or file.
    pub path: PathBuf,
    /// Files in it.
    pub n_files: usize,
    /// Their bytes.
    pub size_bytes: u64,
    /// The hash of a single file that nobody vouches for.
    pub unchecked_sha256: Option<Sha256Hex>,
    /// Whether nothing had to be downloaded.
    pub was_there: bool,
}

impl Pull {
    /// Downloads what is missing; dropping the future leaves parts from which the same call goes on.
    ///
    /// # Errors
    /// One sentence for the person who asked.
    pub async fn run(&self, client: &Client, models: &ModelsFolder, bar: &ProgressBar) -> anyhow::Result<Pulled> {
        let name = self.name.clone().or_else(|| self.source.usual_name());
        let name = name.context("the address does not say what the file is called; give it a name with `--as`")?;
        let name = without_ending(&name);
        let file = models.place(name)?.with_file_name(format!("{name}{SAFETENSORS}"));
        if self.variant.is_some() && !matches!(self.source, Source::Repo(_)) {
            bail!("`--variant` goes with a whole folder; name the file of that precision");
        }
        match &self.source {
            Source::Repo(repo) => self.folder(client, repo, models, name, bar).await,
            Source::RepoFile(repo, path) => {
                let listing = Listing::fetch(client, repo, bar).await?;
                let RepoFile { size_bytes, sha256, .. } = listing.file(repo, path)?.clone();
                if let (Some(asked), Some(found)) = (&self.sha256, &sha256)
                    && asked != found
                {
                    bail!("the hub has {path} with the sha256 {found}, not {asked}");
                }
                let (url, subject) = (listing.url(client.hub(), repo, path), Subject::file(client.hub(), repo, path));
                let sha256 = self.sha256.clone().or(sha256);
                self.file(client, Wanted { url, target: file, size_bytes, sha256, subject }, name, bar).await
            }
            Source::Address(url) => {
                let subject = Subject::address(url);
                let wanted = Wanted { url: url.clone(), target: file, size_bytes: None, sha256: self.sha256.clone(), subject };
                self.file(client, wanted, name, bar).await
            }
        }
    }

    async fn file(&self, client: &Client, wanted: Wanted, name: &str, bar: &ProgressBar) -> anyhow::Result<Pulled> {
        let (path, folder) = (wanted.target.clone(), wanted.target.with_extension(""));
        if folder.is_dir() {
            bail!("a folder {} is there already; choose another name with `--as`", folder.display());
        }
        show_bytes(bar);
        bar.set_message(name.to_owned());
        let pulled = |size_bytes, unchecked_sha256, was_there| {
            Ok(Pulled { name: name.to_owned(), path: path.clone(), n_files: 1, size_bytes, unchecked_sha256, was_there })
        };
        if path.exists() {
            return match &wanted.sha256 {
                Some(expected) if hash(&path).await? == *expected => pulled(fs::metadata(&path)?.len(), None, true),
                _ => bail!("{} is there already; {}", path.display(), another_name(name)),
            };
        }
        if let Some(size) = wanted.size_bytes {
            client.check_disk(&path, size.saturating_sub(part_bytes(&path)))?;
        }
        let Received { size_bytes, sha256, is_compared } = client.download(&wanted, bar, 0).await?;
        pulled(size_bytes, (!is_compared).then_some(sha256), false)
    }

    async fn folder(&self, client: &Client, repo: &Repo, models: &ModelsFolder, name: &str, bar: &ProgressBar) -> anyhow::Result<Pulled> {
        if self.sha256.is_some() {
            bail!("`--sha256` goes with one file; the hub's own are compared for a folder");
        }
        let listing = Listing::fetch(client, repo, bar).await?;
        let files = choose(&listing, repo, self.variant.as_deref())?;
        let target = models.place(name)?;
        check_model_name(name)?;
        if !target.exists() && !has_unet(&files) {
            let index = client.json(&listing.url(client.hub(), repo, INDEX), &Subject::file(client.hub(), repo, INDEX), bar).await?;
            check_pipeline(&index, repo)?;
        }
        let pulled = |was_there| {
            let size_bytes = files.iter().filter_map(|file| Some(fs::metadata(target.join(&file.path)).ok()?.len())).sum();
            Ok(Pulled { name: name.to_owned(), path: target.clone(), n_files: files.len(), size_bytes, unchecked_sha256: None, was_there })
        };
        if target.exists() {
            // Networks of one architecture have files of one size, so sizes alone would take another model for this one.
            let mut is_whole = true;
            for file in &files {
                let path = target.join(&file.path);
                is_whole &= has_size(&path, file.size_bytes)
                    && match &file.sha256 {
                        Some(expected) => hash(&path).await? == *expected,
                        None => true,
                    };
            }
            return if is_whole {
                pulled(true)
            } else {
                bail!("{} is there already and is another or a changed model; {}", target.display(), another_name(name))
            };
        }
        let file = target.with_file_name(format!("{name}{SAFETENSORS}"));
        if file.exists() {
            bail!("a file {} is there already; choose another name with `--as`", file.display());
        }
        let staging = target.with_file_name(format!("{name}{PART}"));
        Filling { client, repo, listing: &listing, files: &files, staging: &staging }.run(bar).await?;
        fs::rename(&staging, &target).with_context(|| format!("cannot write {}", target.display()))?;
        pulled(false)
    }
}

/// What is pulled must have a name that `--model` and Discord take.
fn check_model_name(name: &str) -> anyhow::Result<()> {
    name::check(name).map_err(|fault| anyhow::anyhow!("{name:?} cannot be a model's name: {fault}; choose another with `--as`"))
}

fn another_name(name: &str) -> String {
    format!("choose another name with `--as`, or remove it with `atelier models remove {name}`")
}
