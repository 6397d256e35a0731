//! Threads, bulk deletion and pins.

use crate::support::*;
use reqwest::Method;
use sandbox::{GatewayConfig, ManualClock, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

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

#[tokio::test]
async fn a_thread_in_which_nobody_writes_is_archived_and_writing_wakes_it() {
    let heartbeat_interval = Duration::from_secs(24 * 3600);
    let (sandbox, clock) = start_gateway(GatewayConfig { heartbeat_interval, ..GatewayConfig::default() }).await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let begin = json!({ "name": "brief", "type": 11, "auto_archive_duration": 60 });
    let begun = rest.post(&format!("/channels/{STUDIO}/threads"), begin).await.body;
    let (id, path) = (text(&begun, "id"), format!("/channels/{}", text(&begun, "id")));
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(1).await;
    gateway.event("GUILD_CREATE").await;
    gateway.event("GUILD_CREATE").await;
    let is_archived = async || rest.get(&path).await.body["thread_metadata"]["archived"].clone();
    clock.advance(Duration::from_secs(59 * 60));
    ada.say(id, "still here").await.expect("the thread is open");
    clock.advance(Duration::from_secs(59 * 60));
    assert_eq!(is_archived().await, false, "somebody wrote an hour less a minute ago");
    gateway.beat().await;
    let seq = ada.seq().await.expect("the sandbox counts");
    clock.advance(Duration::from_secs(60));
    // Nobody asks: the event comes by itself.
    assert_eq!(gateway.event("THREAD_UPDATE").await["thread_metadata"]["archived"], true);
    let (_, heard) = ada.events(seq, SOON).await.expect("the page hears of it");
    assert_eq!((&heard[0]["type"], &heard[0]["data"]["id"]), (&json!("thread_update"), &begun["id"]));
    assert_eq!(is_archived().await, true);
    ada.say(id, "and back").await.expect("a thread that is only archived wakes up");
    assert_eq!(gateway.event("THREAD_UPDATE").await["thread_metadata"]["archived"], false);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(is_archived().await, true, "who asks right after the clock was moved sees it");
}

#[tokio::test]
async fn a_message_tells_of_a_thread_above_it_or_inside_it() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let messages = format!("/channels/{STUDIO}/messages");
    let mut gateway = Gateway::ready(&sandbox).await;
    let own = rest.post(&format!("/channels/{STUDIO}/threads"), json!({ "name": "open", "type": 11 })).await.body;
    gateway.event("THREAD_CREATE").await;
    let told = gateway.event("MESSAGE_CREATE").await;
    assert_eq!((&told["type"], &told["content"], &told["channel_id"]), (&json!(18), &json!("open"), &json!(STUDIO)));
    let reference = json!({ "type": 0, "channel_id": own["id"], "guild_id": "1000000000000000200" });
    assert_eq!((&told["message_reference"], &told["author"]["id"]), (&reference, &json!(APP)));
    let notice = format!("{messages}/{}", text(&told, "id"));
    assert_eq!(rest.patch(&notice, json!({ "content": "mine" })).await.body["code"], 50021);
    assert_eq!(rest.delete(&notice).await.status, 204, "a notice can be taken away");
    gateway.event("MESSAGE_DELETE").await;
    let closed = rest.post(&format!("/channels/{GENERAL}/threads"), json!({ "name": "closed", "type": 12 })).await;
    assert_eq!(closed.body["code"], 50013, "the bot may not begin private threads");

    let sent = rest.upload(Method::POST, &messages, json!({ "content": "news" }), &[("a.png", png())]).await.body;
    gateway.event("MESSAGE_CREATE").await;
    let thread = rest.post(&format!("{messages}/{}/threads", text(&sent, "id")), json!({ "name": "talk" })).await.body;
    gateway.event("THREAD_CREATE").await;
    let starter = gateway.event("MESSAGE_CREATE").await;
    assert_eq!((&starter["type"], &starter["content"], &starter["channel_id"]), (&json!(21), &json!(""), &thread["id"]));
    assert_eq!((&starter["message_reference"]["message_id"], &starter["message_reference"]["channel_id"]), (&sent["id"], &json!(STUDIO)));
    assert_eq!(starter["referenced_message"]["content"], "news");
    let beginning = format!("/channels/{}/messages/{}", text(&thread, "id"), text(&starter, "id"));
    assert_eq!(rest.delete(&beginning).await.body["code"], 50021, "what it began with cannot");
    let url = text(&starter["referenced_message"]["attachments"][0], "url");
    let bytes = rest.client.get(url).send().await.expect("the file is served").bytes().await.expect("bytes");
    assert_eq!(bytes, png(), "what the thread began with is seen in it");
    assert_eq!(gateway.event("MESSAGE_UPDATE").await["thread"]["name"], "talk");
    assert_eq!(rest.get(&format!("/channels/{}", text(&thread, "id"))).await.body["total_message_sent"], 0);
}

