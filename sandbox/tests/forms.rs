//! Forms that Discord refuses, each with the path and the code of its fault: what the description cannot say.

use crate::support::*;
use reqwest::Method;
use sandbox::{ManualClock, OnViolation, Sandbox, SandboxConfig, Visitor};
use serde_json::{Value, json};

/// Refused with one fault at this place of the tree.
#[track_caller]
fn refused(reply: &Reply, pointer: &str, code: &str) {
    assert_eq!((reply.status, &reply.body["code"]), (400, &json!(50035)), "{pointer} {code}: {}", reply.body);
    let fault = reply.body.pointer(&format!("/errors{pointer}/_errors/0"));
    assert_eq!(fault.map(|fault| &fault["code"]), Some(&json!(code)), "{pointer}: {}", reply.body);
    assert_eq!(reply.body.to_string().matches("_errors").count(), 1, "nothing else is wrong: {}", reply.body);
}

fn messages() -> String {
    format!("/channels/{GENERAL}/messages")
}

fn button(custom_id: &str) -> Value {
    json!({ "type": 2, "style": 1, "label": "x", "custom_id": custom_id })
}

fn row(components: Value) -> Value {
    json!({ "components": [{ "type": 1, "components": components }] })
}

fn option(label: &str, value: &str) -> Value {
    json!({ "label": label, "value": value })
}

fn menu(more: Value) -> Value {
    let mut menu = json!({ "type": 3, "custom_id": "menu", "options": [option("A", "a"), option("B", "b")] });
    menu.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    row(json!([menu]))
}

fn v2(components: Value) -> Value {
    json!({ "flags": 32768, "components": components })
}

#[tokio::test]
async fn texts_embeds_and_mentions_of_a_message() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let embed = |embed: Value| json!({ "embeds": [embed] });
    for (body, pointer, code) in [
        (json!({ "content": "x".repeat(2001) }), "/content", "BASE_TYPE_MAX_LENGTH"),
        (json!({ "content": 5 }), "/content", "STRING_TYPE_CONVERT"),
        (json!({ "content": "x", "nonce": "x".repeat(26) }), "/nonce", "NONCE_TYPE_TOO_LONG"),
        (json!({ "embeds": vec![json!({ "title": "x" }); 11] }), "/embeds", "BASE_TYPE_MAX_LENGTH"),
        (json!({ "embeds": vec![json!({ "description": "x".repeat(3001) }); 2] }), "/embeds", "MAX_EMBED_SIZE_EXCEEDED"),
        (embed(json!({ "color": 5 })), "/embeds/0/description", "BASE_TYPE_REQUIRED"),
        (embed(json!({ "title": "x".repeat(257) })), "/embeds/0/title", "BASE_TYPE_MAX_LENGTH"),
        (embed(json!({ "title": "x", "fields": [{ "name": "", "value": "x" }] })), "/embeds/0/fields/0/name", "BASE_TYPE_REQUIRED"),
        (embed(json!({ "title": "x", "url": "ftp://x" })), "/embeds/0/url", "URL_TYPE_INVALID_SCHEME"),
        (embed(json!({ "title": "x", "url": "here" })), "/embeds/0/url", "URL_TYPE_INVALID_URL"),
        (embed(json!({ "image": { "url": "file:///x.png" } })), "/embeds/0/image/url", "URL_TYPE_INVALID_SCHEME"),
        (
            json!({ "content": "x", "allowed_mentions": { "parse": ["users"], "users": ["5"] } }),
            "/allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
        (json!({ "content": "x", "allowed_mentions": { "parse": ["all"] } }), "/allowed_mentions/parse/0", "BASE_TYPE_CHOICES"),
        (json!({ "content": "x", "message_reference": { "message_id": "5" } }), "/message_reference", "REPLIES_UNKNOWN_MESSAGE"),
    ] {
        refused(&rest.post(&messages(), body).await, pointer, code);
    }
    assert_eq!(rest.post(&messages(), json!({ "content": "" })).await.body["code"], 50006);
    assert_eq!(rest.get(&messages()).await.body, json!([]), "nothing was created");
    sandbox.forgive_violations();
}

