//! How long Discord asks to wait.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

/// Longest wait that an answer may ask for; after it we ask again.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// How long an answer asks to wait: by its header, or by its body, which is more exact.
pub(super) fn asked_to_wait(headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Said {
        retry_after: f64,
    }
    let header = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let seconds = serde_json::from_slice::<Said>(body).map(|said| said.retry_after).ok().or(header)?;
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_heard_in_the_header_and_in_the_body() {
        let check = |header: Option<&str>, body: &str, expected: Option<f64>| {
            let mut headers = HeaderMap::new();
            headers.extend(header.map(|value| (RETRY_AFTER, value.parse().expect("a value"))));
            let found = asked_to_wait(&headers, body.as_bytes());
            assert_eq!(found, expected.map(Duration::from_secs_f64), "{header:?}, {body}");
        };
        check(None, "", None);
        check(Some("7"), "", Some(7.0));
        check(Some("0.5"), "<html>", Some(0.5));
        check(None, r#"{"message": "You are being rate limited.", "retry_after": 1.25, "global": false}"#, Some(1.25));
        check(Some("2"), r#"{"retry_after": 1.25}"#, Some(1.25));
        check(Some("7"), r#"{"message": "x", "code": 0}"#, Some(7.0));
        check(Some("86400"), "", Some(3600.0));
        for wrong in ["-1", "soon", "NaN", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            check(Some(wrong), "", None);
        }
    }
}