#[tokio::test]
async fn lists_of_pins_and_threads_end() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let rest = Rest::new(&sandbox);
    let (mut pinned, mut archived) = (Vec::new(), Vec::new());
    for n in 0..5 {
        let sent = rest.post(&format!("/channels/{STUDIO}/messages"), json!({ "content": n.to_string() })).await.body;
        let pin = format!("/channels/{STUDIO}/messages/pins/{}", text(&sent, "id"));
        assert_eq!(rest.call(Method::PUT, &pin, Value::Null).await.status, 204);
        pinned.insert(0, text(&sent, "id").to_owned());
    }
    // The newest message is pinned anew, and so is first; to pin the second again changes nothing.
    let again = |n: usize| format!("/channels/{STUDIO}/messages/pins/{}", pinned[n]);
    assert_eq!(rest.delete(&again(4)).await.status, 204);
    for n in [4, 3] {
        assert_eq!(rest.call(Method::PUT, &again(n), Value::Null).await.status, 204);
    }
    let oldest = pinned.remove(4);
    pinned.insert(0, oldest);
    for n in 0..5 {
        clock.advance(Duration::from_secs(1));
        let body = json!({ "name": format!("talk {n}"), "type": 12 });
        let begun = rest.post(&format!("/channels/{STUDIO}/threads"), body).await.body;
        let thread = format!("/channels/{}", text(&begun, "id"));
        assert_eq!(rest.patch(&thread, json!({ "archived": true })).await.status, 200);
        archived.insert(0, text(&begun, "id").to_owned());
    }
    let private = format!("/channels/{STUDIO}/threads/archived/private");
    let joined = format!("/channels/{STUDIO}/users/@me/threads/archived/private");
    let pins = format!("/channels/{STUDIO}/messages/pins");
    for (path, list, item, before, expected) in [
        (pins, "items", "/message/id", "/pinned_at", &pinned),
        (private, "threads", "/id", "/thread_metadata/archive_timestamp", &archived),
        (joined, "threads", "/id", "/id", &archived),
    ] {
        let (mut found, mut page) = (Vec::new(), format!("{path}?limit=2"));
        for pages_left in (0..3).rev() {
            let answer = rest.get(&page).await.body;
            let items = answer[list].as_array().expect("a list").clone();
            let at = |pointer: &str| items.iter().map(|one| one.pointer(pointer).expect("it is there").clone()).collect::<Vec<_>>();
            found.extend(at(item));
            assert_eq!(answer["has_more"], pages_left > 0, "{path}");
            page = format!("{path}?limit=2&before={}", at(before).last().expect("an item").as_str().expect("a text").replace('+', "%2B"));
        }
        assert_eq!(found, *expected, "{path}");
    }
    assert_eq!(rest.get(&format!("/channels/{STUDIO}/messages/pins?before=soon")).await.body["code"], 50035);
    sandbox.forgive_violations();
}

