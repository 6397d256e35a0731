//! Threads, bulk deletion and pins.

mod support;

use reqwest::Method;
use sandbox::{ManualClock, Visitor};
use serde_json::{Value, json};
use std::time::Duration;
use support::*;

const STUDIO: &str = "1000000000000000210";

#[tokio::test]
async fn a_thread_begins_lives_and_ends() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(1).await;
    gateway.event("GUILD_CREATE").await;
    gateway.event("GUILD_CREATE").await;
    let sent = rest.post(&format!("/channels/{STUDIO}/messages"), json!({ "content": "news" })).await.body;
    let begin = format!("/channels/{STUDIO}/messages/{}/threads", text(&sent, "id"));
    let begun = rest.post(&begin, json!({ "name": "talk" })).await;
    assert_eq!((begun.status, &begun.body["id"], &begun.body["type"]), (201, &sent["id"], &json!(11)));
    assert_eq!(gateway.event("THREAD_CREATE").await["newly_created"], true);
    assert_eq!(rest.post(&begin, json!({ "name": "again" })).await.body["code"], 160_004);
    assert_eq!(rest.post(&begin, json!({})).await.body["code"], 50035);
    expect_violations(&sandbox, &["`name`: \"name\" is a required property"]);
    let source = rest.get(&format!("/channels/{STUDIO}/messages/{}", text(&sent, "id"))).await.body;
    assert_eq!((&source["thread"]["name"], &source["flags"]), (&json!("talk"), &json!(32)));

    let thread = format!("/channels/{}", text(&begun.body, "id"));
    assert_eq!(rest.post(&format!("{thread}/messages"), json!({ "content": "inside" })).await.status, 200);
    ada.say(text(&begun.body, "id"), "me too").await.expect("ada sees it");
    assert_eq!(rest.get(&format!("{thread}/thread-members")).await.body.as_array().map(Vec::len), Some(2));
    assert_eq!(rest.get(&thread).await.body["total_message_sent"], 2);
    assert_eq!(rest.get("/guilds/1000000000000000200/threads/active").await.body["threads"][0]["name"], "talk");
    let changed = rest.patch(&thread, json!({ "archived": true, "locked": true })).await;
    assert_eq!((changed.status, &changed.body["thread_metadata"]["archived"]), (200, &json!(true)));
    assert_eq!(gateway.event("THREAD_UPDATE").await["thread_metadata"]["locked"], true);
    assert!(ada.say(text(&begun.body, "id"), "late").await.is_err(), "the thread is locked");
    let archived = rest.get(&format!("/channels/{STUDIO}/threads/archived/public")).await.body;
    assert_eq!((&archived["threads"][0]["name"], &archived["has_more"]), (&json!("talk"), &json!(false)));
    assert_eq!(rest.delete(&thread).await.status, 200);
    assert_eq!(gateway.event("THREAD_DELETE").await["id"], begun.body["id"]);
    assert_eq!(rest.get(&thread).await.body["code"], 10003);
}

#[tokio::test]
async fn people_begin_threads_and_they_outlive_the_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let begun: Value = {
        let sandbox = sandbox::Sandbox::start(config(Some(dir.path()))).await.expect("it starts");
        let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
        let body = json!({ "user": ada.user_id(), "channel": GENERAL, "name": "sketches" });
        let url = format!("{}/sandbox/api/threads", sandbox.url());
        Rest::new(&sandbox).client.post(url).json(&body).send().await.expect("it answers").json().await.expect("a channel")
    };
    assert_eq!((&begun["type"], &begun["parent_id"]), (&json!(11), &json!(GENERAL)));
    let sandbox = sandbox::Sandbox::start(config(Some(dir.path()))).await.expect("it starts");
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let state = ada.state().await.expect("the sandbox answers");
    let channels = state["guilds"][0]["channels"].as_array().expect("a list").clone();
    assert!(channels.iter().any(|channel| channel["id"] == begun["id"] && channel["permissions"].is_string()));
    let thread = format!("/channels/{}", text(&begun, "id"));
    assert_eq!(Rest::new(&sandbox).delete(&thread).await.body["code"], 50013, "the bot does not moderate here");
}

#[tokio::test]
async fn bulk_deletion_needs_two_to_a_hundred_young_messages() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let rest = Rest::new(&sandbox);
    let messages = format!("/channels/{STUDIO}/messages");
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(text(&rest.post(&messages, json!({ "content": n.to_string() })).await.body, "id").to_owned());
    }
    let bulk = async |ids: &[String]| rest.post(&format!("{messages}/bulk-delete"), json!({ "messages": ids })).await;
    assert_eq!(bulk(&ids[..1]).await.body["code"], 50016);
    expect_violations(&sandbox, &["`messages`"]);
    let mut gateway = Gateway::ready(&sandbox).await;
    assert_eq!(bulk(&ids[..2]).await.status, 204);
    assert_eq!(gateway.event("MESSAGE_DELETE_BULK").await["ids"], json!(ids[..2]));
    assert_eq!(rest.get(&messages).await.body.as_array().map(Vec::len), Some(1));
    clock.advance(Duration::from_secs(15 * 24 * 3600));
    assert_eq!(bulk(&ids[1..]).await.body["code"], 50034);
    let elsewhere = format!("/channels/{GENERAL}/messages/bulk-delete");
    assert_eq!(rest.post(&elsewhere, json!({ "messages": ids })).await.body["code"], 50013);
}

#[tokio::test]
async fn pins_are_kept_by_both_paths() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let sent = rest.post(&format!("/channels/{STUDIO}/messages"), json!({ "content": "keep" })).await.body;
    let pin = format!("/channels/{STUDIO}/messages/pins/{}", text(&sent, "id"));
    assert_eq!(rest.call(Method::PUT, &pin, Value::Null).await.status, 204);
    assert_eq!(rest.get(&format!("/channels/{STUDIO}/messages/pins")).await.body["items"][0]["message"]["pinned"], true);
    assert_eq!(rest.get(&format!("/channels/{STUDIO}/pins")).await.body[0]["id"], sent["id"]);
    assert_eq!(rest.delete(&pin).await.status, 204);
    assert_eq!(rest.get(&format!("/channels/{STUDIO}/pins")).await.body, json!([]));
}
