//! Messages of a bot's own token: which files an edit leaves, what is shown of them, and what may be done to whose message.

use crate::support::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use sandbox::{ManualClock, RateLimitConfig, Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

const STUDIO: &str = "1000000000000000210";
const MODERATORS: &str = "1000000000000000112";

fn messages(channel: &str) -> String {
    format!("/channels/{channel}/messages")
}

fn names(message: &Value) -> Vec<&str> {
    message["attachments"].as_array().expect("a list").iter().map(|file| text(file, "filename")).collect()
}

fn code(reply: &Reply) -> (u16, u64) {
    (reply.status, reply.body["code"].as_u64().unwrap_or(0))
}

async fn say(sandbox: &Sandbox, person: &Visitor, body: Value) -> Value {
    let mut body = body;
    body["user"] = json!(person.user_id());
    let url = format!("{}/sandbox/api/messages", sandbox.url());
    let reply = Rest::new(sandbox).client.post(url).json(&body).send().await.expect("it answers");
    reply.json().await.expect("the answer is JSON")
}

#[tokio::test]
async fn an_edit_leaves_the_files_that_it_names() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    for (listed, uploads, left) in [
        (None, vec![], vec!["a.png", "b.png"]),
        (None, vec!["c.png"], vec!["c.png"]),
        (Some(vec!["a.png"]), vec![], vec!["a.png"]),
        (Some(vec!["a.png"]), vec!["c.png"], vec!["a.png"]),
        (Some(vec!["b.png", "1"]), vec!["c.png", "d.png"], vec!["b.png", "d.png"]),
        (Some(vec![]), vec![], vec![]),
    ] {
        let two = [("a.png", png()), ("b.png", png())];
        let sent = rest.upload(Method::POST, &messages(GENERAL), json!({ "content": "two" }), &two).await.body;
        let id_of = |name: &&str| {
            let known = sent["attachments"].as_array().expect("a list").iter().find(|file| file["filename"] == *name);
            json!({ "id": known.map_or(*name, |file| text(file, "id")) })
        };
        let mut edit = json!({ "content": "edited" });
        if let Some(listed) = &listed {
            edit["attachments"] = listed.iter().map(id_of).collect();
        }
        let path = format!("{}/{}", messages(GENERAL), text(&sent, "id"));
        let files: Vec<(&str, Vec<u8>)> = uploads.iter().map(|name| (*name, png())).collect();
        let edited = match files.is_empty() {
            true => rest.patch(&path, edit).await,
            false => rest.upload(Method::PATCH, &path, edit, &files).await,
        };
        assert_eq!((edited.status, names(&edited.body)), (200, left), "{listed:?} and {uploads:?}");
    }
    expect_violations(&sandbox, &["`files[0]` is not named", "`files[0]` is not named"]);
}

#[tokio::test]
async fn files_that_embeds_and_components_show_are_not_listed() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let files = [("grid.png", png()), ("icon.png", png()), ("loose.png", png())];
    let embed = json!({ "author": { "name": "Ada", "icon_url": "attachment://icon.png" }, "image": { "url": "attachment://grid.png" } });
    let described = json!([{ "id": 0, "filename": "grid.png", "description": "four frogs" }]);
    let sent = rest.upload(Method::POST, &messages(GENERAL), json!({ "embeds": [embed], "attachments": described }), &files).await.body;
    assert_eq!(names(&sent), ["loose.png"]);
    let image = &sent["embeds"][0]["image"];
    assert_eq!((&image["width"], &image["description"]), (&json!(3), &json!("four frogs")));
    for url in [text(image, "url"), text(image, "proxy_url"), text(&sent["embeds"][0]["author"], "icon_url")] {
        assert_eq!(rest.client.get(url).send().await.expect("the file server answers").status(), 200);
    }
    let path = format!("{}/{}", messages(GENERAL), text(&sent, "id"));
    let bare = rest.patch(&path, json!({ "embeds": [] })).await.body;
    assert_eq!(names(&bare), ["grid.png", "icon.png", "loose.png"], "without the embed they are loose");

    let gallery = json!({ "type": 12, "items": [{ "media": { "url": "attachment://grid.png" } }] });
    let file = json!({ "type": 13, "file": { "url": "attachment://notes.txt" } });
    let elsewhere = json!({ "type": 12, "items": [{ "media": { "url": "https://example.org/a.png" } }] });
    let boxed = json!({ "type": 17, "components": [elsewhere, { "type": 14 }, { "type": 10, "content": "hi" }] });
    let body = json!({ "flags": 32768, "components": [gallery, file, boxed] });
    let shown = rest.upload(Method::POST, &messages(GENERAL), body, &[("grid.png", png()), ("notes.txt", b"hi".to_vec())]).await;
    assert_eq!((shown.status, names(&shown.body)), (200, vec![]), "{}", shown.body);
    let media = &shown.body["components"][0]["items"][0]["media"];
    assert!(media["attachment_id"].is_string() && media["attachment_id"] == media["id"], "{media}");
    assert_eq!((&shown.body["components"][1]["name"], &shown.body["components"][1]["size"]), (&json!("notes.txt"), &json!(2)));
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
}

