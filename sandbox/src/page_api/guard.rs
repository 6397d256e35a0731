use super::PageError;
use crate::state::State;
use axum::{
    extract::{Request, State as Shared},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::IpAddr, sync::Arc};

/// Lets only this machine's own pages in: a page of another site can resolve its name to 127.0.0.1, but cannot fake these headers.
pub(crate) async fn require_loopback(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    match check(request.headers(), state.is_remote_allowed) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// Whether the host is this machine, unless others may, and the origin, where there is one, the same page.
pub(crate) fn check(headers: &HeaderMap, is_remote_allowed: bool) -> Result<(), PageError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let is_same_page = text(header::ORIGIN).is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    if (is_loopback(host) || is_remote_allowed) && is_same_page {
        Ok(())
    } else {
        Err(PageError::new(StatusCode::FORBIDDEN, "the sandbox answers only its own page on this machine"))
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        let check = |host, expected| assert_eq!(is_loopback(host), expected, "{host}");
        check("127.0.0.1:4000", true);
        check("localhost", true);
        check("[::1]:80", true);
        check("localhost.example.org:4000", false);
        check("10.0.0.1:4000", false);
        check("", false);
    }
}
