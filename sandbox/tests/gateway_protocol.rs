//! The gateway's protocol: heartbeats, close codes, limits and compression.

use crate::support::*;
use futures::SinkExt;
use sandbox::{GatewayConfig, Visitor};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Sends one payload on a new connection and expects it to be closed with this code.
async fn check(sandbox: &sandbox::Sandbox, payload: Value, code: u16) {
    let mut gateway = Gateway::open(sandbox).await;
    gateway.send(payload.clone()).await;
    assert_eq!(gateway.close_code().await, code, "{payload}");
}

#[tokio::test]
async fn what_cannot_be_understood_closes_with_4001_or_4002() {
    let sandbox = start().await;
    check(&sandbox, json!({ "op": 77, "d": {} }), 4001).await;
    check(&sandbox, json!({ "op": 0, "d": {} }), 4001).await;
    check(&sandbox, json!({ "d": {} }), 4002).await;
    check(&sandbox, json!({ "op": "2", "d": {} }), 4002).await;
    check(&sandbox, json!({ "op": 1, "d": "now" }), 4002).await;
    check(&sandbox, json!({ "op": 2, "d": null }), 4002).await;
    check(&sandbox, json!({ "op": 2, "d": { "intents": 0 } }), 4002).await;
    // 4096 bytes are taken, one more is not.
    let padded = |length: usize| {
        let empty = json!({ "op": 1, "d": null, "x": "" }).to_string().len();
        json!({ "op": 1, "d": null, "x": "x".repeat(length - empty) })
    };
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.send(padded(4096)).await;
    assert_eq!(gateway.next().await["op"], 11);
    check(&sandbox, padded(4097), 4002).await;
    // Larger than the largest frame that is read at all.
    check(&sandbox, padded(300_000), 4002).await;
    for garbage in [b"not json".as_slice(), &[0, 159, 146, 150], b""] {
        let mut gateway = Gateway::open(&sandbox).await;
        gateway.send_bytes(garbage).await;
        assert_eq!(gateway.close_code().await, 4002, "{garbage:?}");
    }
    let mut gateway = Gateway::ready(&sandbox).await;
    gateway.send(json!({ "op": 3, "d": "busy" })).await;
    assert_eq!(gateway.close_code().await, 4002);
}

#[tokio::test]
async fn who_may_not_come_in_is_told_by_the_code() {
    let sandbox = start().await;
    for op in [3, 4, 8, 31] {
        check(&sandbox, json!({ "op": op, "d": {} }), 4003).await;
    }
    check(&sandbox, identify(json!({ "token": "wrong" })), 4004).await;
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.send(json!({ "op": 6, "d": { "token": "wrong", "session_id": "any", "seq": 0 } })).await;
    assert_eq!(gateway.next().await, json!({ "op": 9, "d": false, "s": null, "t": null }));
    for shard in [json!([1, 1]), json!([0, 0]), json!([0]), json!(["0", "1"]), json!([-1, 2])] {
        check(&sandbox, identify(json!({ "shard": shard })), 4010).await;
    }
    for intents in [json!(1_u64 << 17), json!(1_u64 << 40), json!(-1), json!("1"), Value::Null] {
        check(&sandbox, identify(json!({ "intents": intents })), 4013).await;
    }
    let mut gateway = Gateway::ready(&sandbox).await;
    gateway.send(identify(json!({}))).await;
    assert_eq!(gateway.close_code().await, 4005);
    let mut gateway = Gateway::ready(&sandbox).await;
    gateway.send(json!({ "op": 6, "d": { "token": TOKEN, "session_id": gateway.session, "seq": 1 } })).await;
    assert_eq!(gateway.close_code().await, 4005);
    for query in ["v=9", "v=10&encoding=etf", "v=x"] {
        let mut gateway = Gateway::connect(&format!("{}/?{query}", gateway_url(&sandbox))).await;
        assert_eq!(gateway.close_code().await, 4012, "{query}");
    }
}

