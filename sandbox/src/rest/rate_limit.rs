use super::old_edits::OldEdits;
use crate::{error::ApiError, world::Id};
use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{Html, IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many requests a bot may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateLimitConfig {
    /// Discord's own limits, as far as they are known.
    Discord,
    /// 100 in a second per route, and no other limit: finite, so that a bot that runs wild is told so.
    #[default]
    Generous,
    /// Discord's own limits per route, with other numbers for what all routes share: for tests that are to meet them soon.
    Shared {
        /// Requests per second on all routes together, but for interactions. Discord's number is 50.
        n_global: u32,
        /// So many answers 401, 403 and 429 within 10 minutes ban the machine for the rest of them. Discord's number is 10,000.
        n_invalid: u32,
    },
}

impl RateLimitConfig {
    /// Requests per second on all routes, and invalid requests in ten minutes; `None` without such limits.
    fn shared(self) -> Option<(u32, u32)> {
        match self {
            Self::Discord => Some((50, 10_000)),
            Self::Generous => None,
            Self::Shared { n_global, n_invalid } => Some((n_global, n_invalid)),
        }
    }
}

/// Whose limit a 429 is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// The bot's own on one route.
    #[default]
    User,
    /// The bot's own on all routes.
    Global,
    /// That of the resource, which others use too: it does not count towards the ban.
    Shared,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Global => "global",
            Self::Shared => "shared",
        }
    }
}

/// Ended windows are swept when there are this many.
const N_BUCKETS: usize = 10_000;
const INVALID_WINDOW_MS: i64 = 10 * 60 * 1000;

#[derive(Clone, Copy, Default)]
struct Window {
    n_used: u32,
    ends_ms: i64,
}

impl Window {
    /// Counts one more; `false` when the window was full.
    fn take(&mut self, limit: u32, window_ms: i64, now_ms: i64) -> bool {
        if self.ends_ms <= now_ms {
            *self = Self { n_used: 0, ends_ms: now_ms + window_ms };
        }
        let has_room = self.n_used < limit;
        self.n_used = (self.n_used + 1).min(limit);
        has_room
    }
}

#[derive(Default)]
struct Counts {
    windows: HashMap<String, Window>,
    global: Window,
    invalid: Window,
}

/// Counts requests per route and major parameter, as Discord does.
#[derive(Default)]
pub(crate) struct RateLimits {
    config: RateLimitConfig,
    counts: Mutex<Counts>,
    old_edits: OldEdits,
}

/// How a bucket stands after a request.
#[derive(Debug)]
pub(crate) struct Standing {
    bucket: String,
    limit: u32,
    remaining: u32,
    reset_ms: i64,
    now_ms: i64,
}

/// The request came too early: for its bucket, or for all of them together.
#[derive(Debug)]
pub(crate) enum Limited {
    Bucket(Standing),
    Global { retry_after_ms: i64 },
}

