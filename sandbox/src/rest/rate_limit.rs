use axum::{
    Json,
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Generous beside Discord's 5 in 2 seconds, but finite: a bot that runs wild is told so.
const LIMIT: u32 = 100;
const WINDOW_MS: i64 = 1000;
/// Ended windows are swept when there are this many.
const N_BUCKETS: usize = 10_000;

struct Window {
    n_used: u32,
    ends_ms: i64,
}

/// Counts requests per route and major parameter, as Discord does.
#[derive(Default)]
pub(crate) struct RateLimits {
    windows: Mutex<HashMap<String, Window>>,
}

/// How a bucket stands after a request.
pub(crate) struct Standing {
    bucket: String,
    remaining: u32,
    reset_ms: i64,
    now_ms: i64,
}

/// The request came too early.
pub(crate) struct Limited(Standing);

impl RateLimits {
    /// Counts a request. `None` where Discord has no limit: interaction callbacks.
    pub(crate) fn take(&self, method: &Method, segments: &[&str], now_ms: i64) -> Result<Option<Standing>, Limited> {
        let Some((route, major)) = bucket(method, segments) else { return Ok(None) };
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= N_BUCKETS {
            windows.retain(|_, window| window.ends_ms > now_ms);
        }
        let window = windows.entry(format!("{route} {major}")).or_insert(Window { n_used: 0, ends_ms: now_ms + WINDOW_MS });
        if window.ends_ms <= now_ms {
            *window = Window { n_used: 0, ends_ms: now_ms + WINDOW_MS };
        }
        let is_over = window.n_used >= LIMIT;
        window.n_used = (window.n_used + 1).min(LIMIT);
        let digest = Sha256::digest(route.as_bytes());
        let bucket = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let standing = Standing { bucket, remaining: LIMIT - window.n_used, reset_ms: window.ends_ms, now_ms };
        if is_over { Err(Limited(standing)) } else { Ok(Some(standing)) }
    }
}

/// The route with its minor ids taken out, and the major parameter: channel, guild, or webhook and token.
fn bucket(method: &Method, segments: &[&str]) -> Option<(String, String)> {
    let n_major = match segments.first() {
        Some(&"interactions" | &"gateway") => return None,
        Some(&"webhooks") => 3,
        Some(&"channels" | &"guilds") => 2,
        _ => 1,
    };
    let is_id = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let minor = segments.iter().skip(n_major).map(|part| if is_id(part) { ":id" } else { part });
    let first = segments.first().copied().into_iter();
    let route = format!("{method} {}", first.chain(minor).collect::<Vec<_>>().join("/"));
    Some((route, segments.iter().take(n_major).skip(1).copied().collect::<Vec<_>>().join("/")))
}

impl Standing {
    /// Writes the headers that Discord puts on every answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let left_s = (self.reset_ms - self.now_ms).max(0) as f64 / 1000.0;
        for (name, value) in [
            ("x-ratelimit-limit", LIMIT.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-reset", format!("{:.3}", self.reset_ms as f64 / 1000.0)),
            ("x-ratelimit-reset-after", format!("{left_s:.3}")),
            ("x-ratelimit-bucket", self.bucket.clone()),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

impl IntoResponse for Limited {
    fn into_response(self) -> Response {
        let left_s = (self.0.reset_ms - self.0.now_ms).max(0) as f64 / 1000.0;
        let body = json!({ "message": "You are being rate limited.", "retry_after": left_s, "global": false });
        let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
        self.0.write(response.headers_mut());
        response.headers_mut().insert("retry-after", HeaderValue::from(left_s.ceil() as u64));
        response.headers_mut().insert("x-ratelimit-scope", HeaderValue::from_static("user"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_buckets_of_their_own_and_messages_share_one() {
        let check = |segments: &[&str], route: &str, major: &str| {
            assert_eq!(bucket(&Method::PATCH, segments), Some((route.to_owned(), major.to_owned())));
        };
        check(&["webhooks", "1", "tok", "messages", "@original"], "PATCH webhooks/messages/@original", "1/tok");
        check(&["channels", "7", "messages", "12"], "PATCH channels/messages/:id", "7");
        check(&["applications", "1", "commands"], "PATCH applications/:id/commands", "");
        assert_eq!(bucket(&Method::POST, &["interactions", "1", "tok", "callback"]), None);
    }

    #[test]
    fn a_full_bucket_refuses_until_its_window_ends() {
        let limits = RateLimits::default();
        let take = |now_ms| limits.take(&Method::POST, &["channels", "7", "messages"], now_ms).is_ok();
        assert!((0..LIMIT).all(|_| take(5000)));
        assert!(!take(5999));
        assert!(take(6000));
    }
}
