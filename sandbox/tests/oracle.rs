//! What breaks Discord's description is listed; faults, journal and limits through the real API.

use crate::support::*;
use reqwest::StatusCode;
use sandbox::{Clock, Fault, FaultKind, ManualClock, OnViolation, RateLimitConfig, Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

fn messages() -> String {
    format!("/channels/{GENERAL}/messages")
}

async fn control(sandbox: &Sandbox, method: reqwest::Method, path: &str, body: Value) -> (StatusCode, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
    let mut request = client.request(method, format!("{}/sandbox/api/control{path}", sandbox.url()));
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.expect("the sandbox answers");
    (response.status(), response.json().await.expect("the answer is JSON"))
}

#[tokio::test]
async fn misspelt_fields_are_violations_that_the_page_hears_of() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let seq = ada.seq().await.expect("the sandbox counts");
    assert_eq!(rest.post(&messages(), json!({ "content": "fine" })).await.status, 200);
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
    let sent = rest.post(&messages(), json!({ "content": "x", "allowed_mention": { "parse": [] } })).await;
    assert_eq!(sent.status, 200, "Discord ignores what it does not know");
    let found = sandbox.violations();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].method.as_str(), found[0].route.as_str()), ("POST", "/channels/{channel_id}/messages"));
    assert!(found[0].message.ends_with("did you mean `allowed_mentions`?"), "{}", found[0].message);
    let (_, events) = ada.events(seq, SOON).await.expect("the events are there");
    assert!(events.iter().any(|event| event["type"] == "violation" && event["data"]["direction"] == "request"), "{events:?}");
    let (_, listed) = control(&sandbox, reqwest::Method::GET, "/violations", Value::Null).await;
    assert!(listed.as_array().is_some_and(|listed| listed.iter().any(|one| one["direction"] == "request")));
    control(&sandbox, reqwest::Method::DELETE, "/violations", Value::Null).await;
    assert!(sandbox.violations().is_empty());
}

#[tokio::test]
async fn a_violation_fails_the_test_that_owns_the_sandbox() {
    assert_eq!(SandboxConfig::default().on_violation, OnViolation::Panic);
    let violated = async || {
        let sandbox = start().await;
        Rest::new(&sandbox).get("/nobody/knows").await;
        sandbox
    };
    let sandbox = violated().await;
    let dropped = tokio::spawn(async move { drop(sandbox) }).await;
    let ended = tokio::spawn(violated().await.shutdown()).await;
    for told in [dropped, ended] {
        let told = told.expect_err("the end panics").into_panic();
        let told = told.downcast_ref::<String>().expect("it says why");
        assert!(told.contains("request GET /nobody/knows: Discord has no GET /nobody/knows"), "{told}");
    }
    let sandbox = violated().await;
    let failing = tokio::spawn(async move {
        let _sandbox = sandbox;
        panic!("the test's own failure");
    });
    let told = failing.await.expect_err("it panics").into_panic();
    assert_eq!(told.downcast_ref::<&str>(), Some(&"the test's own failure"), "the first failure is the one that is told");
    let sandbox = violated().await;
    sandbox.forgive_violations();
    sandbox.shutdown().await;
    let lenient = SandboxConfig { on_violation: OnViolation::Report, ..config(None) };
    let sandbox = Sandbox::start(lenient).await.expect("a sandbox starts");
    Rest::new(&sandbox).get("/nobody/knows").await;
    assert_eq!(sandbox.violations().len(), 1);
}

#[tokio::test]
async fn faults_meet_requests_as_often_as_asked() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let once = |kind| Fault { count: Some(1), ..Fault::new(kind) };
    sandbox.fault(Fault { status: Some(502), ..once(FaultKind::ServerError) }).expect("a fault");
    let broken = rest.get("/users/@me").await;
    assert_eq!(
        (broken.status, broken.body, &broken.headers["content-type"]),
        (502, Value::Null, &"text/html; charset=utf-8".parse().expect("a header"))
    );
    sandbox.fault(once(FaultKind::ServerError)).expect("a fault");
    assert_eq!(rest.get("/users/@me").await.body["message"], "500: Internal Server Error");
    sandbox.fault(Fault { ms: Some(2500), ..once(FaultKind::RateLimit) }).expect("a fault");
    let limited = rest.get("/users/@me").await;
    assert_eq!(
        (limited.status, &limited.headers["retry-after"], &limited.body["retry_after"]),
        (429, &"3".parse().expect("a header"), &json!(2.5))
    );
    assert_eq!(rest.get("/users/@me").await.status, 200, "each met one request");
    assert!(sandbox.fault(Fault { probability: 2.0, ..once(FaultKind::Reset) }).is_err());
}

