//! What an answer to an interaction may be, what it tells, and whom it reaches.

use crate::support::*;
use reqwest::Method;
use sandbox::{ManualClock, Sandbox, Visitor};
use serde_json::{Value, json};
use std::time::Duration;

const STUDIO: &str = "1000000000000000210";

struct Stage {
    sandbox: Sandbox,
    rest: Rest,
    gateway: Gateway,
    ada: Visitor,
}

async fn stage_on(sandbox: Sandbox) -> Stage {
    let rest = Rest::new(&sandbox);
    let option = json!({ "type": 3, "name": "words", "description": "Anything", "autocomplete": true });
    rest.register(json!([{ "name": "ping", "description": "Answers", "options": [option] }])).await;
    let gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    Stage { sandbox, rest, gateway, ada }
}

async fn stage() -> Stage {
    stage_on(start().await).await
}

fn form() -> Value {
    let input = json!({ "type": 4, "custom_id": "words", "label": "Words", "style": 1 });
    json!({ "custom_id": "form", "title": "Words", "components": [{ "type": 1, "components": [input] }] })
}

fn button() -> Value {
    json!([{ "type": 1, "components": [{ "type": 2, "style": 1, "label": "Again", "custom_id": "again" }] }])
}

fn code(reply: &Reply) -> (u16, u64) {
    (reply.status, reply.body["code"].as_u64().unwrap_or(0))
}

impl Stage {
    async fn ping(&mut self) -> Value {
        self.ping_in("general").await
    }

    async fn ping_in(&mut self, channel: &str) -> Value {
        self.ada.slash(channel, "ping", &[]).await.expect("the command is known");
        self.gateway.interaction().await
    }

    /// A press of the button under a message that answers a command, and that message's id.
    async fn press(&mut self, channel: &str, flags: u64) -> (Value, String) {
        let asked = self.ping_in(channel).await;
        let data = json!({ "content": "press", "components": button(), "flags": flags });
        assert_eq!(self.rest.answer(&asked, json!({ "type": 4, "data": data })).await.status, 204);
        let id = text(&self.rest.get(&original(&asked)).await.body, "id").to_owned();
        self.ada.press(&id, "Again").await.expect("the button is there");
        (self.gateway.interaction().await, id)
    }

