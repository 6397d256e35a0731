//! Who is answered at all: programs, and the page itself. A page of another site can resolve its name to this machine or open a socket to it,
//! but it cannot fake the headers by which it is known.

use crate::{error::ApiError, page_api::PageError, state::State};
use axum::{
    extract::{Request, State as Shared},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

const REFUSAL: &str = "the sandbox answers only its own page and programs that call it by its own address";

/// By which names the stand-in may be called.
#[derive(Debug)]
pub(crate) struct Guard {
    /// In lower case.
    names: Vec<String>,
    /// Where it listens, if other machines may call it by that address; 0.0.0.0 stands for every address.
    remote: Option<IpAddr>,
}

impl Guard {
    /// Known as this machine, by these names, and where other machines may in by the address that it listens on.
    pub(crate) fn new(names: Vec<String>, remote: Option<IpAddr>) -> Self {
        Self { names: names.into_iter().map(|name| name.to_ascii_lowercase()).collect(), remote }
    }

    /// Whether the host is one of the stand-in's own, and the origin, where there is one, the same page.
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Ok(Some(host)) = only(headers, header::HOST) else { return false };
        let is_same_page = match only(headers, header::ORIGIN) {
            Ok(origin) => origin.is_none_or(|origin| origin.strip_prefix("http://").is_some_and(|page| page.eq_ignore_ascii_case(host))),
            Err(Unclear) => false,
        };
        self.is_own(host) && is_same_page
    }

    fn is_own(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).to_ascii_lowercase();
        match name.parse::<IpAddr>() {
            // An address cannot be made to lead elsewhere, as a name can.
            Ok(ip) => ip.is_loopback() || self.remote.is_some_and(|own| own.is_unspecified() || own == ip) || self.names.contains(&name),
            Err(_) => name == "localhost" || self.names.contains(&name),
        }
    }
}

/// A header that comes twice, or is no text.
struct Unclear;

fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Unclear> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Unclear),
        (Some(_), Some(_)) => Err(Unclear),
    }
}

/// Refuses what the guard does not let in, in the form of the API that was asked.
pub(crate) async fn before(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    if state.guard.lets_in(request.headers()) {
        return next.run(request).await;
    }
    tracing::warn!(host = ?request.headers().get(header::HOST), origin = ?request.headers().get(header::ORIGIN), "a stranger was turned away");
    match request.uri().path().starts_with("/api/") {
        true => ApiError::new(StatusCode::FORBIDDEN, 0, REFUSAL).into_response(),
        false => PageError::new(StatusCode::FORBIDDEN, REFUSAL).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).expect("a header");
        let host = std::iter::once((header::HOST, value(host)));
        host.chain(origin.map(|origin| (header::ORIGIN, value(origin)))).collect()
    }

    #[test]
    fn hosts_are_its_own() {
        let at = |text: &str| Some(text.parse().expect("an address"));
        let here = Guard::new(vec!["Bots.lan".to_owned()], None);
        let there = Guard::new(Vec::new(), at("192.168.1.5"));
        let everywhere = Guard::new(Vec::new(), at("0.0.0.0"));
        let check = |host: &str, expected: [bool; 3]| {
            let found = [&here, &there, &everywhere].map(|guard| guard.lets_in(&headers(host, None)));
            assert_eq!(found, expected, "{host}");
        };
        for host in ["127.0.0.1:4000", "127.0.0.1", "127.9.9.9:1", "localhost", "LOCALHOST:4000", "[::1]:80", "[::1]"] {
            check(host, [true, true, true]);
        }
        for host in
            ["", "evil.example", "localhost.evil.example:4000", "127.0.0.1.evil.example", "evil.example:127.0.0.1", "localhost:4000:1"]
        {
            check(host, [false, false, false]);
        }
        check("bots.lan:8090", [true, false, false]);
        check("192.168.1.5:8090", [false, true, true]);
        check("10.0.0.1:4000", [false, false, true]);
        check("[fe80::1]:80", [false, false, true]);
    }

    #[test]
    fn origins_are_the_same_page() {
        let guard = Guard::new(Vec::new(), None);
        let check =
            |host: &str, origin: &str, expected| assert_eq!(guard.lets_in(&headers(host, Some(origin))), expected, "{host} {origin}");
        check("127.0.0.1:8090", "http://127.0.0.1:8090", true);
        check("localhost", "http://localhost", true);
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1:8091",
            "http://localhost:8090",
            "https://127.0.0.1:8090",
            "127.0.0.1:8090",
        ] {
            check("127.0.0.1:8090", origin, false);
        }
        check("evil.example", "http://evil.example", false);
    }

    #[test]
    fn a_header_that_comes_twice_is_refused() {
        let guard = Guard::new(Vec::new(), None);
        for name in [header::HOST, header::ORIGIN] {
            let mut twice = headers("localhost", Some("http://localhost"));
            twice.append(name, HeaderValue::from_static("localhost"));
            assert!(!guard.lets_in(&twice));
        }
        assert!(!guard.lets_in(&HeaderMap::new()), "a host is needed");
    }
}