#[tokio::test]
async fn buttons_and_menus_of_a_message() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let first = "/components/0/components/0";
    let rows: Vec<Value> = (0..6).map(|n| json!({ "type": 1, "components": [button(&n.to_string())] })).collect();
    let six: Vec<Value> = (0..6).map(|n| button(&n.to_string())).collect();
    let many: Vec<Value> = (0..26).map(|n| option("x", &n.to_string())).collect();
    let exclusive = "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE";
    let link = |more: Value| {
        let mut link = json!({ "type": 2, "style": 5, "label": "x" });
        link.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        row(json!([link]))
    };
    let premium = |more: Value| {
        let mut premium = json!({ "type": 2, "style": 6 });
        premium.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        row(json!([premium]))
    };
    for (body, pointer, code) in [
        (json!({ "components": rows }), "/components", "BASE_TYPE_MAX_LENGTH"),
        (row(json!(six)), "/components/0/components", "BASE_TYPE_BAD_LENGTH"),
        (row(json!([])), "/components/0/components", "BASE_TYPE_BAD_LENGTH"),
        (json!({ "components": [button("a")] }), "/components/0", "UNION_TYPE_CHOICES"),
        (row(json!([{ "type": 1, "components": [button("a")] }])), first, "UNION_TYPE_CHOICES"),
        (row(json!([button("a"), button("a")])), "/components/0/components/1/custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
        (row(json!([button(&"x".repeat(101))])), "/components/0/components/0/custom_id", "BASE_TYPE_BAD_LENGTH"),
        (
            row(json!([{ "type": 2, "style": 1, "label": "x" }])),
            "/components/0/components/0/custom_id",
            "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
        ),
        (row(json!([{ "type": 2, "style": 1, "custom_id": "a" }])), first, "BUTTON_COMPONENT_MISSING_LABEL_OR_EMOJI"),
        (row(json!([{ "type": 2, "style": 7, "custom_id": "a", "label": "x" }])), "/components/0/components/0/style", "BASE_TYPE_CHOICES"),
        (
            row(json!([{ "type": 2, "style": 1, "custom_id": "a", "label": "x", "url": "https://example.org" }])),
            "/components/0/components/0/url",
            exclusive,
        ),
        (
            row(json!([{ "type": 2, "style": 1, "custom_id": "a", "label": "x", "sku_id": "5" }])),
            "/components/0/components/0/sku_id",
            "BUTTON_COMPONENT_SKU_ID_INVALID",
        ),
        (link(json!({ "url": "https://example.org", "custom_id": "a" })), "/components/0/components/0/custom_id", exclusive),
        (link(json!({})), "/components/0/components/0/url", "BUTTON_COMPONENT_URL_REQUIRED"),
        (link(json!({ "url": "javascript:x" })), "/components/0/components/0/url", "URL_TYPE_INVALID_SCHEME"),
        (premium(json!({})), "/components/0/components/0/sku_id", "BUTTON_COMPONENT_SKU_ID_REQUIRED"),
        (premium(json!({ "sku_id": "5", "label": "Buy" })), "/components/0/components/0/label", "BUTTON_COMPONENT_PREMIUM_INVALID"),
        (row(json!([button("a"), { "type": 5, "custom_id": "menu" }])), "/components/0/components/1", "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
        (menu(json!({ "options": [] })), "/components/0/components/0/options", "BASE_TYPE_BAD_LENGTH"),
        (menu(json!({ "options": many })), "/components/0/components/0/options", "BASE_TYPE_BAD_LENGTH"),
        (
            menu(json!({ "options": [option("A", "a"), option("B", "a")] })),
            "/components/0/components/0/options/1",
            "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
        ),
        (menu(json!({ "min_values": 2 })), "/components/0/components/0/min_values", "NUMBER_TYPE_MAX"),
        (menu(json!({ "max_values": 3 })), "/components/0/components/0/max_values", "NUMBER_TYPE_MAX"),
        (
            menu(json!({ "options": [{ "label": "A", "value": "a", "default": true }, { "label": "B", "value": "b", "default": true }] })),
            "/components/0/components/0/options",
            "SELECT_COMPONENT_TOO_MANY_DEFAULT_VALUES",
        ),
        (menu(json!({ "placeholder": "x".repeat(151) })), "/components/0/components/0/placeholder", "BASE_TYPE_MAX_LENGTH"),
    ] {
        refused(&rest.post(&messages(), body).await, pointer, code);
    }
    sandbox.forgive_violations();
}

#[tokio::test]
async fn messages_of_components_alone() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let words = |words: &str| json!({ "type": 10, "content": words });
    let legacy = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2";
    let picture = json!([{ "type": 12, "items": [{ "media": { "url": "attachment://fox.png" } }] }]);
    let mut mixed = v2(json!([words("x")]));
    mixed["content"] = json!("x");
    let mut embedded = v2(json!([words("x")]));
    embedded["embeds"] = json!([{ "title": "x" }]);
    for (body, pointer, code) in [
        (mixed, "/content", legacy),
        (embedded, "/embeds", legacy),
        (json!({ "components": [words("x")] }), "/components/0", "UNION_TYPE_CHOICES"),
        (v2(json!([button("a")])), "/components/0", "UNION_TYPE_CHOICES"),
        (v2(json!(vec![words("x"); 41])), "/components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"),
        (v2(json!([words(&"x".repeat(2001)), words(&"x".repeat(2001))])), "/components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"),
        (v2(json!([{ "type": 9, "components": [words("x")] }])), "/components/0/accessory", "BASE_TYPE_REQUIRED"),
        (v2(json!([{ "type": 17, "components": [button("a")] }])), "/components/0/components/0", "UNION_TYPE_CHOICES"),
        (v2(picture), "/components/0/items/0/media/url", "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"),
    ] {
        refused(&rest.post(&messages(), body).await, pointer, code);
    }
    sandbox.forgive_violations();
    let all = json!([
        { "type": 17, "components": [words("x"), { "type": 1, "components": [button("a")] }, { "type": 14 }] },
        { "type": 12, "items": [{ "media": { "url": "attachment://fox.png" } }, { "media": { "url": "https://example.org/x.png" } }] },
        { "type": 13, "file": { "url": "attachment://fox.png" } },
        { "type": 9, "components": [words("x")], "accessory": { "type": 11, "media": { "url": "attachment://fox.png" } } },
    ]);
    let sent = rest.upload(Method::POST, &messages(), v2(all), &[("fox.png", png())]).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let media = &sent.body["components"][3]["accessory"]["media"];
    assert_eq!((&media["attachment_id"], &media["width"]), (&media["id"], &json!(3)));
}

