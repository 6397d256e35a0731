//! The gateway: sessions, resumes, intents and close codes.

use crate::support::*;
use futures::StreamExt;
use sandbox::Visitor;
use serde_json::{Value, json};

#[tokio::test]
async fn a_session_starts_with_ready_and_the_guilds() {
    let sandbox = start().await;
    let mut gateway = Gateway::open(&sandbox).await;
    let ready = gateway.identify(1).await;
    assert_eq!((&ready["v"], &ready["user"]["id"]), (&json!(10), &json!(APP)));
    assert!(text(&ready, "resume_gateway_url").starts_with("ws://127.0.0.1:"));
    assert_eq!(ready["guilds"][0]["unavailable"], true);
    let names = [gateway.event("GUILD_CREATE").await["name"].clone(), gateway.event("GUILD_CREATE").await["name"].clone()];
    assert_eq!(names, ["Sandbox", "Second studio"]);
    assert_eq!(gateway.seq, 3);
    gateway.send(json!({ "op": 1, "d": 3 })).await;
    assert_eq!(gateway.next().await["op"], 11);
}

#[tokio::test]
async fn a_token_is_taken_with_and_without_its_prefix_and_a_wrong_one_ends_with_4004() {
    let sandbox = start().await;
    let identify = |token: &str| json!({ "op": 2, "d": { "token": token, "intents": 0, "properties": {} } });
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.send(identify(&format!("Bot {TOKEN}"))).await;
    gateway.event("READY").await;
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.send(identify("wrong")).await;
    assert_eq!(gateway.close_code().await, 4004);
}

#[tokio::test]
async fn protocol_errors_close_with_their_codes() {
    let sandbox = start().await;
    let identify = |extra: Value| {
        let mut data = json!({ "token": TOKEN, "intents": 0, "properties": {} });
        data.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        json!({ "op": 2, "d": data })
    };
    let cases = [
        (json!({ "op": 3, "d": {} }), 4003),
        (json!({ "op": 77, "d": {} }), 4001),
        (json!({ "d": {} }), 4002),
        (json!({ "op": 1, "d": "x".repeat(5000) }), 4002),
        (identify(json!({ "intents": 1_u64 << 40 })), 4013),
        (identify(json!({ "shard": [2, 2] })), 4010),
    ];
    for (payload, code) in cases {
        let mut gateway = Gateway::open(&sandbox).await;
        gateway.send(payload.clone()).await;
        assert_eq!(gateway.close_code().await, code, "{payload}");
    }
    let mut gateway = Gateway::ready(&sandbox).await;
    gateway.send(identify(json!({}))).await;
    assert_eq!(gateway.close_code().await, 4005);
}

#[tokio::test]
async fn a_dropped_session_is_resumed_with_what_it_missed() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut first = Gateway::ready(&sandbox).await;
    ada.say("general", "one").await.expect("ada may speak");
    assert_eq!(first.event("MESSAGE_CREATE").await["content"], "", "the text needs its intent");
    sandbox.drop_gateway();
    assert!(first.socket.next().await.is_none_or(|last| last.is_err()), "no goodbye");
    ada.say("general", "two").await.expect("ada may speak");
    ada.say("gallery", "three").await.expect("ada may speak");

    let mut second = Gateway::open(&sandbox).await;
    let resume = json!({ "op": 6, "d": { "token": TOKEN, "session_id": first.session, "seq": first.seq } });
    second.send(resume.clone()).await;
    assert_eq!(second.event("MESSAGE_CREATE").await["channel_id"], GENERAL);
    assert_ne!(second.event("MESSAGE_CREATE").await["channel_id"], GENERAL);
    second.event("RESUMED").await;
    assert_eq!(second.seq, first.seq + 3);

    // A goodbye ends the session for good.
    second.socket.close(None).await.expect("the close frame is sent");
    while second.socket.next().await.is_some() {}
    let mut third = Gateway::open(&sandbox).await;
    let ahead = json!({ "op": 6, "d": { "token": TOKEN, "session_id": "unknown", "seq": 1 } });
    third.send(ahead).await;
    assert_eq!((third.next().await["op"].clone(), third.session.as_str()), (json!(9), ""));
    third.identify(0).await;
}

#[tokio::test]
async fn a_sequence_from_the_future_is_refused() {
    let sandbox = start().await;
    let first = Gateway::ready(&sandbox).await;
    let mut second = Gateway::open(&sandbox).await;
    second.send(json!({ "op": 6, "d": { "token": TOKEN, "session_id": first.session, "seq": 999 } })).await;
    assert_eq!(second.close_code().await, 4007);
}

#[tokio::test]
async fn intents_decide_what_is_sent_and_text_needs_its_own() {
    let sandbox = start().await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut deaf = Gateway::open(&sandbox).await;
    deaf.identify(0).await;
    let mut reader = Gateway::open(&sandbox).await;
    reader.identify(1 << 9 | 1 << 15).await;
    ada.say("general", "hello").await.expect("ada may speak");
    let heard = reader.event("MESSAGE_CREATE").await;
    assert_eq!((&heard["content"], &heard["author"]["username"]), (&json!("hello"), &json!("ada")));
    assert!(heard["member"]["roles"].is_array() && heard["member"].get("user").is_none());
    deaf.send(json!({ "op": 1, "d": null })).await;
    assert_eq!(deaf.next().await["op"], 11, "nothing came before the answer to the heartbeat");
}

#[tokio::test]
async fn a_shutdown_says_goodbye() {
    let sandbox = start().await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let (code, ()) = tokio::join!(gateway.close_code(), sandbox.shutdown());
    assert_eq!(code, 1001);
}
