//! Clients that hang do not stop the stand-in. Its bounds of time are short here, and each test waits for the end of what they bound.

use crate::support::*;
use futures::FutureExt;
use sandbox::{ConnectionLimits, Sandbox, SandboxConfig};
use serde_json::json;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(200);

async fn start_with_limits(limits: ConnectionLimits) -> Sandbox {
    Sandbox::start(SandboxConfig { limits, ..config(None) }).await.expect("a sandbox starts")
}

const JSON: &str = "content-type: application/json\r\ncontent-length:";

#[tokio::test]
async fn a_head_that_never_ends_costs_the_connection() {
    let sandbox = start_with_limits(ConnectionLimits { head_within: SHORT, ..ConnectionLimits::default() }).await;
    let mut slow = Raw::open(&sandbox).await;
    slow.send("GET /api/v10/gateway HTTP/1.1\r\nhost: local").await;
    slow.ended().await;
    let silent = Raw::open(&sandbox).await;
    assert!(silent.ended().await.is_empty());
    // One that has had its answer may rest for as long, and no longer.
    let mut resting = Raw::open(&sandbox).await;
    resting.send("GET /api/v10/gateway HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(resting.answer().await.status, 200);
    resting.ended().await;
}

#[tokio::test]
async fn too_large_a_head_is_431() {
    let sandbox = start().await;
    for (lines, status) in [(1, 200), (40, 431)] {
        let mut raw = Raw::open(&sandbox).await;
        let header = format!("x-filler: {}\r\n", "x".repeat(1000)).repeat(lines);
        raw.send(format!("GET /api/v10/gateway HTTP/1.1\r\nhost: localhost\r\n{header}\r\n")).await;
        assert_eq!(raw.head().await.0, status, "{lines} lines");
    }
}

#[tokio::test]
async fn a_body_that_stalls_or_drips_is_408() {
    let stalls = ConnectionLimits { piece_within: SHORT, ..ConnectionLimits::default() };
    let told = json!({ "message": "408: Request Timeout", "code": 0 });
    let sandbox = start_with_limits(stalls).await;
    let mut slow = Raw::open(&sandbox).await;
    slow.send(message_head(&format!("{JSON} 15")) + "{\"content\"").await;
    let answer = slow.answer().await;
    assert_eq!((answer.status, answer.json()), (408, told.clone()));
    slow.ended().await;
    // As a form, and to the page.
    let mut slow = Raw::open(&sandbox).await;
    slow.send(
        message_head("content-type: multipart/form-data; boundary=xyz\r\ncontent-length: 90") + "--xyz\r\ncontent-disposition: form-",
    )
    .await;
    assert_eq!(slow.answer().await.status, 408);
    let mut slow = Raw::open(&sandbox).await;
    slow.send("POST /sandbox/api/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{")
        .await;
    assert_eq!(slow.answer().await.status, 408);

    let drips = ConnectionLimits { body_within: SHORT, ..ConnectionLimits::default() };
    let sandbox = start_with_limits(drips).await;
    let mut slow = Raw::open(&sandbox).await;
    slow.send(message_head(&format!("{JSON} {}", 90 << 20))).await;
    while slow.n_waiting() == 0 {
        slow.send(" ").await;
        tokio::task::yield_now().await;
    }
    assert_eq!(slow.answer().await.status, 408);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let sandbox = start_with_limits(ConnectionLimits { n_connections: 1, piece_within: SHORT, ..ConnectionLimits::default() }).await;
    let rest = Rest::new(&sandbox);
    let sent =
        rest.upload(reqwest::Method::POST, &format!("/channels/{GENERAL}/messages"), json!({}), &[("a.bin", vec![0; 10 << 20])]).await;
    let url = text(&sent.body["attachments"][0], "url").to_owned();
    let path = url.strip_prefix(sandbox.url()).expect("the file is here").to_owned();
    // The only place, which the client of the upload gives back.
    drop(rest);
    let mut stuck = Raw::open(&sandbox).await;
    stuck.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
    assert_eq!(stuck.head().await.0, 200);
    let rest = Rest::new(&sandbox);
    assert_eq!(rest.get("/gateway").await.status, 200, "the place is free again");
    assert!(stuck.ended().await.len() < 10 << 20);
}

#[tokio::test]
async fn connections_are_bounded_and_the_next_waits() {
    let sandbox = start_with_limits(ConnectionLimits { n_connections: 2, ..ConnectionLimits::default() }).await;
    const ASK: &str = "GET /api/v10/gateway HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let (mut first, mut second, mut third) = (Raw::open(&sandbox).await, Raw::open(&sandbox).await, Raw::open(&sandbox).await);
    for raw in [&mut first, &mut second] {
        raw.send(ASK).await;
        assert_eq!(raw.answer().await.status, 200);
    }
    third.send(ASK).await;
    let mut answered = Box::pin(third.answer());
    for _ in 0..50 {
        second.send(ASK).await;
        assert_eq!(second.answer().await.status, 200);
        assert!(answered.as_mut().now_or_never().is_none(), "there is no place");
    }
    drop(first);
    assert_eq!(answered.await.status, 200);
}