#[tokio::test]
async fn what_the_application_must_have_switched_on_is_checked() {
    let content_only = GatewayConfig { privileged_intents: 1 << 15, min_shards: 2, ..GatewayConfig::default() };
    let (sandbox, _clock) = start_gateway(content_only).await;
    check(&sandbox, identify(json!({ "intents": 1 << 1, "shard": [0, 2] })), 4014).await;
    check(&sandbox, identify(json!({ "intents": 1 << 8, "shard": [0, 2] })), 4014).await;
    check(&sandbox, identify(json!({ "intents": 1 << 15 })), 4011).await;
    check(&sandbox, identify(json!({ "intents": 0, "shard": [0, 1] })), 4011).await;
    assert_eq!(Rest::new(&sandbox).get("/gateway/bot").await.body["shards"], 2);
    let mut gateway = Gateway::open(&sandbox).await;
    let presence = json!({ "since": { "secs_since_epoch": 5, "nanos_since_epoch": 0 }, "status": "idle", "afk": false, "activities": [] });
    let ready = gateway.identify_with(json!({ "intents": 1 << 15, "shard": [0, 2], "presence": presence })).await;
    assert_eq!(ready["shard"], json!([0, 2]));
}

#[tokio::test]
async fn a_client_that_sends_no_heartbeat_is_asked_and_then_closed() {
    let (sandbox, clock) = start_gateway(GatewayConfig { heartbeat_interval: seconds(10), ..GatewayConfig::default() }).await;
    let mut gateway = Gateway::connect(&gateway_url(&sandbox)).await;
    assert_eq!(gateway.next().await["d"]["heartbeat_interval"], 10_000);
    gateway.identify(0).await;
    gateway.answers_heartbeats = false;
    for _ in 0..3 {
        clock.advance(seconds(14));
        gateway.beat().await;
    }
    clock.advance(seconds(15));
    assert_eq!(gateway.next().await["op"], 1, "the gateway asks");
    gateway.beat().await;
    clock.advance(seconds(14));
    gateway.beat().await;
    // However far the clock is moved, the client has its chance.
    clock.advance(seconds(200));
    assert_eq!(gateway.next().await["op"], 1);
    clock.advance(seconds(5));
    assert_eq!(gateway.close_code().await, 4009);
    let mut again = gateway.resume().await;
    again.event("RESUMED").await;
}

#[tokio::test]
async fn a_client_that_never_identifies_is_closed() {
    let (sandbox, clock) = start_gateway(GatewayConfig::default()).await;
    let mut gateway = Gateway::open(&sandbox).await;
    clock.advance(seconds(29));
    gateway.beat().await;
    clock.advance(seconds(30));
    assert_eq!(gateway.close_code().await, 4009);
}

#[tokio::test]
async fn more_than_120_payloads_in_a_minute_close_with_4008() {
    let (sandbox, clock) = start_gateway(GatewayConfig::default()).await;
    let mut gateway = Gateway::ready(&sandbox).await;
    for _ in 0..119 {
        gateway.beat().await;
    }
    clock.advance(seconds(60));
    for _ in 0..120 {
        gateway.beat().await;
    }
    gateway.send(json!({ "op": 1, "d": null })).await;
    assert_eq!(gateway.close_code().await, 4008);
    gateway.resume().await.event("RESUMED").await;
}

#[tokio::test]
async fn identifies_wait_for_each_other_by_max_concurrency() {
    let (sandbox, clock) = start_gateway(GatewayConfig { max_concurrency: 2, ..GatewayConfig::default() }).await;
    let mut first = Gateway::open(&sandbox).await;
    first.identify_with(json!({ "shard": [0, 4] })).await;
    let mut second = Gateway::open(&sandbox).await;
    second.identify_with(json!({ "shard": [1, 4] })).await;
    let mut third = Gateway::open(&sandbox).await;
    third.send(identify(json!({ "shard": [2, 4] }))).await;
    assert_eq!(third.next().await, json!({ "op": 9, "d": false, "s": null, "t": null }));
    clock.advance(seconds(5));
    third.identify_with(json!({ "shard": [2, 4] })).await;
    let limit = Rest::new(&sandbox).get("/gateway/bot").await.body["session_start_limit"].take();
    assert_eq!(limit, json!({ "total": 1000, "remaining": 997, "reset_after": 24 * 3600 * 1000 - 5000, "max_concurrency": 2 }));
}

