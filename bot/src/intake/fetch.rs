//! Fetches files from Discord's own hosts, and from nowhere else.

use std::time::Duration;

use reqwest::{StatusCode, redirect::Policy};
use url::Url;

use super::{Hosts, NotTaken};
use crate::{
    discord::{BuildError, Endpoint, file_carrier},
    pictures::MAX_BROUGHT_BYTES,
};

/// A file that does not come whole by then is not waited for.
const WITHIN: Duration = Duration::from_secs(30);

/// Fetches files.
pub struct Fetcher {
    http: reqwest::Client,
    hosts: Hosts,
}

impl Fetcher {
    /// A fetcher from these hosts. It follows no redirection and carries no token.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(endpoint: &Endpoint, hosts: Hosts) -> Result<Self, BuildError> {
        let http = file_carrier(endpoint)?.redirect(Policy::none()).timeout(WITHIN).build()?;
        Ok(Self { http, hosts })
    }

    /// A file's bytes, not more than a picture may have.
    ///
    /// # Errors
    /// It cannot be had, or is too long.
    pub async fn get(&self, address: &str) -> Result<Vec<u8>, NotTaken> {
        // What was read from a note or told by Discord is looked at as what somebody typed.
        let refused = || NotTaken::Address(address.chars().take(200).collect());
        let url = Url::parse(address).ok().filter(|url| self.hosts.serves(url)).ok_or_else(refused)?;
        let unreachable = |error: reqwest::Error| {
            tracing::debug!(error = %error.without_url(), "a picture could not be fetched");
            NotTaken::Unreachable
        };
        let mut response = self.http.get(url).send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => return Err(NotTaken::Unreachable),
            _ => return Err(NotTaken::Gone),
        }
        let too_many = NotTaken::TooManyBytes { most_mib: MAX_BROUGHT_BYTES >> 20 };
        if response.content_length().is_some_and(|length| length > MAX_BROUGHT_BYTES) {
            return Err(too_many);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if (bytes.len() + chunk.len()) as u64 > MAX_BROUGHT_BYTES {
                return Err(too_many);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request with these bytes after the status line, and goes on with `more` until nobody listens.
    async fn answered(head: &'static str, more: usize) -> Result<Vec<u8>, NotTaken> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let own = format!("http://{}", listener.local_addr().expect("it is bound"));
        let serving = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await?;
            let mut asked = [0; 1024];
            assert!(client.read(&mut asked).await? > 0, "it is asked for");
            client.write_all(head.as_bytes()).await?;
            for _ in 0..more {
                client.write_all(&[b'x'; 1 << 16]).await?;
            }
            client.shutdown().await
        });
        let endpoint = Endpoint::StandIn(own.clone());
        let fetched = Fetcher::new(&endpoint, Hosts::of(&endpoint)).expect("a client").get(&format!("{own}/attachments/1/2/a.png")).await;
        drop(serving.await.expect("it does not panic"));
        fetched
    }

    #[tokio::test]
    async fn a_file_is_taken_whole_and_bounded_and_no_redirection_is_followed() {
        let most_mib = MAX_BROUGHT_BYTES >> 20;
        for (head, more, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", 0, Ok(b"abc".to_vec())),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 0, Err(NotTaken::Gone)),
            ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\n\r\n", 0, Err(NotTaken::Gone)),
            ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", 0, Err(NotTaken::Unreachable)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na", 0, Err(NotTaken::Unreachable)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", 0, Err(NotTaken::TooManyBytes { most_mib })),
            // It does not say how long it is.
            ("HTTP/1.1 200 OK\r\n\r\n", 1 + (MAX_BROUGHT_BYTES >> 16) as usize, Err(NotTaken::TooManyBytes { most_mib })),
        ] {
            assert_eq!(answered(head, more).await, expected, "{head}");
        }
    }

    #[tokio::test]
    async fn nothing_is_fetched_from_anybody_else() {
        let endpoint = Endpoint::Discord;
        let fetcher = Fetcher::new(&endpoint, Hosts::of(&endpoint)).expect("a client");
        for address in ["http://127.0.0.1:1/attachments/1/2/a.png", "https://example.org/a.png", "x"] {
            assert_eq!(fetcher.get(address).await, Err(NotTaken::Address(address.into())));
        }
    }
}