#[tokio::test]
async fn attachments_and_files_name_each_other() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let files = [("fox.png", png()), ("owl.png", png())];
    let missing = rest.upload(Method::POST, &messages(), json!({ "attachments": [{ "id": 0 }, { "id": 7 }, { "id": 1 }] }), &files).await;
    refused(&missing, "/attachments/1", "ATTACHMENT_NOT_FOUND");
    assert!(sandbox.violations().is_empty(), "{:?}", sandbox.violations());
    let passed_over = async |method: Method, path: &str, body: Value, expected: &str| {
        let sent = rest.upload(method, path, body, &files).await;
        assert_eq!(sent.status, 200, "{}", sent.body);
        let told: Vec<String> = sandbox.violations().into_iter().map(|violation| violation.message).collect();
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        sandbox.forgive_violations();
        sent.body
    };
    let sent = rest.upload(Method::POST, &messages(), json!({ "attachments": [{ "id": 0 }] }), &files).await.body;
    assert_eq!(sent["attachments"].as_array().map(Vec::len), Some(2), "what is sent anew has all of its files");
    let path = format!("{}/{}", messages(), text(&sent, "id"));
    let edited = passed_over(Method::PATCH, &path, json!({ "attachments": [{ "id": 1 }] }), "`files[0]` is not named").await;
    assert_eq!(edited["attachments"].as_array().map(Vec::len), Some(1), "an edit has what it names");
    let embed = json!({ "embeds": [{ "image": { "url": "attachment://cat.png" } }] });
    passed_over(Method::POST, &messages(), embed, "`embeds.0.image.url`: the message has no file cat.png").await;
    passed_over(Method::POST, &messages(), json!({ "flags": 64 }), "`flags`: Discord passes over 64").await;
}

fn command(name: &str) -> Value {
    json!({ "name": name, "description": "x" })
}

fn with_options(options: Value) -> Value {
    json!({ "name": "a", "description": "x", "options": options })
}

