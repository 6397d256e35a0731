//! Questions to the hub and to other servers of files: redirects, the token, and trying again.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, anyhow};
use indicatif::ProgressBar;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde::de::DeserializeOwned;

use super::{
    address::{Hub, host},
    attempts::{Attempts, Failure, Retries},
    offline::Offline,
    reach::{self, Reach},
    refusal::{Subject, refusal},
    sha256::Sha256Hex,
    source::is_private,
    token::Token,
};
use crate::{discord::unreachable::Unreachable, system::disk};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that says nothing for so long is taken for lost.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: usize = 10;
/// Longest list of files; the largest repositories have a few megabytes.
const MAX_LIST_BYTES: usize = 32 << 20;

/// A caller of the hub.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    hub: Hub,
    retries: Retries,
    free_space: FreeSpace,
    /// Whether any server has answered yet: then a network is there, and what is lost may come back.
    has_answered: Arc<AtomicBool>,
}

/// Free mebibytes on the disk of a path.
type AskDisk = dyn Fn(&Path) -> anyhow::Result<u64> + Send + Sync;

#[derive(Clone)]
struct FreeSpace(Arc<AskDisk>);

impl std::fmt::Debug for FreeSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FreeSpace")
    }
}

/// A server's answer after all redirects.
pub(super) struct Answer {
    pub response: Response,
    /// What the hub itself, not the server of its files, says of the file's content.
    pub sha256: Option<Sha256Hex>,
}

impl Client {
    /// A caller of the hub at `endpoint`, such as `https://huggingface.co`.
    ///
    /// # Errors
    /// The endpoint is no http(s) address, or the token cannot be one.
    pub fn new(endpoint: &str, token: Token, retries: Retries) -> anyhow::Result<Self> {
        let hub = Hub::new(endpoint, token)?;
        let free_space = FreeSpace(Arc::new(disk::free_mib));
        Ok(Self { http: builder(hub.endpoint()).build()?, hub, retries, free_space, has_answered: Arc::default() })
    }

    /// A caller to whom the disk is as free as this says, in mebibytes.
    #[must_use]
    pub fn with_free_space(self, free_mib: impl Fn(&Path) -> anyhow::Result<u64> + Send + Sync + 'static) -> Self {
        Self { free_space: FreeSpace(Arc::new(free_mib)), ..self }
    }

    /// Free mebibytes where a file will be.
    pub(super) fn free_mib(&self, target: &Path) -> anyhow::Result<u64> {
        (self.free_space.0)(target)
    }

    /// The hub that is asked.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// An answer of the hub in JSON, with further attempts.
    pub(super) async fn json<T: DeserializeOwned>(&self, url: &Url, subject: &Subject, bar: &ProgressBar) -> anyhow::Result<T> {
        let attempt = async || {
            let Answer { mut response, .. } = self.get(url, HeaderMap::new(), subject).await?;
            let mut text = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| lost(error, url))? {
                if text.len() + chunk.len() > MAX_LIST_BYTES {
                    return Err(anyhow!("{} answered with a list of files that does not end; is it a hub?", host(url)).into());
                }
                text.extend_from_slice(&chunk);
            }
            let read = serde_json::from_slice(&text);
            Ok(read.with_context(|| format!("{} answered something other than a list of files; is it a hub?", host(url)))?)
        };
        let mut attempts = self.attempts();
        loop {
            match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => attempts.after(failure, 0, bar).await?,
            }
        }
    }

    /// One attempt to get an answer with a good status (or 416, which says that a range is beyond the end).
    pub(super) async fn get(&self, url: &Url, headers: HeaderMap, subject: &Subject) -> Result<Answer, Failure> {
        let (mut url, mut sha256, mut http, mut from) = (url.clone(), None, self.http.clone(), None);
        for _ in 0..=MAX_REDIRECTS {
            let is_hub = url.origin() == self.hub.endpoint().origin();
            let mut request = http.request(Method::GET, url.clone()).headers(headers.clone());
            // Another encoding than none would make ranges those of something else.
            request = request.header(header::ACCEPT_ENCODING, "identity");
            if let Some(secret) = self.hub.secret_for(&url) {
                request = request.bearer_auth(secret);
            }
            let response = request.send().await.map_err(|error| lost(error, &url))?;
            self.has_answered.store(true, Ordering::Relaxed);
            if is_hub {
                sha256 = sha256.or_else(|| sha256_of(response.headers()));
            }
            let status = response.status();
            if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Ok(Answer { response, sha256 });
            }
            if !status.is_redirection() {
                return Err(self.refused(&response, &url, subject));
            }
            let target = response.headers().get(header::LOCATION).and_then(|target| target.to_str().ok());
            let next = target.and_then(|target| url.join(target).ok());
            let next = next.with_context(|| format!("{} sends on to nowhere (status {status})", host(&url)))?;
            if is_private(&url) && !is_private(&next) {
                return Err(anyhow!("{} sends on to {}, which is not https; it is not followed", host(&url), host(&next)).into());
            }
            let from = match from {
                Some(reach) => reach,
                None => *from.insert(reach::look_up(&url).await.0),
            };
            http = self.onward(from, &url, &next).await?;
            url = next;
        }
        Err(anyhow!("{} sends on more than {MAX_REDIRECTS} times", host(&url)).into())
    }

    /// What a redirect is followed with: whoever is `from` outside must not send us further in.
    async fn onward(&self, from: Reach, url: &Url, next: &Url) -> Result<reqwest::Client, Failure> {
        let (to, addresses) = reach::look_up(next).await;
        if to > from {
            return Err(
                anyhow!("{} sends on to {}, which is inside this machine's network; it is not followed", host(url), host(next)).into()
            );
        }
        if addresses.is_empty() {
            return Ok(self.http.clone());
        }
        // Held to the addresses that were looked at: a second look-up could give others.
        let pinned = builder(self.hub.endpoint()).resolve_to_addrs(next.host_str().unwrap_or_default(), &addresses);
        Ok(pinned.build().context("cannot make a caller of servers")?)
    }

    fn refused(&self, response: &Response, url: &Url, subject: &Subject) -> Failure {
        let status = response.status();
        if status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) {
            let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let error = anyhow!("{} answered with status {status}; try again later", host(url));
            return Failure::Passing(error, seconds.map(Duration::from_secs));
        }
        Failure::Final(refusal(&self.hub, response, url, subject))
    }

    pub(super) fn attempts(&self) -> Attempts<'_> {
        Attempts::new(&self.retries, &self.has_answered)
    }
}

