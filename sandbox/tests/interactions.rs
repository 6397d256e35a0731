//! The life of a slash command and of what follows it, byte by byte.

use crate::support::*;
use reqwest::Method;
use sandbox::{ManualClock, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

fn ping() -> Value {
    json!([{ "name": "ping", "description": "Answers", "options": [
        { "type": 3, "name": "words", "description": "Anything", "required": true, "max_length": 20 },
        { "type": 4, "name": "count", "description": "How many", "min_value": 1, "max_value": 4, "autocomplete": true },
    ]}])
}

struct Stage {
    sandbox: sandbox::Sandbox,
    rest: Rest,
    gateway: Gateway,
    ada: Visitor,
}

async fn stage_on(sandbox: sandbox::Sandbox) -> Stage {
    let rest = Rest::new(&sandbox);
    rest.register(ping()).await;
    let gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    Stage { sandbox, rest, gateway, ada }
}

async fn stage() -> Stage {
    stage_on(start().await).await
}

impl Stage {
    async fn ping(&mut self) -> Value {
        self.ada.slash("general", "ping", &[("words", json!("a frog")), ("count", json!(2))]).await.expect("the command is known");
        self.gateway.interaction().await
    }
}

#[tokio::test]
async fn an_interaction_carries_what_libraries_need() {
    let mut stage = stage().await;
    let interaction = stage.ping().await;
    for field in ["id", "application_id", "token", "channel_id", "guild_id", "app_permissions", "locale", "guild_locale"] {
        assert!(interaction[field].is_string(), "{field} in {interaction}");
    }
    assert_eq!(interaction["version"], 1);
    assert_eq!(interaction["attachment_size_limit"], 10 << 20);
    assert_eq!(interaction["entitlements"], json!([]));
    assert_eq!(interaction["context"], 0);
    assert_eq!(interaction["authorizing_integration_owners"], json!({ "0": interaction["guild_id"] }));
    assert_eq!(interaction["member"]["user"]["username"], "ada");
    assert!(interaction["member"]["permissions"].is_string());
    assert_eq!(interaction["data"]["options"][0], json!({ "name": "words", "type": 3, "value": "a frog" }));
    assert_eq!(interaction["data"]["options"][1], json!({ "name": "count", "type": 4, "value": 2 }));
}

#[tokio::test]
async fn a_deferred_answer_is_edited_with_a_file_and_followed_up() {
    let mut stage = stage().await;
    let interaction = stage.ping().await;
    stage.rest.defer(&interaction).await;
    let loading = stage.gateway.event("MESSAGE_CREATE").await;
    assert_eq!((&loading["flags"], &loading["type"]), (&json!(128), &json!(20)));

    let edit = json!({ "content": "done", "embeds": [{ "image": { "url": "attachment://grid.png" } }],
        "attachments": [{ "id": 0, "filename": "grid.png", "description": "four frogs" }] });
    let reply = stage.rest.upload(Method::PATCH, &original(&interaction), edit, &[("grid.png", png())]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body["attachments"], json!([]), "the embed shows it");
    let image = reply.body["embeds"][0]["image"].clone();
    let reply = stage.rest.patch(&original(&interaction), json!({ "embeds": [] })).await;
    let attachment = &reply.body["attachments"][0];
    assert_eq!((&attachment["width"], &attachment["height"]), (&json!(3), &json!(2)));
    assert_eq!((&attachment["content_type"], &attachment["size"]), (&json!("image/png"), &json!(png().len())));
    assert_eq!((&attachment["description"], &attachment["url"]), (&json!("four frogs"), &image["url"]));
    assert_eq!((&reply.body["flags"], reply.body["edited_timestamp"].is_string()), (&json!(0), true), "the second edit is one");
    assert!(reply.headers.contains_key("x-ratelimit-remaining"));

    let served = stage.rest.client.get(text(attachment, "url")).send().await.expect("the file server answers");
    assert_eq!(served.headers()["content-type"], "image/png");
    assert_eq!(served.bytes().await.expect("the file is whole"), png());
    let forged = text(attachment, "url").replace("hm=", "hm=0");
    assert_eq!(stage.rest.client.get(forged).send().await.expect("the file server answers").status(), 404);

    let more = stage.rest.post(&webhook(&interaction), json!({ "content": "more", "flags": 64 })).await;
    assert_eq!((more.status, &more.body["flags"]), (200, &json!(64)));
    assert_eq!(more.body["interaction_metadata"]["original_response_message_id"], reply.body["id"]);
    let path = format!("{}/messages/{}", webhook(&interaction), text(&more.body, "id"));
    assert_eq!(stage.rest.patch(&path, json!({ "content": "even more" })).await.body["content"], "even more");
    assert_eq!(stage.rest.get(&path).await.body["content"], "even more");
    let by_token = stage.rest.get(&format!("/channels/{GENERAL}/messages/{}", text(&more.body, "id"))).await;
    assert_eq!((by_token.status, &by_token.body["code"]), (404, &json!(10008)), "ephemeral messages are out of the bot token's reach");
    assert_eq!(stage.rest.delete(&path).await.status, 204);
    assert_eq!(stage.rest.patch(&path, json!({ "content": "gone" })).await.body["code"], 10008);
}

#[tokio::test]
async fn percent_encoded_paths_and_callbacks_without_authorization_work() {
    let mut stage = stage().await;
    let interaction = stage.ping().await;
    stage.rest.token = String::new();
    let path = format!("{}?with_response=true", callback(&interaction));
    let reply = stage.rest.post(&path, json!({ "type": 4, "data": { "content": "hello" } })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.body["interaction"]["response_message_id"], reply.body["resource"]["message"]["id"]);
    let path = original(&interaction).replace('@', "%40");
    assert_eq!(stage.rest.get(&path).await.body["content"], "hello");
    assert_eq!(stage.rest.delete(&path).await.status, 204);
    assert_eq!(stage.rest.get(&path).await.body["code"], 10008);
}

#[tokio::test]
async fn the_first_follow_up_fills_a_waiting_answer() {
    let mut stage = stage().await;
    let interaction = stage.ping().await;
    assert_eq!(stage.rest.answer(&interaction, json!({ "type": 5, "data": { "flags": 64 } })).await.status, 204);
    let filled = stage.rest.post(&webhook(&interaction), json!({ "content": "filled" })).await;
    assert_eq!(filled.body["flags"], 64, "the answer stays for one person");
    assert_eq!(stage.rest.get(&original(&interaction)).await.body["id"], filled.body["id"]);
    let second = stage.rest.post(&webhook(&interaction), json!({ "content": "second" })).await;
    assert_ne!(second.body["id"], filled.body["id"]);
}

#[tokio::test]
async fn attachments_of_an_edit_are_kept_when_listed_or_not_mentioned() {
    let mut stage = stage().await;
    let interaction = stage.ping().await;
    stage.rest.defer(&interaction).await;
    let path = original(&interaction);
    let two = [("a.png", png()), ("b.png", png())];
    let first = stage.rest.upload(Method::PATCH, &path, json!({ "content": "two" }), &two).await.body;
    let names =
        |body: &Value| body["attachments"].as_array().expect("a list").iter().map(|it| text(it, "filename").to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["a.png", "b.png"]);
    let unchanged = stage.rest.patch(&path, json!({ "content": "still two" })).await.body;
    assert_eq!(names(&unchanged), ["a.png", "b.png"]);
    let listed = json!({ "attachments": [{ "id": first["attachments"][1]["id"] }, { "id": 0, "description": "new" }] });
    let changed = stage.rest.upload(Method::PATCH, &path, listed, &[("c.png", png())]).await.body;
    assert_eq!(names(&changed), ["b.png", "c.png"]);
    assert_eq!(changed["attachments"][1]["description"], "new");
    let unknown = stage.rest.patch(&path, json!({ "attachments": [{ "id": "5" }] })).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (400, &json!(50035)));
    assert_eq!(names(&stage.rest.patch(&path, json!({ "attachments": [] })).await.body), Vec::<String>::new());
}

