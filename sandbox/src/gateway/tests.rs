//! What needs more events than people can say in a test.

use super::{
    Dispatch, GatewayConfig, Hub, INTENT_GUILD_MESSAGES,
    hub::{OpenError, ResumeError},
    session::{Link, Outgoing, Wishes, event},
};
use crate::{Clock, ManualClock, Sandbox, SandboxConfig};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::{connect_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

fn hub() -> (Hub, ManualClock) {
    let clock = ManualClock::new();
    let config = GatewayConfig { identify_interval: Duration::ZERO, ..GatewayConfig::default() };
    (Hub::new(Clock::Manual(clock.clone()), config), clock)
}

fn link() -> (Link, mpsc::Receiver<Outgoing>) {
    let (queue, outgoing) = mpsc::channel(2048);
    (Link { queue, cut: CancellationToken::new() }, outgoing)
}

fn wishes() -> Wishes {
    Wishes { intents: INTENT_GUILD_MESSAGES, shard: (0, 1), wants_compression: false, presence: Value::Null }
}

fn said(words: &str) -> Dispatch {
    let guild = Some(1_000_000_000_000_000_100);
    Dispatch { guild, intent: INTENT_GUILD_MESSAGES, ..event("MESSAGE_CREATE", json!({ "content": words })) }
}

fn events(outgoing: &mut mpsc::Receiver<Outgoing>) -> Vec<Value> {
    let mut events = Vec::new();
    while let Ok(Outgoing::Event(sent)) = outgoing.try_recv() {
        events.push(serde_json::from_str(&sent.payload).expect("an event is JSON"));
    }
    events
}

#[test]
fn a_thousand_events_are_kept_for_a_resume() {
    let (hub, _clock) = hub();
    let (first, _outgoing) = link();
    assert!(hub.open("one", wishes(), first, &[]).is_ok());
    hub.drop_all();
    (0..1001).for_each(|n| hub.dispatch(&said(&n.to_string())));
    let (second, mut outgoing) = link();
    assert!(matches!(hub.resume("one", 0, second.clone()), Err(ResumeError::Invalid)), "the first event is forgotten");
    assert!(matches!(hub.resume("one", 1002, second.clone()), Err(ResumeError::SeqAhead)));
    assert!(hub.resume("one", 1, second).is_ok());
    let events = events(&mut outgoing);
    assert_eq!(events.len(), 1001);
    assert!(events.iter().zip(2..).all(|(event, seq)| event["s"] == seq));
    assert_eq!((&events[0]["d"]["content"], &events[1000]["t"]), (&json!("1"), &json!("RESUMED")));
}

#[test]
fn sessions_are_bounded_and_the_longest_away_makes_room() {
    let (hub, clock) = hub();
    let (connection, mut outgoing) = link();
    for n in 0..64 {
        assert!(hub.open(&n.to_string(), wishes(), connection.clone(), &[]).is_ok());
    }
    assert!(matches!(hub.open("64", wishes(), connection.clone(), &[]), Err(OpenError::Full)));
    hub.leave("7", &connection, false);
    clock.advance(Duration::from_secs(1));
    hub.leave("3", &connection, false);
    assert!(hub.open("64", wishes(), connection.clone(), &[]).is_ok());
    assert!(matches!(hub.resume("7", 0, connection.clone()), Err(ResumeError::Invalid)));
    assert!(hub.resume("3", 0, connection).is_ok());
    assert_eq!(events(&mut outgoing)[0]["t"], "RESUMED");
}

#[test]
fn late_events_are_bounded() {
    let (hub, _clock) = hub();
    let (connection, mut outgoing) = link();
    assert!(hub.open("one", wishes(), connection, &[]).is_ok());
    hub.delay_events(u64::MAX, u64::MAX);
    (0..1003).for_each(|n| hub.dispatch(&said(&n.to_string())));
    assert_eq!(hub.release(), Some(i64::MAX));
    let early: Vec<Value> = events(&mut outgoing).iter_mut().map(|event| event["d"]["content"].take()).collect();
    assert_eq!(early, ["0", "1", "2"]);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_can_resume() {
    let gateway = GatewayConfig { has_resume_port: false, ..GatewayConfig::default() };
    let sandbox = Sandbox::start(SandboxConfig { gateway, ..SandboxConfig::default() }).await.expect("a sandbox starts");
    let state = sandbox.gateway().state;
    let url = state.gateway_url();
    let token = sandbox.token();
    let (mut slow, _) = connect_async(&url).await.expect("the gateway accepts");
    let identify = json!({ "op": 2, "d": { "token": token, "intents": INTENT_GUILD_MESSAGES, "properties": {} } });
    slow.send(Message::text(identify.to_string())).await.expect("the gateway listens");
    let mut session = String::new();
    while session.is_empty() {
        let Some(Ok(Message::Text(payload))) = slow.next().await else { panic!("READY comes") };
        let payload: Value = serde_json::from_str(&payload).expect("a payload is JSON");
        session = payload["d"]["session_id"].as_str().unwrap_or_default().to_owned();
    }
    let words = "x".repeat(10_000);
    let mut n_sent = 0;
    while state.hub.is_online() {
        state.hub.dispatch(&said(&words));
        n_sent += 1;
        assert!(n_sent < 20_000, "the queue of a client that does not read is bounded");
        tokio::task::yield_now().await;
    }
    // What it has not read yet is in the machine's buffers, then comes the end.
    while slow.next().await.is_some_and(|next| next.is_ok()) {}
    for n in 0..3 {
        state.hub.dispatch(&said(&n.to_string()));
    }
    let (mut again, _) = connect_async(&url).await.expect("the gateway accepts");
    let resume = json!({ "op": 6, "d": { "token": token, "session_id": session, "seq": n_sent + 1 } });
    again.send(Message::text(resume.to_string())).await.expect("the gateway listens");
    let mut heard = Vec::new();
    while heard.last() != Some(&json!("RESUMED")) {
        let Some(Ok(Message::Text(payload))) = again.next().await else { panic!("the gateway goes on") };
        let payload: Value = serde_json::from_str(&payload).expect("a payload is JSON");
        heard.push(if payload["t"] == "MESSAGE_CREATE" { payload["d"]["content"].clone() } else { payload["t"].clone() });
    }
    assert_eq!(heard, [Value::Null, json!("0"), json!("1"), json!("2"), json!("RESUMED")]);
}