impl RateLimits {
    pub(crate) fn new(config: RateLimitConfig) -> Self {
        Self { config, ..Self::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request. `None` where Discord has no limit: interaction callbacks.
    pub(crate) fn take(&self, method: &str, segments: &[&str], now_ms: i64) -> Result<Option<Standing>, Limited> {
        let Some((route, major)) = bucket(method, segments) else { return Ok(None) };
        let (limit, window_ms) = match self.config {
            RateLimitConfig::Generous => (100, 1000),
            RateLimitConfig::Discord | RateLimitConfig::Shared { .. } => limit_of(method, segments),
        };
        let mut counts = self.counts();
        let is_of_interaction = segments.first() == Some(&"webhooks");
        if let Some((n_global, _)) = self.config.shared()
            && !is_of_interaction
            && !counts.global.take(n_global, 1000, now_ms)
        {
            return Err(Limited::Global { retry_after_ms: counts.global.ends_ms - now_ms });
        }
        if counts.windows.len() >= N_BUCKETS {
            counts.windows.retain(|_, window| window.ends_ms > now_ms);
        }
        let window = counts.windows.entry(format!("{route} {major}")).or_default();
        let has_room = window.take(limit, window_ms, now_ms);
        let digest = Sha256::digest(route.as_bytes());
        let bucket = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let standing = Standing { bucket, limit, remaining: limit - window.n_used, reset_ms: window.ends_ms, now_ms };
        if has_room { Ok(Some(standing)) } else { Err(Limited::Bucket(standing)) }
    }

    /// Counts an edit by the bot's own token of a message from `created_ms`.
    pub(crate) fn take_old_edit(&self, channel_id: Id, created_ms: i64, now_ms: i64) -> Result<(), ApiError> {
        match self.config {
            RateLimitConfig::Discord => self.old_edits.take(channel_id, created_ms, now_ms),
            RateLimitConfig::Generous | RateLimitConfig::Shared { .. } => Ok(()),
        }
    }

    /// Counts an answer 401, 403 or 429.
    pub(crate) fn note_invalid(&self, now_ms: i64) {
        if let Some((_, n_invalid)) = self.config.shared() {
            self.counts().invalid.take(n_invalid, INVALID_WINDOW_MS, now_ms);
        }
    }

    /// Whether there were too many invalid requests lately.
    pub(crate) fn is_banned(&self, now_ms: i64) -> bool {
        let Some((_, n_invalid)) = self.config.shared() else { return false };
        let invalid = self.counts().invalid;
        invalid.n_used >= n_invalid && invalid.ends_ms > now_ms
    }
}

/// How many requests in how many milliseconds. Source: what libraries report; Discord does not publish them.
fn limit_of(method: &str, segments: &[&str]) -> (u32, i64) {
    match (method, segments) {
        (_, ["webhooks", ..]) => (5, 2000),
        (_, ["channels", _, "messages", _, "reactions", ..]) => (1, 250),
        ("POST", ["channels", _, "messages"]) | ("PATCH", ["channels", _, "messages", _]) => (5, 5000),
        _ => (50, 1000),
    }
}

/// The route with its minor ids taken out, and the major parameter: channel, guild, or webhook and token.
fn bucket(method: &str, segments: &[&str]) -> Option<(String, String)> {
    let n_major = match segments.first() {
        Some(&"interactions" | &"gateway") => return None,
        Some(&"webhooks") => 3,
        Some(&"channels" | &"guilds") => 2,
        _ => 1,
    };
    let is_id = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let reactions = segments.iter().position(|part| *part == "reactions").unwrap_or(usize::MAX);
    let minor = segments.iter().enumerate().skip(n_major).map(|(n, part)| match n.checked_sub(reactions) {
        // Every emoji and everybody who reacts share one bucket.
        Some(1..) => ":any",
        _ if is_id(part) => ":id",
        _ => part,
    });
    let first = segments.first().copied().into_iter();
    let route = format!("{method} {}", first.chain(minor).collect::<Vec<_>>().join("/"));
    Some((route, segments.iter().take(n_major).skip(1).copied().collect::<Vec<_>>().join("/")))
}

impl Standing {
    /// Writes the headers that Discord puts on every answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let left_s = (self.reset_ms - self.now_ms).max(0) as f64 / 1000.0;
        for (name, value) in [
            ("x-ratelimit-limit", self.limit.to_string()),
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
        match self {
            Self::Bucket(standing) => {
                let mut response = refusal(Scope::User, (standing.reset_ms - standing.now_ms).max(0) as u64);
                standing.write(response.headers_mut());
                response
            }
            Self::Global { retry_after_ms } => refusal(Scope::Global, retry_after_ms.max(0) as u64),
        }
    }
}

/// 429.
pub(crate) fn refusal(scope: Scope, retry_after_ms: u64) -> Response {
    let is_global = scope == Scope::Global;
    let message = if scope == Scope::Shared { "The resource is being rate limited." } else { "You are being rate limited." };
    let body = json!({ "message": message, "retry_after": retry_after_ms as f64 / 1000.0, "global": is_global });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
    mark(&mut response, retry_after_ms, scope.name());
    if is_global {
        response.headers_mut().insert("x-ratelimit-global", HeaderValue::from_static("true"));
    }
    response
}

/// The headers of every 429 that Discord itself answers.
pub(crate) fn mark(response: &mut Response, retry_after_ms: u64, scope: &'static str) {
    let headers = response.headers_mut();
    headers.insert("retry-after", HeaderValue::from(retry_after_ms.div_ceil(1000)));
    headers.insert("x-ratelimit-scope", HeaderValue::from_static(scope));
    // discord.py takes a 429 without this header for a ban by the proxy before Discord, and gives up.
    headers.insert("via", HeaderValue::from_static("1.1 google"));
}

/// What the proxy before Discord answers after too many invalid requests: a page, no JSON.
pub(crate) fn banned() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Access denied</title></head><body><h1>Error 1015</h1><p>You are being rate limited.</p></body></html>";
    (StatusCode::FORBIDDEN, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_buckets_of_their_own_and_messages_share_one() {
        let check = |segments: &[&str], route: &str, major: &str| {
            assert_eq!(bucket("PATCH", segments), Some((route.to_owned(), major.to_owned())));
        };
        check(&["webhooks", "1", "tok", "messages", "@original"], "PATCH webhooks/messages/@original", "1/tok");
        check(&["channels", "7", "messages", "12"], "PATCH channels/messages/:id", "7");
        check(&["applications", "1", "commands"], "PATCH applications/:id/commands", "");
        check(&["channels", "7", "messages", "12", "reactions", "👍", "@me"], "PATCH channels/messages/:id/reactions/:any/:any", "7");
        assert_eq!(bucket("POST", &["interactions", "1", "tok", "callback"]), None);
    }

    #[test]
    fn a_full_bucket_refuses_until_its_window_ends() {
        let check = |config, n: usize, ends_ms| {
            let limits = RateLimits::new(config);
            let take = |now_ms| limits.take("POST", &["channels", "7", "messages"], now_ms).is_ok();
            assert!((0..n).all(|_| take(5000)), "{config:?}");
            assert!(!take(ends_ms - 1), "{config:?}");
            assert!(take(ends_ms), "{config:?}");
        };
        check(RateLimitConfig::Generous, 100, 6000);
        check(RateLimitConfig::Discord, 5, 10_000);
    }

    #[test]
    fn all_routes_together_have_a_limit_that_interactions_do_not_share() {
        let limits = RateLimits::new(RateLimitConfig::Discord);
        let take = |channel: &str| limits.take("POST", &["channels", channel, "messages"], 0);
        assert!((0..50).all(|n| take(&n.to_string()).is_ok()));
        assert!(matches!(take("99"), Err(Limited::Global { retry_after_ms: 1000 })));
        assert!(limits.take("POST", &["webhooks", "1", "tok"], 0).is_ok());
    }

    #[test]
    fn too_many_invalid_requests_ban_for_a_while() {
        let limits = RateLimits::new(RateLimitConfig::Discord);
        (0..9999).for_each(|_| limits.note_invalid(0));
        assert!(!limits.is_banned(0));
        limits.note_invalid(0);
        assert!(limits.is_banned(INVALID_WINDOW_MS - 1));
        assert!(!limits.is_banned(INVALID_WINDOW_MS));
    }
}