#[tokio::test]
async fn commands_and_their_options() {
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    let commands = format!("/applications/{APP}/commands");
    let option = |kind: u64, more: Value| {
        let mut option = json!({ "type": kind, "name": "o", "description": "x" });
        option.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        option
    };
    let named = |name: &str, required: bool| json!({ "type": 3, "name": name, "description": "x", "required": required });
    let choices = |values: Value| json!({ "choices": values.as_array().map(|values| values.iter().map(|value| json!({ "name": "c", "value": value })).collect::<Vec<_>>()) });
    let many: Vec<Value> = (0..26).map(|n| named(&format!("o{n}"), false)).collect();
    for (body, pointer, code) in [
        (command("Ping"), "/name", "APPLICATION_COMMAND_INVALID_NAME"),
        (command("two words"), "/name", "APPLICATION_COMMAND_INVALID_NAME"),
        (command(&"x".repeat(33)), "/name", "BASE_TYPE_BAD_LENGTH"),
        (json!({ "name": "ping" }), "/description", "BASE_TYPE_REQUIRED"),
        (json!({ "name": "ping", "description": "x".repeat(101) }), "/description", "BASE_TYPE_BAD_LENGTH"),
        (json!({ "name": "ping", "description": "x", "type": 9 }), "/type", "BASE_TYPE_CHOICES"),
        (json!({ "name": "Look", "description": "x", "type": 3 }), "/description", "APPLICATION_COMMAND_CONTEXT_MENU_INVALID"),
        (
            json!({ "name": "ping", "description": "x", "name_localizations": { "de": "Pong" } }),
            "/name_localizations/de",
            "APPLICATION_COMMAND_INVALID_NAME",
        ),
        (with_options(json!(many)), "/options", "BASE_TYPE_MAX_LENGTH"),
        (with_options(json!([named("a", false), named("b", true)])), "/options/1", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"),
        (with_options(json!([named("a", false), named("a", false)])), "/options/1", "APPLICATION_COMMAND_OPTIONS_NAME_INVALID"),
        (with_options(json!([named("A", false)])), "/options/0/name", "APPLICATION_COMMAND_INVALID_NAME"),
        (with_options(json!([option(12, json!({}))])), "/options/0", "UNION_TYPE_CHOICES"),
        (with_options(json!([option(1, json!({})), named("b", false)])), "/options", "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"),
        (with_options(json!([option(1, json!({ "options": [option(1, json!({}))] }))])), "/options/0/options/0", "UNION_TYPE_CHOICES"),
        (with_options(json!([option(2, json!({ "options": [named("b", false)] }))])), "/options/0/options/0", "UNION_TYPE_CHOICES"),
        (
            with_options(json!([option(3, json!({ "autocomplete": true, "choices": [{ "name": "c", "value": "c" }] }))])),
            "/options/0",
            "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID",
        ),
        (
            with_options(json!([option(3, choices(json!((0..26).map(|n| n.to_string()).collect::<Vec<_>>())))])),
            "/options/0/choices",
            "BASE_TYPE_MAX_LENGTH",
        ),
        (with_options(json!([option(3, choices(json!([5])))])), "/options/0/choices/0/value", "STRING_TYPE_CONVERT"),
        (with_options(json!([option(4, choices(json!(["five"])))])), "/options/0/choices/0/value", "NUMBER_TYPE_COERCE"),
        (with_options(json!([option(4, choices(json!([2.5])))])), "/options/0/choices/0/value", "NUMBER_TYPE_COERCE"),
        (
            with_options(json!([option(4, json!({ "max_value": 3, "choices": [{ "name": "c", "value": 4 }] }))])),
            "/options/0/choices/0/value",
            "NUMBER_TYPE_MAX",
        ),
        (with_options(json!([option(4, json!({ "min_value": 3, "max_value": 2 }))])), "/options/0/min_value", "NUMBER_TYPE_MAX"),
        (with_options(json!([option(3, json!({ "min_length": 3, "max_length": 2 }))])), "/options/0/min_length", "NUMBER_TYPE_MAX"),
    ] {
        refused(&rest.post(&commands, body).await, pointer, code);
    }
    let twice = rest.call(Method::PUT, &commands, json!([command("ping"), command("ping")])).await;
    refused(&twice, "/1", "APPLICATION_COMMANDS_DUPLICATE_NAME");
    sandbox.forgive_violations();
    let menus: Vec<Value> = (0..16).map(|n| json!({ "name": format!("Look {n}"), "type": 2 })).collect();
    assert_eq!(rest.call(Method::PUT, &commands, json!(menus)).await.body["code"], 30032, "15 of a kind");
    let translated = json!({ "name": "bild", "description": "x", "name_localizations": { "hi": "चित्र", "th": "รูปภาพ" } });
    let group = option(2, json!({ "options": [option(1, json!({ "options": [named("a", true)] }))] }));
    let accepted =
        rest.call(Method::PUT, &commands, json!([translated, with_options(json!([group, option(1, json!({ "name": "s" }))]))])).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
}

#[tokio::test]
async fn answers_to_interactions() {
    // On a clock that stands still, all answers are in time.
    let sandbox = start_with(&ManualClock::new()).await;
    let rest = Rest::new(&sandbox);
    let suggesting = |kind: u64| json!({ "type": kind, "name": "size", "description": "x", "autocomplete": true });
    let mut draw = command("draw");
    draw["options"] = json!([suggesting(4)]);
    rest.register(json!([draw])).await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let input = |custom_id: &str| json!({ "type": 4, "custom_id": custom_id, "label": "Words", "style": 1 });
    let line = |custom_id: &str| json!({ "type": 1, "components": [input(custom_id)] });
    let form = |components: Value| json!({ "type": 9, "data": { "custom_id": "form", "title": "Words", "components": components } });
    let six: Vec<Value> = (0..6).map(|n| line(&n.to_string())).collect();
    ada.slash("general", "draw", &[("size", json!(5))]).await.expect("the command is known");
    let asked = gateway.interaction().await;
    for (body, pointer, code) in [
        (form(json!(six)), "/data/components", "BASE_TYPE_BAD_LENGTH"),
        (form(json!([line("a"), line("a")])), "/data/components/1/components/0/custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"),
        (form(json!([{ "type": 1, "components": [button("a")] }])), "/data/components/0/components/0", "UNION_TYPE_CHOICES"),
        (
            form(json!([{ "type": 18, "label": "x".repeat(46), "component": { "type": 4, "custom_id": "a", "style": 1 } }])),
            "/data/components/0/label",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (form(json!([button("a")])), "/data/components/0", "UNION_TYPE_CHOICES"),
        (
            json!({ "type": 9, "data": { "custom_id": "form", "title": "x".repeat(46), "components": [line("a")] } }),
            "/data/title",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (json!({ "type": 4, "data": { "content": "x".repeat(2001) } }), "/data/content", "BASE_TYPE_MAX_LENGTH"),
        (json!({ "type": 4, "data": { "content": "x", "attachments": [{ "id": 0 }] } }), "/data/attachments/0", "ATTACHMENT_NOT_FOUND"),
        (
            json!({ "type": 4, "data": row(json!([button("a"), button("a")])) }),
            "/data/components/0/components/1/custom_id",
            "COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        (json!({ "type": 6 }), "/type", "BASE_TYPE_CHOICES"),
        (json!({ "type": 7, "data": { "content": "x" } }), "/type", "BASE_TYPE_CHOICES"),
        (json!({ "type": 8, "data": { "choices": [] } }), "/type", "BASE_TYPE_CHOICES"),
        (json!({ "type": "five" }), "/type", "BASE_TYPE_CHOICES"),
    ] {
        refused(&rest.answer(&asked, body).await, pointer, code);
    }
    let seq = ada.seq().await.expect("the sandbox counts");
    assert_eq!(rest.answer(&asked, form(json!([line("a")]))).await.status, 204);
    let opened = ada.wait_for_event(seq, SOON, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form opens");
    ada.submit(&opened, &[("a", "x")]).await.expect("the form is taken");
    refused(&rest.answer(&gateway.interaction().await, form(json!([line("a")]))).await, "/type", "BASE_TYPE_CHOICES");

    let typed = [("size", json!("5"))];
    let (suggested, ()) = tokio::join!(ada.autocomplete("general", "draw", &typed, "size"), async {
        let question = gateway.interaction().await;
        let answer = |value: Value| json!({ "type": 8, "data": { "choices": [{ "name": "x", "value": value }] } });
        refused(&rest.answer(&question, answer(json!("big"))).await, "/data/choices/0/value", "NUMBER_TYPE_COERCE");
        assert_eq!(rest.answer(&question, answer(json!(512))).await.status, 204);
    });
    assert_eq!(suggested.expect("the bot suggests")[0]["value"], 512);
    sandbox.forgive_violations();
}

#[tokio::test]
async fn a_schema_fault_is_refused_only_when_requests_are_checked() {
    let unknown = json!({ "content": "x", "colour": 5 });
    let wrong = json!({ "content": "x", "tts": "yes" });
    let sandbox = start().await;
    let rest = Rest::new(&sandbox);
    refused(&rest.post(&messages(), wrong.clone()).await, "/tts", "BOOLEAN_TYPE_CONVERT");
    assert_eq!(rest.post("/channels/7/messages", wrong.clone()).await.body["code"], 10003, "that the channel is unknown comes first");
    assert_eq!(rest.post(&messages(), unknown.clone()).await.status, 200, "Discord passes over unknown fields");
    let told: Vec<String> = sandbox.violations().into_iter().map(|violation| violation.message).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("`tts`: the value is not of type") && told[2].starts_with("`colour` is no field"), "{told:?}");
    sandbox.forgive_violations();
    let sandbox =
        Sandbox::start(SandboxConfig { validation: false, on_violation: OnViolation::Panic, ..config(None) }).await.expect("it starts");
    let rest = Rest::new(&sandbox);
    for body in [unknown, wrong] {
        assert_eq!(rest.post(&messages(), body).await.status, 200);
    }
}
