//! What the stand-in refuses, with Discord's status and code.

use crate::support::*;
use reqwest::Method;
use sandbox::{Sandbox, SandboxConfig, SandboxError, Visitor};
use serde_json::{Value, json};

fn messages() -> String {
    format!("/channels/{GENERAL}/messages")
}

#[tokio::test]
async fn only_a_safe_start_is_possible() {
    let first = start().await;
    let start = |listen: std::net::SocketAddr, token: String| Sandbox::start(SandboxConfig { listen, token, ..SandboxConfig::default() });
    let port = first.url().rsplit(':').next().expect("a port").parse().expect("a number");
    assert!(matches!(start(([127, 0, 0, 1], port).into(), TOKEN.into()).await, Err(SandboxError::AddressInUse(_))));
    assert!(matches!(start(([0, 0, 0, 0], 0).into(), TOKEN.into()).await, Err(SandboxError::NotLoopback(_))));
    let real = format!("{}.{}.{}", "M".repeat(26), "Gabcde", "x".repeat(38));
    assert!(matches!(start(([127, 0, 0, 1], 0).into(), real).await, Err(SandboxError::RealToken)));
    assert!(matches!(start(([127, 0, 0, 1], 0).into(), String::new()).await, Err(SandboxError::EmptyToken)));
    for url in ["192.168.1.5:8090", "https://example.org", "http://example.org/sandbox", "http://"] {
        let config = SandboxConfig { public_url: Some(url.to_owned()), ..SandboxConfig::default() };
        assert!(matches!(Sandbox::start(config).await, Err(SandboxError::PublicUrl(_))), "{url}");
    }
}

#[tokio::test]
async fn other_machines_are_let_in_only_when_that_was_asked_for() {
    for allow_remote in [false, true] {
        let public_url = Some("http://sandbox.test:8090/".to_owned());
        let sandbox = Sandbox::start(SandboxConfig { allow_remote, public_url, ..SandboxConfig::default() }).await.expect("it starts");
        assert_eq!((sandbox.url(), sandbox.gateway_url().as_str()), ("http://sandbox.test:8090", "ws://sandbox.test:8090"));
        let asked = |path: &str| {
            let client = reqwest::Client::builder().no_proxy().build().expect("a plain client builds");
            client.get(format!("http://{}{path}", sandbox.address())).header("host", "sandbox.test:8090").send()
        };
        for path in ["/sandbox/api/state", "/"] {
            assert_eq!(asked(path).await.expect("it answers").status(), if allow_remote { 200 } else { 403 }, "{path}");
        }
        sandbox.shutdown().await;
    }
}

#[tokio::test]
async fn tokens_and_paths_are_checked() {
    let sandbox = start().await;
    let mut rest = Rest::new(&sandbox);
    let missing = rest.get("/guilds/7/nothing").await;
    assert_eq!((missing.status, missing.body), (404, json!({ "message": "404: Not Found", "code": 0 })));
    expect_violations(&sandbox, &["Discord has no GET /guilds/7/nothing"]);
    assert_eq!(rest.get("/channels/7").await.body["code"], 10003);
    assert_eq!(rest.get(&format!("{}/7", messages())).await.body["code"], 10008);
    assert_eq!(rest.get("/users/@me").await.body["id"], APP);
    for path in ["/applications/@me", "/oauth2/applications/@me"] {
        assert_eq!(rest.get(path).await.body["id"], APP);
    }
    rest.token = "Bot wrong".to_owned();
    let refused = rest.get("/users/@me").await;
    assert_eq!((refused.status, refused.body), (401, json!({ "message": "401: Unauthorized", "code": 0 })));
    assert_eq!(rest.get("/gateway").await.status, 200, "libraries ask for the gateway without a token");
}

#[tokio::test]
async fn files_above_the_limit_and_too_many_files_are_refused() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let limit = 10 << 20;
    let fits = rest.upload(Method::POST, &messages(), json!({}), &[("big.bin", vec![0; limit])]).await;
    assert_eq!((fits.status, &fits.body["attachments"][0]["size"]), (200, &json!(limit)));
    let large = rest.upload(Method::POST, &messages(), json!({}), &[("big.bin", vec![0; limit + 1])]).await;
    assert_eq!((large.status, &large.body["code"]), (413, &json!(40005)));
    let whole = [("a.bin", vec![0; limit]), ("b.bin", vec![0; limit]), ("c.bin", vec![0; limit])];
    assert_eq!(rest.upload(Method::POST, &messages(), json!({}), &whole).await.status, 200, "the limit is for each file");
    let files: Vec<(&str, Vec<u8>)> = (0..11).map(|_| ("a.png", png())).collect();
    assert_eq!(rest.upload(Method::POST, &messages(), json!({}), &files).await.body["code"], 30015);
}

