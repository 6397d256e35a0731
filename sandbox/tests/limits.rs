//! What all routes share: the global limit, the ban after invalid requests, and answers that come slowly.

use crate::support::*;
use futures::FutureExt;
use sandbox::{Clock, Fault, FaultKind, ManualClock, RateLimitConfig, Sandbox, SandboxConfig, Scope};
use serde_json::{Value, json};
use std::time::Duration;

async fn start_limited(n_global: u32, n_invalid: u32) -> (Sandbox, ManualClock, Rest) {
    let clock = ManualClock::new();
    let config = SandboxConfig { rate_limits: RateLimitConfig::Shared { n_global, n_invalid }, ..config(None) };
    let sandbox = Sandbox::start_with_clock(config, Clock::Manual(clock.clone())).await.expect("a sandbox starts");
    let rest = Rest::new(&sandbox);
    (sandbox, clock, rest)
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.get(name).map(|value| value.to_str().expect("headers are text"))
}

#[tokio::test]
async fn the_global_limit_is_told_by_its_headers() {
    let (_sandbox, clock, rest) = start_limited(3, 1000).await;
    for path in ["/users/@me", "/applications/@me", "/users/@me/guilds"] {
        assert_eq!(rest.get(path).await.status, 200, "{path}");
    }
    clock.advance(Duration::from_millis(400));
    let refused = rest.get("/users/@me").await;
    assert_eq!((refused.status, &refused.body["global"], &refused.body["retry_after"]), (429, &json!(true), &json!(0.6)));
    let names = ["retry-after", "x-ratelimit-global", "x-ratelimit-scope", "x-ratelimit-bucket"];
    assert_eq!(names.map(|name| header(&refused, name)), [Some("1"), Some("true"), Some("global"), None]);
    assert_eq!(rest.get("/gateway").await.status, 200, "the gateway's address is outside the limit");
    let webhook = rest.post(&format!("/webhooks/{APP}/nobody"), json!({ "content": "x" })).await;
    assert_eq!(webhook.status, 401, "interactions are outside the limit");
    clock.advance(Duration::from_millis(600));
    assert_eq!(rest.get("/users/@me").await.status, 200);
}

#[tokio::test]
async fn invalid_requests_ban_for_ten_minutes_with_a_page_instead_of_json() {
    let (sandbox, clock, rest) = start_limited(50, 3).await;
    let stranger = Rest { token: "Bot wrong".to_owned(), ..rest.clone() };
    let limit = |scope| Fault { count: Some(1), scope: Some(scope), ms: Some(1500), ..Fault::new(FaultKind::RateLimit) };
    // A shared limit is nobody's fault, however often it is met.
    for _ in 0..5 {
        sandbox.fault(limit(Scope::Shared)).expect("a fault");
        let shared = rest.get("/users/@me").await;
        assert_eq!(
            (shared.status, header(&shared, "x-ratelimit-scope"), header(&shared, "x-ratelimit-global")),
            (429, Some("shared"), None)
        );
        assert_eq!(
            (header(&shared, "retry-after"), &shared.body["retry_after"], &shared.body["global"]),
            (Some("2"), &json!(1.5), &json!(false))
        );
    }
    assert_eq!(stranger.get("/users/@me").await.status, 401);
    sandbox.fault(limit(Scope::Global)).expect("a fault");
    let global = rest.get("/users/@me").await;
    assert_eq!(
        (header(&global, "x-ratelimit-scope"), header(&global, "x-ratelimit-global"), &global.body["global"]),
        (Some("global"), Some("true"), &json!(true))
    );
    assert_eq!(rest.get("/users/@me").await.status, 200, "two were invalid");
    assert_eq!(stranger.get("/users/@me").await.status, 401);
    let banned = rest.get("/users/@me").await;
    assert_eq!((banned.status, header(&banned, "content-type"), &banned.body), (403, Some("text/html; charset=utf-8"), &Value::Null));
    assert_eq!(rest.get("/gateway").await.status, 403, "all of the API is closed");
    clock.advance(Duration::from_secs(599));
    assert_eq!(rest.get("/users/@me").await.status, 403);
    clock.advance(Duration::from_secs(1));
    assert_eq!(rest.get("/users/@me").await.status, 200);
}

#[tokio::test]
async fn a_slow_body_begins_at_once_and_trickles() {
    const ASK: &str = "GET /api/v10/gateway HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let mut raw = Raw::open(&sandbox).await;
    raw.send(ASK).await;
    let whole = raw.answer().await.body;
    sandbox.fault(Fault { count: Some(1), ms: Some(9000), ..Fault::new(FaultKind::SlowBody) }).expect("a fault");
    raw.send(ASK).await;
    let (status, head) = raw.head().await;
    assert!(status == 200 && head.contains(&format!("content-length: {}\r\n", whole.len())), "{head}");
    let size = whole.len().div_ceil(10);
    let pieces: Vec<&[u8]> = whole.chunks(size).collect();
    let step = Duration::from_millis(9000_u64.div_ceil(pieces.len() as u64 - 1));
    assert_eq!(raw.take(size).await, pieces[0]);
    for piece in &pieces[1..] {
        assert!(raw.take(1).now_or_never().is_none() && raw.n_waiting() == 0, "the next piece waits for the clock");
        clock.advance(step);
        assert_eq!(raw.take(piece.len()).await, *piece);
    }
    raw.send(ASK).await;
    assert_eq!(raw.answer().await.body, whole, "the connection goes on, and one answer was slow");

    // A client that gives up, and a stand-in that ends, wait for nothing.
    sandbox.fault(Fault { ms: Some(9000), ..Fault::new(FaultKind::SlowBody) }).expect("a fault");
    raw.send(ASK).await;
    raw.take(1).await;
    drop(raw);
    let mut raw = Raw::open(&sandbox).await;
    raw.send(ASK).await;
    raw.head().await;
    sandbox.shutdown().await;
    assert!(raw.ended().await.len() < whole.len());
}