#[tokio::test]
async fn nothing_but_deletion_happens_in_an_archived_thread() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let begun = rest.post(&format!("/channels/{STUDIO}/threads"), json!({ "name": "talk", "type": 11 })).await.body;
    let thread = format!("/channels/{}", text(&begun, "id"));
    let sent = rest.post(&format!("{thread}/messages"), json!({ "content": "inside" })).await.body;
    let one = format!("{thread}/messages/{}", text(&sent, "id"));
    rest.patch(&thread, json!({ "archived": true })).await;
    for (method, path, body) in [
        (Method::PATCH, one.clone(), json!({ "content": "x" })),
        (Method::PUT, format!("{one}/reactions/%F0%9F%91%8D/@me"), Value::Null),
        (Method::PUT, format!("{thread}/messages/pins/{}", text(&sent, "id")), Value::Null),
        (Method::PUT, format!("{thread}/thread-members/@me"), Value::Null),
    ] {
        let refused = rest.call(method, &path, body).await;
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(50083)), "{path}");
    }
    assert_eq!(rest.delete(&one).await.status, 204);
    assert_eq!(rest.post(&format!("{thread}/messages"), json!({ "content": "awake" })).await.status, 200);
    assert_eq!(rest.get(&thread).await.body["thread_metadata"]["archived"], false);
}

#[tokio::test]
async fn changes_of_a_thread_at_once_all_hold() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    for n in 0..8 {
        let body = json!({ "name": format!("talk {n}"), "type": 12 });
        let begun = rest.post(&format!("/channels/{STUDIO}/threads"), body).await.body;
        let thread = format!("/channels/{}", text(&begun, "id"));
        let put = async |person: &str| rest.call(Method::PUT, &format!("{thread}/thread-members/{person}"), Value::Null).await.status;
        let people = ["1000000000000000011", "1000000000000000012", "1000000000000000013", "1000000000000000014"];
        let (a, b, c, d) = tokio::join!(put(people[0]), put(people[1]), put(people[2]), put(people[3]));
        assert_eq!([a, b, c, d], [204; 4]);
        assert_eq!(rest.get(&format!("{thread}/thread-members")).await.body.as_array().map(Vec::len), Some(5), "four people and the bot");
        let (gone, edited) = tokio::join!(rest.delete(&thread), rest.patch(&thread, json!({ "name": "changed" })));
        assert!(gone.status == 200 && matches!(edited.status, 200 | 404), "{} {}", gone.status, edited.status);
        assert_eq!(rest.get(&thread).await.body["code"], 10003, "an edit brings nothing back");
    }
}

#[tokio::test]
async fn who_joins_a_thread_is_told_to_who_hears_of_members_and_the_bot_of_itself() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let (mut all, mut own) = (Gateway::open(&sandbox).await, Gateway::open(&sandbox).await);
    all.identify(1 << 1).await;
    own.identify(1).await;
    for _ in 0..2 {
        own.event("GUILD_CREATE").await;
    }
    let begun = rest.post(&format!("/channels/{STUDIO}/threads"), json!({ "name": "talk", "type": 11 })).await.body;
    own.event("THREAD_CREATE").await;
    ada.say(text(&begun, "id"), "I join").await.expect("ada sees it");
    let heard = all.event("THREAD_MEMBERS_UPDATE").await;
    assert_eq!((&heard["member_count"], &heard["added_members"][0]["user_id"]), (&json!(2), &json!(ada.user_id())));
    assert_eq!(heard["added_members"][0]["member"]["user"]["username"], "ada");
    own.beat().await;
    rest.delete(&format!("/channels/{}/thread-members/@me", text(&begun, "id"))).await;
    for gateway in [&mut all, &mut own] {
        assert_eq!(gateway.event("THREAD_MEMBERS_UPDATE").await["removed_member_ids"], json!([APP]));
    }
}