#[tokio::test]
async fn what_mentions_the_bot_is_read_without_the_intent_for_content() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let asked = rest.post(&messages(GENERAL), json!({ "content": "a frog?" })).await.body;
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(1 << 9).await;
    for (content, reply_to, heard) in
        [("yes", &asked["id"], "yes"), ("yes", &Value::Null, ""), (&format!("<@!{APP}> yes"), &Value::Null, &format!("<@!{APP}> yes"))]
    {
        say(&sandbox, &ada, json!({ "channel": GENERAL, "content": content, "reply_to": reply_to })).await;
        assert_eq!(gateway.heard().await, heard);
    }
}

#[tokio::test]
async fn of_other_peoples_messages_a_moderator_changes_the_flags_alone() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    for (channel, edit, expected) in [
        (STUDIO, json!({ "flags": 4 }), (200, 0)),
        (STUDIO, json!({ "flags": 4, "content": "x" }), (403, 50005)),
        (STUDIO, json!({}), (403, 50005)),
        (GENERAL, json!({ "flags": 4 }), (403, 50013)),
    ] {
        let said = say(&sandbox, &ada, json!({ "channel": channel, "content": "hers" })).await;
        let reply = rest.patch(&format!("{}/{}", messages(channel), text(&said, "id")), edit.clone()).await;
        assert_eq!(code(&reply), expected, "{edit}");
        if reply.status == 200 {
            assert_eq!((&reply.body["flags"], &reply.body["edited_timestamp"]), (&json!(4), &Value::Null));
        }
    }
}

#[tokio::test]
async fn a_forward_carries_a_copy_that_nothing_changes() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let file = json!({ "filename": "a.png", "content_type": "image/png", "data": STANDARD.encode(png()) });
    let said = say(&sandbox, &ada, json!({ "channel": GENERAL, "content": "look", "attachments": [file] })).await;
    let reference = json!({ "type": 1, "channel_id": GENERAL, "message_id": said["id"] });
    let forward = rest.post(&messages(STUDIO), json!({ "message_reference": reference })).await;
    assert_eq!((forward.status, &forward.body["type"], &forward.body["flags"]), (200, &json!(0), &json!(1 << 14)), "{}", forward.body);
    let origin = json!({ "type": 1, "channel_id": GENERAL, "message_id": said["id"], "guild_id": "1000000000000000100" });
    assert_eq!(forward.body["message_reference"], origin);
    let path = format!("/sandbox/api/messages/{}?user={}", text(&said, "id"), ada.user_id());
    rest.client.delete(format!("{}{path}", sandbox.url())).send().await.expect("it answers");
    let again = json!({ "type": 1, "channel_id": STUDIO, "message_id": forward.body["id"] });
    let path = format!("{}/{}", messages(STUDIO), text(&forward.body, "id"));
    for shown in [rest.get(&path).await.body, rest.post(&messages(STUDIO), json!({ "message_reference": again })).await.body] {
        let copy = &shown["message_snapshots"][0]["message"];
        assert_eq!((&copy["content"], copy.get("author")), (&json!("look"), None), "{shown}");
        let served = rest.client.get(text(&copy["attachments"][0], "url")).send().await.expect("the file server answers");
        assert_eq!(served.bytes().await.expect("the file is whole"), png());
    }
    let reply = json!({ "content": "indeed", "message_reference": { "message_id": forward.body["id"] } });
    let answered = rest.post(&messages(STUDIO), reply).await.body["referenced_message"].clone();
    assert!(answered["message_snapshots"][0]["message"]["attachments"][0]["url"].as_str().is_some_and(|url| url.starts_with("http")));
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
    for (reference, expected) in [
        (json!({ "type": 1, "message_id": forward.body["id"] }), (400, 50035)),
        (json!({ "type": 1, "channel_id": GENERAL, "message_id": said["id"] }), (400, 50035)),
        (json!({ "type": 1, "channel_id": MODERATORS, "message_id": "5" }), (403, 50001)),
        (json!({ "type": 1, "channel_id": "5", "message_id": "5" }), (404, 10003)),
    ] {
        let refused = rest.post(&messages(STUDIO), json!({ "message_reference": reference })).await;
        assert_eq!(code(&refused), expected, "{reference}");
    }
    // Discord's description lacks the forms of its own refusals.
    sandbox.forgive_violations();
}

