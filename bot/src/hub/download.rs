//! One file: bytes to `NAME.part`, on from where it stopped, and to its name when size and hash are right.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use indicatif::ProgressBar;
use reqwest::{
    Response, StatusCode, Url,
    header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE},
};
use tokio::io::AsyncWriteExt;

use super::{
    address::host,
    attempts::Failure,
    client::{Answer, Client, lost},
    describe,
    part::{Origin, Part},
    refusal::Subject,
    refuse,
    sha256::{self, Sha256Hex},
};
use crate::pictures::hashes;

/// A disk is never filled to its last byte: a bot on the same disk needs room for its own work (`data.min_free_mib`).
const SPARE_MIB: u64 = 320;
/// The disk is looked at again after so many bytes: the server may not say how many come, and others write too.
const LOOK_EVERY_BYTES: u64 = 16 << 20;
/// A configuration or a vocabulary is never longer.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// A file that is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    pub url: Url,
    pub target: PathBuf,
    pub size_bytes: Option<u64>,
    pub sha256: Option<Sha256Hex>,
    pub subject: Subject,
}

/// What came.
#[derive(Debug)]
pub(super) struct Received {
    pub size_bytes: u64,
    pub sha256: Sha256Hex,
    /// Whether the hash is the one that the hub or the person said, and not only that of the bytes.
    pub is_compared: bool,
}

/// What the first bytes of an answer say about all of them.
struct Body {
    start: u64,
    total: Option<u64>,
}

impl Client {
    /// Downloads a file, the bar counting on from `before` bytes of other files.
    pub(super) async fn download(&self, wanted: &Wanted, bar: &ProgressBar, before: u64) -> anyhow::Result<Received> {
        let part = Part::open(&wanted.target)?;
        let (mut attempts, mut promised) = (self.attempts(), wanted.sha256.clone());
        while let Err(failure) = self.attempt(wanted, &part, &mut promised, bar, before).await {
            if let Err(error) = attempts.after(failure, part.len(), bar).await {
                if part.len() == 0 {
                    part.discard();
                }
                return Err(error);
            }
        }
        let sha256 = verify(wanted, part, promised.as_ref(), bar).await?;
        Ok(Received { size_bytes: std::fs::metadata(&wanted.target)?.len(), sha256, is_compared: promised.is_some() })
    }

    /// Brings the part to its full length, or fails on the way.
    async fn attempt(
        &self,
        wanted: &Wanted,
        part: &Part,
        promised: &mut Option<Sha256Hex>,
        bar: &ProgressBar,
        before: u64,
    ) -> Result<(), Failure> {
        let held = resumable(wanted, part)?;
        if held > 0 && wanted.size_bytes == Some(held) {
            return Ok(());
        }
        let Answer { response, sha256 } = self.get(&wanted.url, range_headers(held, part)?, &wanted.subject).await?;
        if let (Some(asked), Some(found)) = (promised.as_ref(), sha256.as_ref())
            && asked != found
        {
            return Err(anyhow!("{}: the hub has the sha256 {found}, not {asked}", wanted.name()).into());
        }
        *promised = promised.take().or(sha256);
        let Some(body) = body(&response, held, part)? else { return begin_again(part, held, &response) };
        if let (Some(expected), Some(total)) = (wanted.size_bytes, body.total)
            && expected != total
        {
            part.clear()?;
            return Err(anyhow!("{}: {} sends {total} bytes instead of {expected}", wanted.name(), host(response.url())).into());
        }
        if body.start == 0 {
            part.clear()?;
        }
        wanted.check_length(body.total)?;
        self.check_disk(&wanted.target, body.total.unwrap_or_default().saturating_sub(body.start))?;
        part.set_origin(&Origin { url: mark(&wanted.url), etag: strong_etag(&response) })?;
        if let Some(total) = body.total {
            bar.set_length((before + total).max(bar.length().unwrap_or_default()));
        }
        bar.set_position(before + body.start);
        bar.reset_eta();
        self.receive(wanted, part, response, &body, bar).await
    }