#[tokio::test]
async fn the_last_identify_of_a_day_costs_the_token() {
    let config = GatewayConfig { session_starts: 2, identify_interval: Duration::ZERO, ..GatewayConfig::default() };
    let (sandbox, _clock) = start_gateway(config).await;
    let mut first = Gateway::ready(&sandbox).await;
    Gateway::ready(&sandbox).await.close(1000).await;
    assert_eq!(Rest::new(&sandbox).get("/gateway/bot").await.body["session_start_limit"]["remaining"], 0);
    check(&sandbox, identify(json!({})), 4004).await;
    assert_eq!(first.close_code().await, 4004, "all sessions end");
    sandbox.gateway().restore_token();
    Gateway::ready(&sandbox).await;
}

#[tokio::test]
async fn payloads_are_compressed_for_who_asks_when_identifying() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut gateway = Gateway::open(&sandbox).await;
    assert!(!gateway.was_binary, "HELLO comes before the wish");
    gateway.identify(1 << 9 | 1 << 15).await;
    assert!(gateway.was_binary);
    ada.say("general", "pressed").await.expect("ada may speak");
    assert_eq!((gateway.heard().await.as_str(), gateway.was_binary), ("pressed", true));
    gateway.beat().await;
    assert!(!gateway.was_binary, "clients must expect both");
    sandbox.drop_gateway();
    ada.say("general", "missed").await.expect("ada may speak");
    let mut again = gateway.resume().await;
    assert_eq!((again.heard().await.as_str(), again.was_binary), ("missed", true), "the wish belongs to the session");

    let mut plain = Gateway::open(&sandbox).await;
    plain.identify_with(json!({ "intents": 1 << 9, "compress": false })).await;
    assert!(!plain.was_binary);
    let (sandbox, _clock) = start_gateway(GatewayConfig { allows_compression: false, ..GatewayConfig::default() }).await;
    let mut refused = Gateway::open(&sandbox).await;
    refused.identify(0).await;
    assert!(!refused.was_binary);
}

#[tokio::test]
async fn a_transport_can_be_one_zlib_stream() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let url = format!("{}/?v=10&encoding=json&compress=zlib-stream", gateway_url(&sandbox));
    let mut gateway = Gateway::open_at(&url).await;
    assert!(gateway.was_binary, "from HELLO on");
    // With a transport that is compressed, the wish for compressed payloads means nothing.
    gateway.identify(1 | 1 << 9 | 1 << 15).await;
    gateway.event("GUILD_CREATE").await;
    gateway.event("GUILD_CREATE").await;
    for n in 0..20 {
        ada.say("general", &format!("{n}{}", " long".repeat(n * 15))).await.expect("ada may speak");
        assert!(gateway.heard().await.starts_with(&n.to_string()));
        gateway.beat().await;
        assert!(gateway.was_binary);
    }
    for unknown in ["zstd-stream", "gzip"] {
        let mut gateway = Gateway::open_at(&format!("{}/?v=10&compress={unknown}", gateway_url(&sandbox))).await;
        gateway.identify_with(json!({})).await;
        assert!(!gateway.was_binary, "{unknown} is not offered");
    }
}

#[tokio::test]
async fn pings_and_frames_of_several_parts_are_ordinary() {
    let sandbox = start().await;
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.socket.send(Message::Ping("here".into())).await.expect("the gateway listens");
    assert_eq!(gateway.read().await, Message::Pong("here".into()));
    gateway.send_bytes(identify(json!({})).to_string().as_bytes()).await;
    gateway.event("READY").await;
}
