//! The side of the people: state, options, events, and who is let in.

use crate::support::*;
use reqwest::Method;
use sandbox::{Visitor, VisitorError};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn the_state_shows_people_guilds_bot_and_commands() {
    let sandbox = start().await;
    Rest::new(&sandbox).register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let state = ada.state().await.expect("the sandbox answers");
    let roles: Vec<_> =
        state["users"].as_array().expect("a list").iter().map(|user| (text(user, "username"), text(user, "role"))).collect();
    assert_eq!(roles, [("ada", "owner"), ("grace", "moderator"), ("linus", "member"), ("margaret", "owner")]);
    assert_eq!((&state["guilds"][0]["name"], &state["guilds"][1]["name"]), (&json!("Sandbox"), &json!("Second studio")));
    assert_eq!(state["guilds"][0]["channels"][1]["name"], "gallery");
    assert_eq!((&state["bot"]["online"], &state["commands"][0]["name"]), (&json!(false), &json!("ping")));
    let seq = state["seq"].as_u64().expect("a number");
    let _gateway = Gateway::ready(&sandbox).await;
    let online = ada.wait_for_event(seq, SOON, |kind, data| (kind == "bot").then(|| data["online"].clone())).await.expect("it is told");
    assert_eq!(online, true);
}

#[tokio::test]
async fn only_this_machines_own_page_is_let_in() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let state = format!("{}/sandbox/api/state?user=1000000000000000011", sandbox.url());
    let ask = async |name: &str, value: &str| rest.client.get(&state).header(name, value).send().await.expect("it answers").status();
    assert_eq!(ask("x-nothing", "").await, 200);
    assert_eq!(ask("host", "evil.example").await, 403);
    assert_eq!(ask("origin", "http://evil.example").await, 403);
    assert_eq!(ask("origin", sandbox.url()).await, 200);
    let page = rest.client.get(sandbox.url()).send().await.expect("it answers");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.expect("the page is whole").contains("<html"));
    let none = rest.client.get(format!("{}/../Cargo.toml", sandbox.url())).send().await.expect("it answers");
    assert_eq!(none.status(), 404);
}

#[tokio::test]
async fn malformed_calls_are_refused_with_a_sentence() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let api = format!("{}/sandbox/api", sandbox.url());
    let calls = [
        rest.client.get(format!("{api}/state?user=nobody")),
        rest.client.get(format!("{api}/state?user=5")),
        rest.client.get(format!("{api}/channels/x/messages?user=1000000000000000011")),
        rest.client.get(format!("{api}/nothing")),
        rest.client.post(format!("{api}/commands")).json(&json!({ "user": "1000000000000000011" })),
        rest.client.post(format!("{api}/messages")).body("{}"),
    ];
    for call in calls {
        let answer = call.send().await.expect("it answers");
        assert!(answer.status().is_client_error());
        let body: serde_json::Value = answer.json().await.expect("the refusal is JSON");
        assert!(!text(&body, "error").is_empty());
    }
    let first = rest.client.get(format!("{api}/state")).send().await.expect("it answers").json::<serde_json::Value>().await;
    assert_eq!(first.expect("the state is JSON")["dm"]["recipients"][0]["username"], "ada");
}