    async fn receive(&self, wanted: &Wanted, part: &Part, mut response: Response, body: &Body, bar: &ProgressBar) -> Result<(), Failure> {
        let url = response.url().clone();
        let mut file = part.writer()?;
        let (mut reached, mut looked, mut keeps) = (body.start, body.start, true);
        let ended = loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    if let Err(error) = file.write_all(&bytes).await {
                        break Err(self.unwritten(error, wanted, part, body).into());
                    }
                    reached += bytes.len() as u64;
                    bar.inc(bytes.len() as u64);
                    if wanted.size_bytes.is_some_and(|size| reached > size) {
                        keeps = false;
                        break Err(anyhow!("{}: {} sends more bytes than the file has", wanted.name(), host(&url)).into());
                    }
                    if let Err(error) = wanted.check_length(Some(reached)) {
                        keeps = false;
                        break Err(error.into());
                    }
                    if reached - looked >= LOOK_EVERY_BYTES {
                        looked = reached;
                        if let Err(error) = self.check_disk(&wanted.target, body.total.unwrap_or_default().saturating_sub(reached)) {
                            // Without a length nobody knows whether the rest will ever fit; otherwise the pull goes on when there is room.
                            keeps = body.total.is_some();
                            break Err(error.into());
                        }
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(lost(error, &url)),
            }
        };
        // Without this the last bytes may still be on their way when the part is looked at.
        let flushed = file.flush().await;
        if !keeps {
            part.clear()?;
        }
        ended?;
        flushed.map_err(|error| self.unwritten(error, wanted, part, body))?;
        match wanted.size_bytes.or(body.total) {
            Some(total) if reached < total => {
                Err(Failure::Passing(anyhow!("{} ended the file {} bytes early", host(&url), total - reached), None))
            }
            _ => Ok(()),
        }
    }

    /// Why bytes could not be written; a full disk gets them back, for others write there too.
    fn unwritten(&self, error: std::io::Error, wanted: &Wanted, part: &Part, body: &Body) -> anyhow::Error {
        let is_full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let error = anyhow::Error::new(error).context(format!("cannot write {}", part.path().display()));
        if !is_full {
            return error;
        }
        match part.clear() {
            Ok(()) => self.check_disk(&wanted.target, body.total.unwrap_or(SPARE_MIB << 20)).err().unwrap_or(error),
            Err(_) => error,
        }
    }

    /// Refuses a download for which there is no room.
    pub(super) fn check_disk(&self, target: &Path, n_bytes: u64) -> anyhow::Result<()> {
        let (needed, free) = ((n_bytes >> 20).saturating_add(SPARE_MIB), self.free_mib(target)?);
        if needed > free {
            let folder = target.parent().unwrap_or(target).display();
            anyhow::bail!("{needed} MiB are needed in {folder} and {free} MiB are free; make room, or set `models.dir` to another disk");
        }
        Ok(())
    }
}

/// What stands for an address on disk: the address itself may hold a secret.
fn mark(url: &Url) -> String {
    hashes::of_bytes(url.as_str().as_bytes())
}