    /// A form that a button opened, sent.
    async fn submit(&mut self) -> (Value, Value, String) {
        let (press, id) = self.press("general", 0).await;
        let seq = self.ada.seq().await.expect("the sandbox counts");
        assert_eq!(self.rest.answer(&press, json!({ "type": 9, "data": form() })).await.status, 204);
        let opened = self.ada.wait_for_event(seq, SOON, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form opens");
        self.ada.submit(&opened, &[("words", "a cat")]).await.expect("the form is taken");
        (self.gateway.interaction().await, opened, id)
    }
}

#[tokio::test]
async fn an_answer_tells_of_the_message_that_it_made_and_of_nothing_else() {
    let mut stage = stage().await;
    let content = json!({ "content": "x" });
    for (kind, data, has_resource) in [(4, content.clone(), true), (5, json!({}), false), (9, form(), false)] {
        let asked = stage.ping().await;
        check(&stage.rest, &asked, kind, data, has_resource).await;
    }
    for (kind, has_resource) in [(4, true), (5, false), (6, false), (7, true)] {
        let (press, _) = stage.press("general", 0).await;
        check(&stage.rest, &press, kind, if kind == 6 { Value::Null } else { content.clone() }, has_resource).await;
    }
    let typed = [("words", json!("a"))];
    let question = async {
        let asked = stage.gateway.interaction().await;
        check(&stage.rest, &asked, 8, json!({ "choices": [] }), false).await;
        let follow_up = stage.rest.post(&webhook(&asked), json!({ "content": "more" })).await;
        assert_eq!(code(&follow_up), (404, 10015), "suggestions cannot be followed");
    };
    let (choices, ()) = tokio::join!(stage.ada.autocomplete("general", "ping", &typed, "words"), question);
    assert!(choices.expect("the bot suggests").is_empty());
    assert!(stage.sandbox.violations().is_empty(), "{:?}", stage.sandbox.violations());
}

async fn check(rest: &Rest, asked: &Value, kind: u64, data: Value, has_resource: bool) {
    let mut body = json!({ "type": kind });
    if !data.is_null() {
        body["data"] = data;
    }
    let reply = rest.post(&format!("{}?with_response=1", callback(asked)), body).await;
    assert_eq!((reply.status, reply.body.get("resource").is_some()), (200, has_resource), "{kind}: {}", reply.body);
    let told = &reply.body["interaction"];
    assert_eq!(told["response_message_loading"], if matches!(kind, 4 | 5 | 7) { json!(kind == 5) } else { Value::Null }, "{told}");
    if has_resource {
        assert_eq!(
            (&reply.body["resource"]["type"], &reply.body["resource"]["message"]["id"]),
            (&json!(kind), &told["response_message_id"])
        );
    }
}

#[tokio::test]
async fn of_two_at_once_one_comes_first() {
    let mut stage = stage().await;
    let rest = stage.rest.clone();
    for n in 0..8 {
        let asked = stage.ping().await;
        let (one, other) = tokio::join!(rest.answer(&asked, json!({ "type": 5 })), rest.answer(&asked, json!({ "type": 5 })));
        let mut codes = [code(&one), code(&other)];
        codes.sort_unstable();
        assert_eq!(codes, [(204, 0), (400, 40060)], "{n}");
        let path = original(&asked);
        let (edited, deleted) = tokio::join!(rest.patch(&path, json!({ "content": "done" })), rest.delete(&path));
        assert_eq!(deleted.status, 204);
        assert!(matches!(code(&edited), (200, 0) | (404, 10008)), "{:?}", code(&edited));
        assert_eq!(code(&rest.get(&path).await), (404, 10008), "an edit brings nothing back");
    }
}

#[tokio::test]
async fn tokens_name_what_is_wrong_with_them() {
    let clock = ManualClock::new();
    let mut stage = stage_on(start_with(&clock).await).await;
    let late = stage.ping().await;
    clock.advance(Duration::from_millis(3001));
    assert_eq!(code(&stage.rest.answer(&late, json!({ "type": 5 })).await), (404, 10062));
    let opened = stage.ping().await;
    assert_eq!(stage.rest.answer(&opened, json!({ "type": 9, "data": form() })).await.status, 204);
    let token = text(&opened, "token");
    for (path, expected) in [
        (original(&late), (404, 10015)),
        (original(&opened), (404, 10008)),
        (format!("/webhooks/5/{token}/messages/@original"), (404, 10015)),
        (format!("/webhooks/{APP}/nobody/messages/@original"), (401, 50027)),
        (format!("/webhooks/{APP}/{token}/messages/5"), (404, 10008)),
    ] {
        assert_eq!(code(&stage.rest.patch(&path, json!({ "content": "x" })).await), expected, "{path}");
    }
}

#[tokio::test]
async fn a_form_that_a_button_opened_updates_its_message_and_is_sent_once() {
    let mut stage = stage().await;
    for (kind, content) in [(5, "press"), (6, "press"), (7, "by the form")] {
        let (submitted, opened, id) = stage.submit().await;
        assert_eq!(submitted["message"]["id"], id.as_str());
        let mut body = json!({ "type": kind });
        if kind == 7 {
            body["data"] = json!({ "content": "by the form" });
        }
        assert_eq!(stage.rest.answer(&submitted, body).await.status, 204, "{kind}");
        let answer = stage.rest.get(&original(&submitted)).await.body;
        assert_eq!(answer["id"] == id.as_str(), kind != 5, "{kind}: {answer}");
        assert_eq!(stage.ada.message(&id).await.expect("it is there")["content"], content);
        assert!(stage.ada.submit(&opened, &[("words", "a dog")]).await.is_err(), "the form was sent");
        assert_eq!(code(&stage.rest.answer(&submitted, json!({ "type": 9, "data": form() })).await), (400, 40060));
    }
    let (submitted, ..) = stage.submit().await;
    assert_eq!(code(&stage.rest.answer(&submitted, json!({ "type": 9, "data": form() })).await), (400, 50035), "no form after a form");
}

#[tokio::test]
async fn answers_and_follow_ups_carry_files() {
    let mut stage = stage().await;
    let asked = stage.ping().await;
    let described = json!([{ "id": "0", "description": "a frog" }]);
    let answer = json!({ "type": 4, "data": { "content": "here", "attachments": described } });
    assert_eq!(stage.rest.upload(Method::POST, &callback(&asked), answer, &[("a.png", png())]).await.status, 204);
    let first = stage.rest.get(&original(&asked)).await.body;
    let more = stage.rest.upload(Method::POST, &webhook(&asked), json!({ "attachments": described }), &[("b.png", png())]).await.body;
    for (message, name) in [(first, "a.png"), (more, "b.png")] {
        let file = &message["attachments"][0];
        assert_eq!((text(file, "filename"), text(file, "description")), (name, "a frog"));
        let served = stage.rest.client.get(text(file, "url")).send().await.expect("the file server answers");
        assert_eq!(served.bytes().await.expect("the file is whole"), png());
    }
}

#[tokio::test]
async fn an_ephemeral_answer_is_out_of_the_bot_tokens_reach_and_stays_so() {
    let mut stage = stage().await;
    let rest = stage.rest.clone();
    let (press, id) = stage.press("Second studio/general", 64).await;
    let history = format!("/channels/{STUDIO}/messages");
    let plain = rest.post(&history, json!({ "content": "plain" })).await.body;
    assert_eq!(rest.get(&history).await.body.as_array().map(Vec::len), Some(1), "it is in no history");
    let one = format!("{history}/{id}");
    for (method, path, body) in [
        (Method::GET, one.clone(), Value::Null),
        (Method::PATCH, one.clone(), json!({ "content": "x" })),
        (Method::DELETE, one.clone(), Value::Null),
        (Method::PUT, format!("{one}/reactions/%F0%9F%91%8D/@me"), Value::Null),
        (Method::PUT, format!("{history}/pins/{id}"), Value::Null),
        (Method::POST, format!("{one}/threads"), json!({ "name": "talk" })),
    ] {
        let told = format!("{method} {path}");
        assert_eq!(code(&rest.call(method, &path, body).await), (404, 10008), "{told}");
    }
    let reply = rest.post(&history, json!({ "content": "x", "message_reference": { "message_id": id } })).await;
    assert_eq!(code(&reply), (400, 50035));
    let both = json!({ "messages": [id, plain["id"]] });
    assert_eq!(rest.post(&format!("{history}/bulk-delete"), both).await.status, 204);
    assert_eq!(rest.get(&history).await.body, json!([]));
    assert_eq!(stage.ada.message(&id).await.expect("she still sees it")["flags"], 64);

    assert_eq!(rest.answer(&press, json!({ "type": 7, "data": { "content": "changed", "flags": 0 } })).await.status, 204);
    let changed = stage.ada.message(&id).await.expect("she sees it");
    assert_eq!((&changed["content"], &changed["flags"]), (&json!("changed"), &json!(64)));
    let edited = rest.patch(&original(&press), json!({ "content": "again", "flags": 0 })).await.body;
    assert_eq!((&edited["content"], &edited["flags"]), (&json!("again"), &json!(64)));
    let grace = Visitor::connect(stage.sandbox.url(), "grace").await.expect("grace is here");
    assert!(grace.message(&id).await.is_err(), "it is for ada alone");
}

#[tokio::test]
async fn a_nonce_holds_for_five_minutes_and_through_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::new();
    let begin = async || {
        let sandbox = Sandbox::start_with_clock(config(Some(dir.path())), sandbox::Clock::Manual(clock.clone())).await.expect("it starts");
        let rest = Rest::new(&sandbox);
        (sandbox, rest)
    };
    let path = format!("/channels/{GENERAL}/messages");
    let send = async |rest: &Rest, nonce: Value| rest.post(&path, json!({ "content": "x", "nonce": nonce, "enforce_nonce": true })).await;
    let (sandbox, rest) = begin().await;
    let first = send(&rest, json!("one")).await.body;
    sandbox.shutdown().await;
    let (sandbox, rest) = begin().await;
    assert_eq!(send(&rest, json!("one")).await.body["id"], first["id"]);
    clock.advance(Duration::from_secs(301));
    assert_ne!(send(&rest, json!("one")).await.body["id"], first["id"], "five minutes are over");
    let number = send(&rest, json!(7)).await.body;
    let again = send(&rest, json!(7)).await.body;
    assert_eq!((&again["id"], &again["nonce"]), (&number["id"], &json!(7)));
    assert_eq!(rest.delete(&format!("{path}/{}", text(&number, "id"))).await.status, 204);
    assert_ne!(send(&rest, json!(7)).await.body["id"], number["id"], "the message is gone, and its nonce with it");
    assert_eq!(send(&rest, json!("x".repeat(25))).await.status, 200);
    assert_eq!(code(&send(&rest, json!("x".repeat(26))).await), (400, 50035));
    expect_violations(&sandbox, &["longer than 25 characters"]);
}
