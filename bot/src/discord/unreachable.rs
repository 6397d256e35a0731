//! Why a server could not be reached, in words that people know.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
};

/// Why a server could not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// Nobody knows the address of its name.
    Name,
    /// Nobody listens there.
    Refused,
    /// There is no way to it.
    Network,
    /// The connection ended too early.
    BrokenOff,
    /// TLS did not come about.
    Insecure,
    /// Nothing came in time.
    Silent,
    /// Something else.
    Unknown,
}

impl Unreachable {
    /// The reason in an error of the HTTP client.
    pub fn of(error: &reqwest::Error) -> Self {
        let causes = causes(error);
        let says = |words: &str| causes.iter().any(|cause| cause.to_string().contains(words));
        let is_kind = |kinds: &[ErrorKind]| {
            causes.iter().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| kinds.contains(&cause.kind()))
        };
        // The client has no kind for names, and the system's words differ.
        if says("dns error") || says("failed to lookup address") {
            Self::Name
        } else if error.is_timeout() || is_kind(&[ErrorKind::TimedOut]) {
            Self::Silent
        } else if is_kind(&[ErrorKind::ConnectionRefused]) {
            Self::Refused
        } else if is_kind(&[ErrorKind::NetworkUnreachable, ErrorKind::HostUnreachable, ErrorKind::NetworkDown, ErrorKind::AddrNotAvailable])
        {
            Self::Network
        } else if is_kind(&[ErrorKind::InvalidData]) || (error.is_connect() && is_kind(&[ErrorKind::UnexpectedEof])) {
            Self::Insecure
        } else if error.is_request() || error.is_body() || error.is_connect() {
            Self::BrokenOff
        } else {
            Self::Unknown
        }
    }

    /// Whether trying again at once is of no use: this machine has no network, or nobody is there.
    pub fn is_certain(self) -> bool {
        matches!(self, Self::Name | Self::Refused | Self::Network)
    }
}

/// An error and what is behind it.
fn causes(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| behind(error)).collect()
}

/// The next cause. An error of the system leaves out the one that it wraps.
fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source())
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "its name cannot be resolved",
            Self::Refused => "the connection is refused",
            Self::Network => "there is no network that leads to it",
            Self::BrokenOff => "the connection breaks off",
            Self::Insecure => "no secure connection comes about",
            Self::Silent => "it does not answer in time",
            Self::Unknown => "the connection fails",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that reads something, says `answer` and closes; or that keeps the connection open and says nothing.
    async fn server(answer: Option<&'static [u8]>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            // More than any client begins with: what is left unread would make the end a reset.
            let mut begun = [0; 16 << 10];
            let _ = stream.read(&mut begun).await;
            match answer {
                Some(answer) => stream.write_all(answer).await.expect("the caller waits"),
                None => std::future::pending().await,
            }
        });
        address
    }

    #[tokio::test]
    async fn each_way_to_fail_has_its_words() {
        let closed = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port").local_addr().expect("an address");
        let cases = [
            ("https://no-such-host.invalid/".to_owned(), Unreachable::Name),
            ("http://no-such-host.invalid/".to_owned(), Unreachable::Name),
            (format!("http://{closed}/"), Unreachable::Refused),
            (format!("https://{closed}/"), Unreachable::Refused),
            (format!("http://{}/", server(Some(b"")).await), Unreachable::BrokenOff),
            (format!("https://{}/", server(Some(b"")).await), Unreachable::Insecure),
            (format!("https://{}/", server(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await), Unreachable::Insecure),
            (format!("http://{}/", server(None).await), Unreachable::Silent),
            (format!("https://{}/", server(None).await), Unreachable::Silent),
        ];
        for (url, expected) in cases {
            let client = reqwest::Client::builder().use_rustls_tls().no_proxy();
            // Only what never answers is waited for.
            let wait = if expected == Unreachable::Silent { Duration::from_millis(50) } else { Duration::from_secs(60) };
            let client = client.timeout(wait).build().expect("a client");
            let error = client.get(&url).send().await.expect_err(&url);
            assert_eq!(Unreachable::of(&error), expected, "{url}: {error:?}");
        }
    }
}