impl Wanted {
    /// Refuses a text that is longer than any.
    fn check_length(&self, n_bytes: Option<u64>) -> anyhow::Result<()> {
        let name = self.name();
        if !refuse::is_safetensors(&name) && n_bytes.is_some_and(|n_bytes| n_bytes > MAX_TEXT_BYTES) {
            anyhow::bail!("{name} is longer than {} MiB, so it is no configuration or vocabulary of a model", MAX_TEXT_BYTES >> 20);
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// The bytes that need not be asked for again: those of this address whose content is marked, or whose hash will tell.
fn resumable(wanted: &Wanted, part: &Part) -> anyhow::Result<u64> {
    let held = part.len();
    let is_same = part.origin().is_some_and(|origin| origin.url == mark(&wanted.url) && (origin.etag.is_some() || wanted.sha256.is_some()));
    if held == 0 || (is_same && wanted.size_bytes.is_none_or(|size| held <= size)) {
        return Ok(held);
    }
    part.clear()?;
    Ok(0)
}

fn range_headers(held: u64, part: &Part) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if held > 0 {
        headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={held}-"))?);
        if let Some(etag) = part.origin().and_then(|origin| origin.etag) {
            headers.insert(IF_RANGE, HeaderValue::from_str(&etag)?);
        }
    }
    Ok(headers)
}

/// What the answer's bytes are; `None` if they are not those that continue the part.
fn body(response: &Response, held: u64, part: &Part) -> anyhow::Result<Option<Body>> {
    match response.status() {
        StatusCode::OK => Ok(Some(Body { start: 0, total: response.content_length() })),
        // Some servers send a range of another content in spite of `If-Range`.
        StatusCode::PARTIAL_CONTENT if is_other(part.origin().and_then(|origin| origin.etag), strong_etag(response)) => Ok(None),
        StatusCode::PARTIAL_CONTENT => {
            let range = content_range(response).filter(|(start, _)| *start == Some(held));
            Ok(range.map(|(_, total)| Body { start: held, total: total.or(response.content_length().map(|rest| held + rest)) }))
        }
        StatusCode::RANGE_NOT_SATISFIABLE => Ok(None),
        status => Err(anyhow!("{} answered with status {status} instead of a file", host(response.url()))),
    }
}

fn is_other(ours: Option<String>, theirs: Option<String>) -> bool {
    ours.zip(theirs).is_some_and(|(ours, theirs)| ours != theirs)
}

/// The mark of a content that is equal byte by byte; a weak one is none.
fn strong_etag(response: &Response) -> Option<String> {
    let etag = response.headers().get(ETAG)?.to_str().ok()?;
    etag.starts_with('"').then(|| etag.to_owned())
}

/// After an answer that does not continue the part: it is whole already, or begins again.
fn begin_again(part: &Part, held: u64, response: &Response) -> Result<(), Failure> {
    let is_whole = response.status() == StatusCode::RANGE_NOT_SATISFIABLE && content_range(response) == Some((None, Some(held)));
    if is_whole && held > 0 {
        return Ok(());
    }
    part.clear()?;
    Err(Failure::Passing(anyhow!("{} does not continue the file where it stopped", host(response.url())), None))
}

/// `bytes START-END/TOTAL` or `bytes */TOTAL`.
fn content_range(response: &Response) -> Option<(Option<u64>, Option<u64>)> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-').and_then(|(start, _)| start.parse().ok()), total.parse().ok()))
}

/// Puts the file in its place if its bytes are right, and deletes them otherwise.
async fn verify(wanted: &Wanted, part: Part, promised: Option<&Sha256Hex>, bar: &ProgressBar) -> anyhow::Result<Sha256Hex> {
    let (path, name) = (part.path().to_owned(), wanted.name());
    let is_weights = refuse::is_safetensors(&name);
    bar.set_message(format!("checking {name}"));
    let (sha256, looked) = tokio::task::spawn_blocking(move || {
        let sha256 = sha256::of_file(&path, &ProgressBar::hidden())?;
        Ok::<_, anyhow::Error>((sha256, if is_weights { describe::check(&path) } else { Ok(()) }))
    })
    .await??;
    let wrong = match promised {
        Some(expected) if *expected != sha256 => Some(anyhow!("its sha256 is {sha256} instead of {expected}")),
        _ => looked.err(),
    };
    match wrong {
        Some(error) => {
            part.discard();
            Err(error.context(format!("{name} came with wrong bytes and was deleted")))
        }
        None => part.finish().map(|()| sha256),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_a_longest_length_and_weights_have_none() {
        let url = Url::parse("https://hub.example/x").expect("an address");
        let check = |name: &str, n_bytes: Option<u64>| {
            let subject = Subject::address(&url);
            Wanted { url: url.clone(), target: name.into(), size_bytes: None, sha256: None, subject }.check_length(n_bytes).is_ok()
        };
        for (name, n_bytes, is_taken) in [
            ("config.json", None, true),
            ("config.json", Some(MAX_TEXT_BYTES), true),
            ("config.json", Some(MAX_TEXT_BYTES + 1), false),
            ("merges.txt", Some(u64::MAX), false),
            ("model.safetensors", Some(u64::MAX), true),
            ("model.SAFETENSORS", Some(u64::MAX), true),
            ("model.safetensors.index.json", Some(1 << 30), false),
        ] {
            assert_eq!(check(name, n_bytes), is_taken, "{name} {n_bytes:?}");
        }
    }
}
