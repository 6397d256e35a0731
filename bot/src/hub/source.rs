//! What a person names when they pull: a repository of the hub, a file in it, or an address.

use anyhow::{Context, bail};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::refuse;

/// The revision when nobody names one.
const MAIN: &str = "main";

/// Where a model is pulled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository of the hub.
    Repo(Repo),
    /// One file of a repository.
    RepoFile(Repo, String),
    /// One file at an address.
    Address(Url),
}

/// A repository of the hub at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repo {
    /// Who keeps it.
    pub owner: String,
    /// What it is called.
    pub name: String,
    /// A branch, tag or commit.
    pub revision: String,
}

impl std::fmt::Display for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl Source {
    /// Reads `OWNER/NAME`, `OWNER/NAME@REVISION` or an address; an address of the hub's own pages becomes the repository or file it shows.
    ///
    /// # Errors
    /// One sentence that says what was expected.
    pub fn parse(text: &str, file: Option<&str>, endpoint: &Url) -> anyhow::Result<Self> {
        let source = if text.contains("://") { address(text, endpoint)? } else { Self::Repo(repo(text)?) };
        match (source, file) {
            (Self::Repo(repo), Some(file)) => Ok(Self::RepoFile(repo, file_of_repo(file)?)),
            (Self::RepoFile(..) | Self::Address(_), Some(_)) => bail!("`--file` goes with OWNER/NAME; the address names a file already"),
            (source, None) => Ok(source),
        }
    }

    /// What the pulled folder or file is called when nobody says otherwise; `None` where the address does not tell.
    pub fn usual_name(&self) -> Option<String> {
        match self {
            Self::Repo(repo) => Some(repo.name.clone()),
            Self::RepoFile(_, file) => file.rsplit('/').next().map(str::to_owned),
            Self::Address(url) => {
                let name = url.path_segments()?.next_back()?;
                let name = percent_decode_str(name).decode_utf8().ok()?;
                refuse::is_safetensors(&name).then(|| name.into_owned())
            }
        }
    }
}

fn repo(text: &str) -> anyhow::Result<Repo> {
    let (path, revision) = text.split_once('@').unwrap_or((text, MAIN));
    let is_name = |part: &&str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !part.is_empty() && !part.starts_with(['.', '-']) && part.chars().all(is_allowed)
    };
    let parts: Vec<_> = path.split('/').collect();
    match parts[..] {
        [owner, name] if is_name(&owner) && is_name(&name) && is_revision(revision) => {
            Ok(Repo { owner: owner.to_owned(), name: name.to_owned(), revision: revision.to_owned() })
        }
        _ => bail!(
            "`{text}` is neither a model of the hub (OWNER/NAME or OWNER/NAME@REVISION, such as \
             stable-diffusion-v1-5/stable-diffusion-v1-5) nor an https:// address"
        ),
    }
}

fn is_revision(text: &str) -> bool {
    !text.is_empty() && text.split('/').all(|part| !matches!(part, "" | "." | "..")) && !text.contains(char::is_control)
}

fn address(text: &str, endpoint: &Url) -> anyhow::Result<Source> {
    let url = Url::parse(text).with_context(|| format!("`{text}` is not an address"))?;
    if url.origin() == endpoint.origin()
        && let Some(source) = page_of_hub(&url)?
    {
        return Ok(source);
    }
    if !is_private(&url) {
        bail!("`{text}`: a model is pulled over https:// only, so that nobody changes it on its way");
    }
    let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    refuse::by_name(name)?;
    Ok(Source::Address(url))
}

/// What an address of the hub's own web pages shows.
fn page_of_hub(url: &Url) -> anyhow::Result<Option<Source>> {
    let decode = |part: &str| percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let parts: Option<Vec<String>> = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).map(decode).collect();
    let parts = parts.unwrap_or_default();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Ok(match parts[..] {
        [owner, name] => Some(Source::Repo(repo(&format!("{owner}/{name}"))?)),
        [owner, name, "tree", ref revision @ ..] if !revision.is_empty() => {
            Some(Source::Repo(repo(&format!("{owner}/{name}@{}", revision.join("/")))?))
        }
        [owner, name, "blob" | "resolve", revision, ref file @ ..] if !file.is_empty() => {
            Some(Source::RepoFile(repo(&format!("{owner}/{name}@{revision}"))?, file_of_repo(&file.join("/"))?))
        }
        _ => None,
    })
}

fn file_of_repo(file: &str) -> anyhow::Result<String> {
    if file.split('/').any(|part| matches!(part, "" | "." | "..")) || file.contains(char::is_control) {
        bail!("`{file}` is not the path of a file in a repository");
    }
    refuse::by_name(file)?;
    if !refuse::is_safetensors(file) {
        bail!("`{file}` is not a .safetensors file; without `--file` the whole diffusers folder is pulled");
    }
    Ok(file.to_owned())
}

/// Whether nobody between here and there can read or change what passes: https, or this machine itself.
pub(super) fn is_private(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, file: Option<&str>) -> anyhow::Result<Source> {
        Source::parse(text, file, &Url::parse("https://huggingface.co").expect("an address"))
    }

    fn sd(revision: &str) -> Repo {
        Repo { owner: "a".into(), name: "sd-1.5".into(), revision: revision.into() }
    }

    #[test]
    fn repositories_files_and_addresses_are_told_apart() {
        let file = || "x/y.safetensors".to_owned();
        for (text, given, expected) in [
            ("a/sd-1.5", None, Source::Repo(sd("main"))),
            ("a/sd-1.5@refs/pr/3", None, Source::Repo(sd("refs/pr/3"))),
            ("a/sd-1.5", Some("x/y.safetensors"), Source::RepoFile(sd("main"), file())),
            ("https://huggingface.co/a/sd-1.5", None, Source::Repo(sd("main"))),
            ("https://huggingface.co/a/sd-1.5/tree/fp16", None, Source::Repo(sd("fp16"))),
            ("https://huggingface.co/a/sd-1.5/blob/main/x/y.safetensors", None, Source::RepoFile(sd("main"), file())),
            (
                "https://huggingface.co/a/sd-1.5/resolve/refs%2Fpr%2F3/x/y.safetensors?download=true",
                None,
                Source::RepoFile(sd("refs/pr/3"), file()),
            ),
        ] {
            assert_eq!(parse(text, given).expect(text), expected, "{text}");
        }
        let address = parse("https://example.org/dir/My%20model.safetensors?key=1", None).expect("an address");
        assert_eq!(address.usual_name().as_deref(), Some("My model.safetensors"));
        let address = parse("https://example.org/api/download/models/123", None).expect("an address");
        assert_eq!(address.usual_name(), None);
    }

    #[test]
    fn what_is_neither_is_explained() {
        for (text, file, expected) in [
            ("sd-1.5", None, "neither a model of the hub"),
            ("../etc", None, "neither a model of the hub"),
            ("a/b/c", None, "neither a model of the hub"),
            ("a/b@../../x", None, "neither a model of the hub"),
            ("a/b@", None, "neither a model of the hub"),
            ("http://example.org/x.safetensors", None, "over https:// only"),
            ("file:///etc/passwd", None, "over https:// only"),
            ("https://example.org/x.ckpt", None, "pickle"),
            ("https://example.org/x.safetensors", Some("y.safetensors"), "`--file` goes with OWNER/NAME"),
            ("a/b", Some("../y.safetensors"), "is not the path of a file"),
            ("a/b", Some("unet/model.bin"), "pickle"),
            ("a/b", Some("config.json"), "not a .safetensors file"),
        ] {
            let error = parse(text, file).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