#[tokio::test]
async fn direct_messages_have_no_moderation() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let dm = rest.post("/users/@me/channels", json!({ "recipient_id": ada.user_id() })).await.body;
    let (dm, hers) = (text(&dm, "id"), ada.say("dm", "mine").await.expect("ada may speak"));
    let channel = format!("/channels/{dm}");
    let (one, bulk) = (format!("{channel}/messages/{}", text(&hers, "id")), format!("{channel}/messages/bulk-delete"));
    for (method, path, body, expected) in [
        (Method::DELETE, &one, Value::Null, (403, 50003)),
        (Method::PATCH, &one, json!({ "content": "x" }), (403, 50005)),
        (Method::POST, &bulk, json!({ "messages": ["5", "6"] }), (403, 50003)),
        (Method::PATCH, &channel, json!({ "name": "x" }), (403, 50003)),
        (Method::DELETE, &channel, Value::Null, (200, 0)),
    ] {
        let told = format!("{method} {path}");
        assert_eq!(code(&rest.call(method, path, body).await), expected, "{told}");
    }
    assert_eq!(rest.post(&messages(dm), json!({ "content": "still here" })).await.status, 200);
}

#[tokio::test]
async fn edits_of_old_messages_have_a_limit_of_their_own() {
    let clock = ManualClock::new();
    let config = SandboxConfig { rate_limits: RateLimitConfig::Discord, ..config(None) };
    let sandbox = Sandbox::start_with_clock(config, sandbox::Clock::Manual(clock.clone())).await.expect("a sandbox in memory starts");
    let rest = Rest::new(&sandbox);
    let sent = rest.post(&messages(GENERAL), json!({ "content": "0" })).await.body;
    let path = format!("{}/{}", messages(GENERAL), text(&sent, "id"));
    let edit = async || rest.patch(&path, json!({ "content": "1" })).await;
    clock.advance(Duration::from_secs(3600));
    for _ in 0..4 {
        assert_eq!(edit().await.status, 200, "an hour is not yet old");
    }
    clock.advance(Duration::from_secs(10));
    for _ in 0..3 {
        assert_eq!(edit().await.status, 200);
    }
    let refused = edit().await;
    assert_eq!((code(&refused), &refused.body["retry_after"]), ((429, 30046), &json!(20.0)));
    assert!(refused.headers["retry-after"] == "20" && refused.headers["x-ratelimit-scope"] == "user", "{:?}", refused.headers);
    clock.advance(Duration::from_secs(20));
    assert_eq!(edit().await.status, 200);
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
}

#[tokio::test]
async fn what_people_wrote_is_hidden_over_http_from_an_application_without_the_intents() {
    let gateway = sandbox::GatewayConfig { privileged_intents: 0, ..config(None).gateway };
    let sandbox = Sandbox::start(SandboxConfig { gateway, ..config(None) }).await.expect("a sandbox in memory starts");
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let hers = ada.say("general", "hers").await.expect("ada may speak");
    let called = ada.say("general", &format!("<@{APP}> for you")).await.expect("ada may speak");
    let private = ada.say("dm", "between us").await.expect("ada may speak");
    for (message, content) in [(&hers, json!("")), (&called, called["content"].clone()), (&private, json!("between us"))] {
        let path = format!("{}/{}", messages(text(message, "channel_id")), text(message, "id"));
        assert_eq!(rest.get(&path).await.body["content"], content);
    }
    assert_eq!(rest.get(&messages(GENERAL)).await.body[1]["content"], "");
    let reply = rest.post(&messages(GENERAL), json!({ "content": "x", "message_reference": { "message_id": hers["id"] } })).await.body;
    let path = format!("{}/{}", messages(GENERAL), text(&reply, "id"));
    assert_eq!(rest.get(&path).await.body["referenced_message"]["content"], "");
    let forward = json!({ "message_reference": { "type": 1, "channel_id": GENERAL, "message_id": hers["id"] } });
    assert_eq!(code(&rest.post(&messages(GENERAL), forward).await), (400, 160_014));
    assert_eq!(code(&rest.get("/guilds/1000000000000000100/members").await), (403, 50001));
    assert_eq!(rest.get("/applications/@me").await.body["flags"], 0);
    let allowed = start().await;
    assert_eq!(Rest::new(&allowed).get("/applications/@me").await.body["flags"], 1 << 13 | 1 << 15 | 1 << 19);
}

#[tokio::test]
async fn older_and_unversioned_paths_are_version_10() {
    let sandbox = start().await;
    let mut rest = Rest::new(&sandbox);
    for (path, expected) in [("/api/v10", 200), ("/api/v9", 200), ("/api", 200), ("/api/v5", 400), ("/api/v11", 400)] {
        rest.base = format!("{}{path}", sandbox.url());
        assert_eq!(rest.get("/users/@me").await.status, expected, "{path}");
    }
}
