//! Why a server does not give a file: one sentence for each case, saying what to do.

use anyhow::anyhow;
use reqwest::{Response, StatusCode, Url};

use super::{
    address::{Hub, host},
    source::{Repo, Source},
};

/// What the hub says of a token that it does not know.
const BAD_TOKEN: &str = "Invalid credentials in Authorization header";

/// What is asked for, in people's words.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// `OWNER/NAME`, or a file of it, or a file and its server.
    name: String,
    of_hub: Option<OfHub>,
}

#[derive(Clone, Debug)]
struct OfHub {
    repo: String,
    revision: String,
    /// Where the licence is.
    page: Url,
}

impl Subject {
    pub fn repo(hub: &Hub, repo: &Repo) -> Self {
        let page = hub.url([repo.owner.as_str(), repo.name.as_str()]);
        Self { name: repo.to_string(), of_hub: Some(OfHub { repo: repo.to_string(), revision: repo.revision.clone(), page }) }
    }

    pub fn file(hub: &Hub, repo: &Repo, file: &str) -> Self {
        Self { name: format!("{repo}/{file}"), ..Self::repo(hub, repo) }
    }

    pub fn address(url: &Url) -> Self {
        let file = Source::Address(url.clone()).usual_name().unwrap_or_else(|| url.path().to_owned());
        Self { name: format!("{file} at {}", host(url)), of_hub: None }
    }
}

/// What a refusing status means; never retried.
pub(super) fn refusal(hub: &Hub, response: &Response, url: &Url, subject: &Subject) -> anyhow::Error {
    let (name, status) = (&subject.name, response.status());
    match &subject.of_hub {
        Some(of_hub) => refusal_of_hub(hub, response, of_hub, name),
        None if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            anyhow!(
                "{} wants a login for {name} (status {status}); download it with a browser and put it into the models folder",
                host(url)
            )
        }
        None if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) => anyhow!("there is no {name}; check the address"),
        None => anyhow!("{} answered with status {status} for {name}", host(url)),
    }
}

fn refusal_of_hub(hub: &Hub, response: &Response, of_hub: &OfHub, name: &str) -> anyhow::Error {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (code, status, OfHub { repo, revision, page }) = (header("x-error-code"), response.status(), of_hub);
    let (host, tokens, token) = (host(hub.endpoint()), hub.token_page(), hub.token_variable());
    match (status, hub.has_token()) {
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, false) if code == "GatedRepo" => {
            anyhow!("{repo} is gated: accept its licence at {page}, make a token at {tokens} and set {token} to it")
        }
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, true) if code == "GatedRepo" => {
            anyhow!("{repo} is gated and the account of {token} has no access: accept its licence at {page} and wait until it is granted")
        }
        // The hub answers 401 for what does not exist, so as not to tell what private models there are.
        (StatusCode::UNAUTHORIZED, false) => {
            anyhow!("{host} has no {repo}, or it is private: check the name at {page}, or make a token at {tokens} and set {token} to it")
        }
        (StatusCode::UNAUTHORIZED, true) if header("x-error-message") == BAD_TOKEN => {
            anyhow!("{host} does not know the token in {token}; make a new one at {tokens}")
        }
        (StatusCode::UNAUTHORIZED, true) => {
            anyhow!("{host} has no {repo}, or the token in {token} may not see it: check the name at {page} and the token at {tokens}")
        }
        (StatusCode::FORBIDDEN, false) => anyhow!("{host} refuses {repo} without a token: make one at {tokens} and set {token} to it"),
        (StatusCode::FORBIDDEN, true) => anyhow!("{host} refuses {repo} to the token in {token}: see {page} and {tokens}"),
        (StatusCode::NOT_FOUND, _) if code == "RevisionNotFound" => {
            anyhow!("{repo} has no revision `{revision}`; its branches and tags are at {page}/tree/main")
        }
        (StatusCode::NOT_FOUND, _) => anyhow!("{host} has no {name}; check the name at {page}"),
        _ => anyhow!("{host} answered with status {status} for {name}"),
    }
}
