//! The hub's list of a repository's files.

use anyhow::bail;
use indicatif::ProgressBar;
use reqwest::Url;
use serde::Deserialize;

use super::{Client, Hub, refusal::Subject, sha256::Sha256Hex, source::Repo};

/// A repository's files at one commit.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// The commit; the revision itself where the hub names none.
    pub commit: String,
    pub files: Vec<RepoFile>,
}

/// One file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RepoFile {
    /// Path in the repository.
    pub path: String,
    pub size_bytes: Option<u64>,
    /// Known for large files only.
    pub sha256: Option<Sha256Hex>,
}

#[derive(Deserialize)]
struct ModelAnswer {
    sha: Option<String>,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    /// Asks the hub (`/api/models/OWNER/NAME/revision/REVISION?blobs=true`).
    pub async fn fetch(client: &Client, repo: &Repo, bar: &ProgressBar) -> anyhow::Result<Self> {
        let mut url = client.hub().url(["api", "models", &repo.owner, &repo.name, "revision", &repo.revision]);
        url.set_query(Some("blobs=true"));
        let answer: ModelAnswer = client.json(&url, &Subject::repo(client.hub(), repo), bar).await?;
        let files = answer.siblings.into_iter().map(|file| {
            let (lfs_size, sha256) = file.lfs.map_or((None, None), |lfs| (lfs.size, lfs.sha256));
            let sha256 = sha256.and_then(|text| text.parse().ok());
            RepoFile { path: file.rfilename, size_bytes: file.size.or(lfs_size), sha256 }
        });
        // Becomes a part of addresses, so it is a name and no path.
        let commit = answer.sha.filter(|sha| sha.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !sha.is_empty());
        Ok(Self { commit: commit.unwrap_or_else(|| repo.revision.clone()), files: files.collect() })
    }

    /// The file at a path.
    ///
    /// # Errors
    /// There is none; the message names those that could be meant.
    pub fn file(&self, repo: &Repo, path: &str) -> anyhow::Result<&RepoFile> {
        if let Some(file) = self.files.iter().find(|file| file.path == path) {
            return Ok(file);
        }
        bail!("{repo} has no file `{path}`; {}", self.weights())
    }

    /// The repository's safetensors files, in words.
    pub fn weights(&self) -> String {
        const SHOWN: usize = 12;
        let names: Vec<_> = self.files.iter().map(|file| file.path.as_str()).filter(|path| path.ends_with(".safetensors")).collect();
        match names.len() {
            0 => "it has no .safetensors file at all".to_owned(),
            n if n > SHOWN => format!("its .safetensors files: {} and {} more", names[..SHOWN].join(", "), n - SHOWN),
            _ => format!("its .safetensors files: {}", names.join(", ")),
        }
    }

    /// Where a file is downloaded from: at the commit, so that a change meanwhile mixes nothing.
    pub fn url(&self, hub: &Hub, repo: &Repo, path: &str) -> Url {
        hub.url([repo.owner.as_str(), repo.name.as_str(), "resolve", self.commit.as_str()].into_iter().chain(path.split('/')))
    }
}