fn builder(endpoint: &Url) -> reqwest::ClientBuilder {
    let http = reqwest::Client::builder()
        .user_agent(concat!("atelier/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        // Followed here, so that the hub's own headers are seen and the token stays with the hub.
        .redirect(Policy::none());
    // A hub on this machine is not behind a proxy.
    if endpoint.scheme() == "http" && is_private(endpoint) { http.no_proxy() } else { http }
}

/// A connection that could not be made or broke.
pub(super) fn lost(error: reqwest::Error, url: &Url) -> Failure {
    let (why, host) = (Unreachable::of(&error), host(url));
    if error.is_connect() && why.is_certain() {
        return Failure::Offline(Offline { host, why });
    }
    let what = if error.is_connect() { "cannot reach" } else { "lost the connection to" };
    // Addresses of files carry signatures.
    Failure::Passing(anyhow::Error::new(error.without_url()).context(format!("{what} {host}")), None)
}

/// `X-Linked-Etag` of a large file; the plain `ETag` of a small one is no sha256.
fn sha256_of(headers: &HeaderMap) -> Option<Sha256Hex> {
    let etag = headers.get("x-linked-etag").map(HeaderValue::to_str)?.ok()?;
    etag.trim_start_matches("W/").trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::parse_endpoint;

    fn client() -> Client {
        Client::new("https://hub.example/mirror/", Token::new("HF_TOKEN", ""), Retries::new([Duration::ZERO; 2])).expect("an address")
    }

    #[test]
    fn segments_cannot_become_paths() {
        let url = client().hub().url(["a", "b", "revision", "refs/pr/1?x#y"]);
        assert_eq!(url.as_str(), "https://hub.example/mirror/a/b/revision/refs%2Fpr%2F1%3Fx%23y");
        for text in ["huggingface.co", "ftp://x", "https://", ""] {
            assert!(parse_endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::new("HF_TOKEN", "hf_secret")), "Token(HF_TOKEN, set)");
        let bad = Client::new("https://hub.example", Token::new("HF_TOKEN", "hf secret"), Retries::default());
        let error = bad.expect_err("a blank is no part of it").to_string();
        assert!(error.contains("HF_TOKEN") && !error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn nobody_outside_sends_a_pull_inside() {
        let (client, url) = (client(), |text: &str| Url::parse(text).expect("an address"));
        let at = url("https://hub.example/x");
        for (from, next, is_followed) in [
            (Reach::Outside, "https://93.184.216.34/x", true),
            (Reach::Outside, "https://no-such-host.invalid/x", true),
            (Reach::Outside, "https://localhost/x", false),
            (Reach::Outside, "http://127.0.0.1:8080/x", false),
            (Reach::Outside, "https://169.254.169.254/latest/meta-data", false),
            (Reach::Outside, "https://[::ffff:10.0.0.1]/x", false),
            (Reach::Network, "https://10.0.0.2/x", true),
            (Reach::Network, "http://127.0.0.1/x", false),
            (Reach::Machine, "http://127.0.0.1/x", true),
            (Reach::Machine, "https://93.184.216.34/x", true),
        ] {
            let onward = client.onward(from, &at, &url(next)).await;
            assert_eq!(onward.is_ok(), is_followed, "{from:?} {next}");
            if let Err(Failure::Final(error) | Failure::Passing(error, _)) = onward {
                assert!(error.to_string().contains("is inside this machine's network; it is not followed"), "{error}");
            }
        }
    }
}