#[tokio::test]
async fn messages_of_the_bots_own_token() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let first = rest.post(&messages(), json!({ "content": "hi", "nonce": "n1", "enforce_nonce": true })).await.body;
    let again = rest.post(&messages(), json!({ "content": "hi", "nonce": "n1", "enforce_nonce": true })).await.body;
    assert_eq!((&again["id"], &again["nonce"]), (&first["id"], &json!("n1")));
    let other = rest.post(&messages(), json!({ "content": "hi", "nonce": "n1" })).await.body;
    assert_ne!(other["id"], first["id"], "without enforce_nonce a nonce is only a mark");
    let path = format!("{}/{}", messages(), text(&first, "id"));
    assert_eq!(rest.patch(&path, json!({ "content": "ho" })).await.body["content"], "ho");

    let user = ada.user_id();
    let said = json!({ "content": format!("<@{user}> @everyone"), "allowed_mentions": { "parse": [] } });
    let quiet = rest.post(&messages(), said).await.body;
    assert_eq!((&quiet["mentions"], &quiet["mention_everyone"]), (&json!([]), &json!(false)));
    let loud = rest.post(&messages(), json!({ "content": format!("<@{user}>") })).await.body;
    assert_eq!(loud["mentions"][0]["username"], "ada");

    let newest = rest.get(&format!("{}?limit=2", messages())).await.body;
    assert_eq!((&newest[0]["id"], &newest[1]["id"]), (&loud["id"], &quiet["id"]), "newest first");
    let after = rest.get(&format!("{}?after={}", messages(), text(&other, "id"))).await.body;
    assert_eq!(after.as_array().map(Vec::len), Some(2));

    let hers = ada.say("general", "mine").await.expect("ada may speak");
    let hers = format!("{}/{}", messages(), text(&hers, "id"));
    assert_eq!(rest.patch(&hers, json!({ "content": "yours" })).await.body["code"], 50005);
    assert_eq!(rest.delete(&hers).await.body["code"], 50013);
    assert_eq!(rest.delete(&path).await.status, 204);
    assert_eq!(rest.patch(&path, json!({ "content": "ha" })).await.body["code"], 10008);

    let dm = rest.post("/users/@me/channels", json!({ "recipient_id": user })).await.body;
    let sent = rest.post(&format!("/channels/{}/messages", text(&dm, "id")), json!({ "content": "psst" })).await;
    assert_eq!(sent.status, 200);
    assert_eq!(ada.messages("dm").await.expect("ada reads")[0]["content"], "psst");
    let grace = Visitor::connect(sandbox.url(), "grace").await.expect("grace is here");
    assert!(grace.messages(text(&dm, "id")).await.is_err(), "direct messages are for their person");
    let seq = ada.seq().await.expect("the sandbox counts");
    assert_eq!(rest.post(&format!("/channels/{GENERAL}/typing"), Value::Null).await.status, 204);
    let (_, events) = ada.events(seq, SOON).await.expect("the events are there");
    assert_eq!(events[0]["type"], "typing");
}

#[tokio::test]
async fn ids_may_be_numbers() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let messages = "/channels/1000000000000000210/messages";
    let number = |id: &str| id.parse::<u64>().expect("an id is a number");
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let user = number(ada.user_id());
    let body = json!({ "content": format!("<@{user}>"), "allowed_mentions": { "users": [user] } });
    let first = rest.post(messages, body).await.body;
    assert_eq!(first["mentions"][0]["username"], "ada");
    let reply = json!({ "content": "x", "message_reference": { "message_id": number(text(&first, "id")) } });
    let second = rest.post(messages, reply).await.body;
    assert_eq!(second["referenced_message"]["id"], first["id"]);
    let both = json!({ "messages": [number(text(&first, "id")), number(text(&second, "id"))] });
    assert_eq!(rest.post(&format!("{messages}/bulk-delete"), both).await.status, 204);
    assert_eq!(rest.post("/users/@me/channels", json!({ "recipient_id": user })).await.status, 200);
}

#[tokio::test]
async fn commands_are_registered_edited_and_removed() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let commands = format!("/applications/{APP}/commands");
    let command = json!({ "name": "ping", "description": "Answers", "name_localizations": {}, "options": null });
    let created = rest.post(&commands, command.clone()).await;
    assert_eq!((created.status, &created.body["type"]), (201, &json!(1)));
    let again = rest.post(&commands, command.clone()).await;
    assert_eq!((again.status, &again.body["id"]), (200, &created.body["id"]));
    assert_ne!(again.body["version"], created.body["version"]);
    let replaced = rest.register(json!([command, { "type": 3, "name": "About this" }])).await;
    assert_eq!((&replaced[0]["id"], replaced.as_array().map(Vec::len)), (&created.body["id"], Some(2)));
    let path = format!("{commands}/{}", text(&replaced[0], "id"));
    assert_eq!(rest.patch(&path, json!({ "description": "Replies" })).await.body["description"], "Replies");
    assert_eq!(rest.get(&path).await.body["description"], "Replies");
    assert_eq!(rest.delete(&path).await.status, 204);
    assert_eq!(rest.get(&path).await.body["code"], 10063);
    let of_guild = format!("/applications/{APP}/guilds/1000000000000000200/commands");
    assert_eq!(rest.call(Method::PUT, &of_guild, json!([{ "name": "local", "description": "Here" }])).await.body[0]["name"], "local");
    assert_eq!(rest.get(&commands).await.body.as_array().map(Vec::len), Some(1), "guild commands are apart");
}
