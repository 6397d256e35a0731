//! Where the hub is, and who asks it.

use anyhow::{Context, bail};
use reqwest::Url;

use super::{source::is_private, token::Token};

/// Where the hub is, and who asks it.
#[derive(Clone, Debug)]
pub struct Hub {
    endpoint: Url,
    token: Token,
}

impl Hub {
    pub(super) fn new(endpoint: &str, token: Token) -> anyhow::Result<Self> {
        let endpoint = parse_endpoint(endpoint)?;
        let hub = Self { endpoint, token };
        if hub.token.secret.as_ref().is_some_and(|secret| !secret.bytes().all(|byte| byte.is_ascii_graphic())) {
            bail!("{} holds characters that no token has; copy it again from {}", hub.token.variable, hub.token_page());
        }
        Ok(hub)
    }

    /// Its address.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The environment variable that a token is kept in.
    pub(super) fn token_variable(&self) -> &str {
        &self.token.variable
    }

    /// Whether a token is sent to it.
    pub(super) fn has_token(&self) -> bool {
        self.secret_for(&self.endpoint).is_some()
    }

    /// The secret, for an address that may see it.
    pub(super) fn secret_for(&self, url: &Url) -> Option<&str> {
        self.token.secret.as_deref().filter(|_| url.origin() == self.endpoint.origin() && is_private(url))
    }

    /// Where people make tokens.
    pub(super) fn token_page(&self) -> String {
        format!("{}/settings/tokens", self.endpoint.as_str().trim_end_matches('/'))
    }

    /// An address of the hub; each segment is encoded.
    pub(super) fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.endpoint.clone();
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(segments);
        url
    }
}

/// Reads the hub's address.
///
/// # Errors
/// It is not one of http or https.
pub fn parse_endpoint(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.with_context(|| format!("the hub's address must be like https://huggingface.co, not `{text}`"))
}

/// A server's name for people.
pub(super) fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}