#[tokio::test]
async fn a_reset_cuts_an_upload_and_a_lost_answer_leaves_the_message() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let url = format!("{}{}", rest.base, messages());
    let send = async |body: Vec<u8>| {
        let request = rest.client.post(&url).header("authorization", &rest.token).header("content-type", "application/json");
        request.body(body).send().await
    };
    sandbox.fault(Fault { count: Some(1), ..Fault::new(FaultKind::Reset) }).expect("a fault");
    assert!(send(vec![b' '; 8 << 20]).await.is_err());
    assert_eq!(rest.get(&messages()).await.body, json!([]), "nothing was read");
    sandbox
        .fault(Fault { count: Some(1), route: Some("POST /channels".to_owned()), ..Fault::new(FaultKind::LostAnswer) })
        .expect("a fault");
    assert!(send(br#"{"content":"lost"}"#.to_vec()).await.is_err());
    assert_eq!(rest.get(&messages()).await.body[0]["content"], "lost");
}

#[tokio::test]
async fn the_control_api_lists_faults_and_moves_the_clock() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let rest = Rest::new(&sandbox);
    let (status, begun) = control(&sandbox, reqwest::Method::POST, "/faults", json!({ "kind": "latency", "ms": 5000 })).await;
    assert_eq!(status, 200, "{begun}");
    let (_, listed) = control(&sandbox, reqwest::Method::GET, "/faults", Value::Null).await;
    assert_eq!((&listed["active"][0]["kind"], &listed["active"][0]["id"], &listed["seed"]), (&json!("latency"), &begun["id"], &json!(0)));
    let late = tokio::spawn(async move { rest.get("/users/@me").await.status });
    while control(&sandbox, reqwest::Method::POST, "/clock/advance", json!({ "ms": 5000 })).await.0 == 200 && !late.is_finished() {}
    assert_eq!(late.await.expect("the request ends"), 200);
    let path = format!("/faults/{}", text(&begun, "id"));
    assert_eq!(control(&sandbox, reqwest::Method::DELETE, &path, Value::Null).await.0, 200);
    assert_eq!(control(&sandbox, reqwest::Method::DELETE, &path, Value::Null).await.0, 404);
    assert_eq!(control(&sandbox, reqwest::Method::POST, "/faults", json!({ "kind": "automod", "word": " " })).await.0, 400);
    assert_eq!(control(&sandbox, reqwest::Method::POST, "/faults", json!({ "kind": "automod", "word": "x" })).await.0, 200);
    assert_eq!(control(&sandbox, reqwest::Method::POST, "/faults", json!({ "kind": "nonsense" })).await.0, 422);
    let system = start().await;
    assert_eq!(control(&system, reqwest::Method::POST, "/clock/advance", json!({ "ms": 1 })).await.0, 409);
}

#[tokio::test]
async fn the_journal_keeps_what_passed_without_tokens() {
    let directory = tempfile::tempdir().expect("a directory");
    let kept = SandboxConfig { journal_bytes: 1 << 20, ..config(Some(directory.path())) };
    let sandbox = Sandbox::start(kept).await.expect("a sandbox starts");
    let rest = Rest::new(&sandbox);
    rest.post(&messages(), json!({ "content": "hello" })).await;
    rest.patch(&format!("/webhooks/{APP}/verysecret/messages/@original"), json!({ "content": "x" })).await;
    rest.get("/nobody/knows").await;
    let (_, journal) = control(&sandbox, reqwest::Method::GET, "/journal?after=0&limit=50", Value::Null).await;
    let lines = journal["lines"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line["kind"] == "rest" && line["request"]["content"] == "hello" && line["status"] == 200), "{lines:?}");
    assert!(lines.iter().any(|line| line["kind"] == "unknown_route" && line["path"] == "/nobody/knows"), "{lines:?}");
    assert!(!journal.to_string().contains("verysecret"));
    expect_violations(&sandbox, &["Discord has no GET /nobody/knows"]);
    sandbox.shutdown().await;
    let file = std::fs::read_to_string(directory.path().join("journal.jsonl")).expect("the journal is a file");
    assert!(file.lines().count() >= lines.len() && file.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{file}");
}

#[tokio::test]
async fn messages_have_discords_limit_until_the_clock_moves_on() {
    let clock = ManualClock::new();
    let strict = SandboxConfig { rate_limits: RateLimitConfig::Discord, ..config(None) };
    let sandbox = Sandbox::start_with_clock(strict, Clock::Manual(clock.clone())).await.expect("a sandbox starts");
    let rest = Rest::new(&sandbox);
    for remaining in (0..5).rev() {
        let sent = rest.post(&messages(), json!({ "content": "x" })).await;
        assert_eq!((sent.status, &sent.headers["x-ratelimit-remaining"]), (200, &remaining.to_string().parse().expect("a header")));
    }
    let refused = rest.post(&messages(), json!({ "content": "x" })).await;
    assert_eq!((refused.status, &refused.headers["x-ratelimit-scope"]), (429, &"user".parse().expect("a header")));
    clock.advance(Duration::from_secs(5));
    assert_eq!(rest.post(&messages(), json!({ "content": "x" })).await.status, 200);
}