#[tokio::test]
async fn options_are_checked_before_the_bot_sees_them() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([
        { "name": "draw", "description": "Draws", "dm_permission": false, "options": [
            { "type": 3, "name": "prompt", "description": "What", "required": true, "max_length": 5 },
            { "type": 4, "name": "count", "description": "How many", "max_value": 4 },
            { "type": 3, "name": "style", "description": "How", "choices": [{ "name": "Raw", "value": "raw" }] },
            { "type": 6, "name": "who", "description": "For whom" },
        ]},
        { "name": "purge", "description": "Deletes", "default_member_permissions": (1 << 13).to_string() },
    ]))
    .await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let refused =
        async |channel: &str, command: &str, options: &[(&str, serde_json::Value)]| match linus.slash(channel, command, options).await {
            Err(VisitorError::Refused { sentence, .. }) => sentence,
            other => panic!("a refusal was expected, not {other:?}"),
        };
    assert_eq!(refused("general", "draw", &[]).await, "option `prompt` is required");
    assert_eq!(refused("general", "draw", &[("prompt", json!("123456"))]).await, "option `prompt` must be at most 5 characters long");
    let prompt = ("prompt", json!("a"));
    assert_eq!(refused("general", "draw", &[prompt.clone(), ("count", json!(5))]).await, "option `count` must be at most 4");
    assert_eq!(refused("general", "draw", &[prompt.clone(), ("count", json!("x"))]).await, "option `count` must be a whole number");
    assert_eq!(refused("general", "draw", &[prompt.clone(), ("style", json!("x"))]).await, "option `style` must be one of its choices");
    assert_eq!(refused("general", "draw", &[prompt.clone(), ("size", json!(1))]).await, "there is no option `size`");
    assert_eq!(refused("dm", "draw", std::slice::from_ref(&prompt)).await, "this command cannot be used in direct messages");
    assert_eq!(refused("general", "purge", &[]).await, "you are not allowed to use this command");
    let options = [prompt, ("count", json!("3")), ("style", json!("raw")), ("who", json!(linus.user_id()))];
    linus.slash("Second studio/general", "draw", &options).await.expect("everything fits");
    let interaction = gateway.interaction().await;
    assert_eq!(interaction["guild_id"], "1000000000000000200");
    assert_eq!(interaction["data"]["options"][1]["value"], 3);
    assert_eq!(interaction["data"]["resolved"]["users"][linus.user_id()]["username"], "linus");
    let grace = Visitor::connect(sandbox.url(), "grace").await.expect("grace is here");
    grace.slash("general", "purge", &[]).await.expect("a moderator may");
}

#[tokio::test]
async fn events_are_polled_and_streamed_and_ephemeral_ones_reach_one_person() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let grace = Visitor::connect(sandbox.url(), "grace").await.expect("grace is here");
    let seq = ada.seq().await.expect("the sandbox counts");
    let listening = tokio::spawn({
        let grace = grace.clone();
        async move { grace.events(seq, SOON).await }
    });
    ada.slash("general", "ping", &[]).await.expect("the command is known");
    let interaction = gateway.interaction().await;
    rest.answer(&interaction, json!({ "type": 4, "data": { "content": "secret", "flags": 64 } })).await;
    let said = rest.post(&format!("/channels/{GENERAL}/messages"), json!({ "content": "public" })).await.body;
    let kinds = |events: &[serde_json::Value]| events.iter().map(|event| text(event, "type").to_owned()).collect::<Vec<_>>();
    let (_, heard) = listening.await.expect("the poll ends").expect("it is answered");
    assert_eq!((kinds(&heard), &heard[0]["data"]["content"]), (vec!["message_create".to_owned()], &json!("public")));
    let (_, heard) = ada.events(seq, Duration::ZERO).await.expect("the events are there");
    assert_eq!(kinds(&heard), ["interaction_acknowledged", "message_create", "message_create"]);
    assert_eq!(heard[0]["data"]["interaction"], interaction["id"]);
    let (same, nothing) = grace.events(ada.seq().await.expect("the sandbox counts"), Duration::ZERO).await.expect("it answers");
    assert!(nothing.is_empty() && same > seq);

    let url = format!("{}/sandbox/api/events?user={}", sandbox.url(), ada.user_id());
    let mut stream = rest.client.get(url).header("last-event-id", seq.to_string()).send().await.expect("it answers");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut streamed = String::new();
    while !streamed.contains("public") {
        let chunk = tokio::time::timeout(SOON, stream.chunk()).await.expect("more comes").expect("it is read").expect("it is open");
        streamed.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(streamed.contains("event: interaction_acknowledged") && streamed.contains(&format!("id: {}", seq + 1)), "{streamed}");

    let id = text(&said, "id");
    let linus = Visitor::connect(sandbox.url(), "linus").await.expect("linus is here");
    let delete = async |visitor: &Visitor| {
        let url = format!("{}/sandbox/api/messages/{id}?user={}", sandbox.url(), visitor.user_id());
        rest.client.request(Method::DELETE, url).send().await.expect("it answers").status()
    };
    assert_eq!(delete(&linus).await, 403);
    assert_eq!(delete(&grace).await, 200, "a moderator may");
    assert_eq!(gateway_event(&mut gateway, "MESSAGE_DELETE").await["id"], *id);
}

async fn gateway_event(gateway: &mut Gateway, kind: &str) -> serde_json::Value {
    loop {
        let payload = gateway.next().await;
        if payload["t"] == kind {
            return payload["d"].clone();
        }
    }
}