#[tokio::test]
async fn a_button_can_be_acknowledged_update_its_message_or_open_a_form() {
    let mut stage = stage().await;
    let interaction = stage.ping().await;
    let rows = json!([{ "type": 1, "components": [
        { "type": 2, "style": 2, "label": "U1", "custom_id": "1:upscale:7:0" },
        { "type": 2, "style": 2, "label": "Off", "custom_id": "off", "disabled": true },
    ]}]);
    stage.rest.answer(&interaction, json!({ "type": 4, "data": { "content": "press", "components": rows } })).await;
    let id = text(&stage.rest.get(&original(&interaction)).await.body, "id").to_owned();
    assert!(stage.ada.press(&id, "Off").await.is_err(), "a disabled button does nothing");

    stage.ada.press(&id, "U1").await.expect("the button is there");
    let press = stage.gateway.interaction().await;
    assert_eq!((&press["type"], &press["data"]["custom_id"]), (&json!(3), &json!("1:upscale:7:0")));
    assert_eq!(press["message"]["content"], "press");
    assert_eq!(stage.rest.answer(&press, json!({ "type": 6 })).await.status, 204);
    stage.rest.patch(&original(&press), json!({ "content": "edited" })).await;
    assert_eq!(stage.ada.message(&id).await.expect("it is there")["content"], "edited");

    stage.ada.press(&id, "U1").await.expect("the button is there");
    let press = stage.gateway.interaction().await;
    let update = json!({ "type": 7, "data": { "content": "updated", "components": [] } });
    assert_eq!(stage.rest.answer(&press, update).await.status, 204);
    assert_eq!(stage.ada.message(&id).await.expect("it is there")["components"], json!([]));
    assert!(stage.ada.press(&id, "U1").await.is_err(), "the button is gone");

    let interaction = stage.ping().await;
    let seq = stage.ada.seq().await.expect("the sandbox counts");
    let form = json!({ "custom_id": "remix", "title": "Remix", "components": [{ "type": 1, "components": [
        { "type": 4, "style": 2, "custom_id": "prompt", "label": "Prompt", "value": "a cat", "min_length": 2 }] }] });
    assert_eq!(stage.rest.answer(&interaction, json!({ "type": 9, "data": form })).await.status, 204);
    let opened = stage.ada.wait_for_event(seq, SOON, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form opens");
    assert!(stage.ada.submit(&opened, &[("prompt", "x")]).await.is_err(), "one letter is too short");
    stage.ada.submit(&opened, &[("prompt", "a dog")]).await.expect("the form is taken");
    let submitted = stage.gateway.interaction().await;
    assert_eq!(submitted["type"], 5);
    assert_eq!(submitted["data"]["components"][0]["components"][0]["value"], "a dog");
    assert_eq!(stage.rest.answer(&submitted, json!({ "type": 6 })).await.body["code"], 50035, "no message to update");
    assert_eq!(stage.rest.answer(&submitted, json!({ "type": 4, "data": { "content": "thanks" } })).await.status, 204);
}

#[tokio::test]
async fn autocomplete_brings_the_typed_text_and_returns_suggestions() {
    let stage = stage().await;
    let Stage { rest, mut gateway, ada, .. } = stage;
    let asked = tokio::spawn(async move { ada.autocomplete("general", "ping", &[("count", json!("3"))], "count").await });
    let question = gateway.interaction().await;
    assert_eq!(question["type"], 4);
    assert_eq!(question["data"]["options"][0], json!({ "name": "count", "type": 4, "value": "3", "focused": true }));
    assert_eq!(rest.answer(&question, json!({ "type": 4, "data": { "content": "no" } })).await.body["code"], 50035);
    assert_eq!(rest.answer(&question, json!({ "type": 8, "data": { "choices": [{ "name": "three", "value": 3 }] } })).await.status, 204);
    let choices = asked.await.expect("the question ends").expect("it is answered");
    assert_eq!(choices, [json!({ "name": "three", "value": 3 })]);
}

#[tokio::test]
async fn answers_have_three_seconds_and_tokens_fifteen_minutes() {
    let clock = ManualClock::new();
    let mut stage = stage_on(start_with(&clock).await).await;
    let interaction = stage.ping().await;
    let early = stage.rest.patch(&original(&interaction), json!({ "content": "early" })).await;
    assert_eq!((early.status, &early.body["code"]), (404, &json!(10015)));
    clock.advance(Duration::from_millis(3000));
    stage.rest.defer(&interaction).await;
    let second = stage.rest.answer(&interaction, json!({ "type": 5 })).await;
    assert_eq!((second.status, &second.body["code"]), (400, &json!(40060)));
    clock.advance(Duration::from_secs(15 * 60 - 3));
    assert_eq!(stage.rest.patch(&original(&interaction), json!({ "content": "just in time" })).await.status, 200);
    clock.advance(Duration::from_millis(1));
    let late = stage.rest.patch(&original(&interaction), json!({ "content": "late" })).await;
    assert_eq!((late.status, &late.body["code"]), (401, &json!(50027)));
    assert_eq!(stage.rest.post(&webhook(&interaction), json!({ "content": "late" })).await.body["code"], 50027);

    let seq = stage.ada.seq().await.expect("the sandbox counts");
    let interaction = stage.ping().await;
    clock.advance(Duration::from_millis(3001));
    let reason = stage
        .ada
        .wait_for_event(seq, SOON, |kind, data| (kind == "interaction_failed").then(|| text(data, "reason").to_owned()))
        .await
        .expect("the silence is told");
    assert_eq!(reason, "the application did not respond");
    let late = stage.rest.answer(&interaction, json!({ "type": 5 })).await;
    assert_eq!((late.status, &late.body["code"]), (404, &json!(10062)));
    let unknown = json!({ "id": "1", "token": "nobody" });
    assert_eq!(stage.rest.answer(&unknown, json!({ "type": 5 })).await.body["code"], 10062);
    stage.sandbox.shutdown().await;
}

#[tokio::test]
async fn without_a_bot_an_interaction_fails_at_once() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    rest.register(ping()).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let seq = ada.seq().await.expect("the sandbox counts");
    let id = ada.slash("general", "ping", &[("words", json!("anyone?"))]).await.expect("the command is known");
    let (_, events) = ada.events(seq, Duration::ZERO).await.expect("the events are there");
    assert_eq!(events[0]["type"], "interaction_failed");
    assert_eq!(events[0]["data"]["interaction"], id.0);
    assert!(ada.autocomplete("general", "ping", &[("count", json!("3"))], "count").await.is_err());
}
