//! No answer of the stand-in breaks Discord's description, whatever a bot left out or wrote out as null.

use crate::{strangers::*, support::*};
use flate2::read::GzDecoder;
use reqwest::Method;
use sandbox::{ManualClock, Sandbox, Visitor};
use serde_json::{Map, Value, json};
use std::time::Duration;

const ADA: &str = "1000000000000000011";

/// Discord's description of its API.
struct Description(Value);

impl Description {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json.gz");
        let file = std::fs::File::open(path).expect("the description is there");
        Self(serde_json::from_reader(GzDecoder::new(file)).expect("it is JSON"))
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.resolve(self.0.pointer(&reference[1..]).expect("every reference is inside")),
            None => schema,
        }
    }

    fn takes_null(&self, schema: &Value) -> bool {
        let schema = self.resolve(schema);
        let of_type = schema["type"] == "null" || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null")));
        of_type || schema["oneOf"].as_array().is_some_and(|branches| branches.iter().any(|branch| self.takes_null(branch)))
    }

    /// The value with each optional field left out and null, and with all of them at once.
    fn variations(&self, schema: &str, base: &Value) -> Vec<Value> {
        let schema = &self.0["components"]["schemas"][schema];
        let is_required = |name: &str| schema["required"].as_array().is_some_and(|required| required.contains(&json!(name)));
        let properties = schema["properties"].as_object().expect("a schema of objects");
        let optional: Vec<&String> = properties.keys().filter(|name| !is_required(name)).collect();
        let nullable: Vec<&String> = optional.iter().copied().filter(|name| self.takes_null(&properties[*name])).collect();
        let base = base.as_object().expect("an object").clone();
        let without = |names: &[&String]| -> Map<String, Value> {
            base.iter().filter(|(name, _)| !names.contains(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let with_nulls = |names: &[&String]| {
            let mut varied = base.clone();
            names.iter().for_each(|name| drop(varied.insert((*name).clone(), Value::Null)));
            varied
        };
        let mut all = vec![base.clone(), without(&optional), with_nulls(&nullable)];
        all.extend(optional.iter().map(|name| without(&[name])));
        all.extend(nullable.iter().map(|name| with_nulls(&[name])));
        all.into_iter().map(Value::Object).collect()
    }
}

/// A shape of a message: the schema, an example with all that fits together, and the message around it.
type Shape = (&'static str, Value, fn(Value) -> Value);

fn select(kind: u64, more: Value) -> Value {
    let mut select = json!({ "type": kind, "id": 7, "custom_id": "a", "placeholder": "x", "min_values": 0, "max_values": 1, "disabled": true, "required": true });
    select.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    select
}

fn shapes() -> Vec<Shape> {
    let text = json!({ "type": 10, "content": "x" });
    let defaults = |kind: &str, id: &str| json!({ "default_values": [{ "type": kind, "id": id }] });
    vec![
        (
            "ButtonComponentForMessageRequest",
            json!({ "type": 2, "id": 7, "style": 1, "custom_id": "a", "label": "x", "emoji": { "id": null, "name": "🎨" }, "disabled": true }),
            in_row,
        ),
        ("ButtonComponentForMessageRequest", json!({ "type": 2, "style": 5, "label": "x", "url": PICTURE }), in_row),
        ("ButtonComponentForMessageRequest", json!({ "type": 2, "style": 6, "sku_id": 1_000_000_000_000_000_501_u64 }), in_row),
        ("ComponentEmojiForRequest", json!({ "id": PALETTE, "name": "palette" }), with_emoji),
        ("StringSelectComponentForMessageRequest", select(3, json!({ "options": [{ "label": "x", "value": "x" }] })), in_row),
        (
            "StringSelectOptionForRequest",
            json!({ "label": "x", "value": "x", "description": "x", "default": true, "emoji": { "id": PALETTE, "name": "palette" } }),
            with_option,
        ),
        ("UserSelectComponentForMessageRequest", select(5, defaults("user", ADA)), in_row),
        ("RoleSelectComponentForMessageRequest", select(6, defaults("role", "1000000000000000101")), in_row),
        ("MentionableSelectComponentForMessageRequest", select(7, defaults("user", ADA)), in_row),
        (
            "ChannelSelectComponentForMessageRequest",
            select(8, json!({ "channel_types": [0], "default_values": [{ "type": "channel", "id": GENERAL }] })),
            in_row,
        ),
        (
            "ActionRowComponentForMessageRequest",
            json!({ "type": 1, "id": 7, "components": [{ "type": 2, "style": 1, "custom_id": "a", "label": "x" }] }),
            |row| json!({ "components": [row] }),
        ),
        ("TextDisplayComponentForMessageRequest", json!({ "type": 10, "id": 7, "content": "x" }), laid_out),
        (
            "SectionComponentForMessageRequest",
            json!({ "type": 9, "id": 7, "components": [text], "accessory": { "type": 11, "media": { "url": PICTURE } } }),
            laid_out,
        ),
        (
            "ThumbnailComponentForMessageRequest",
            json!({ "type": 11, "id": 7, "media": { "url": PICTURE }, "description": "x", "spoiler": true }),
            |thumbnail| laid_out(json!({ "type": 9, "components": [{ "type": 10, "content": "x" }], "accessory": thumbnail })),
        ),
        ("MediaGalleryComponentForMessageRequest", json!({ "type": 12, "id": 7, "items": [{ "media": { "url": PICTURE } }] }), laid_out),
        ("MediaGalleryItemRequest", json!({ "media": { "url": PICTURE }, "description": "x", "spoiler": true }), |item| {
            laid_out(json!({ "type": 12, "items": [item] }))
        }),
        (
            "SeparatorComponentForMessageRequest",
            json!({ "type": 14, "id": 7, "spacing": 2, "divider": false }),
            |line| json!({ "flags": 1 << 15, "components": [{ "type": 10, "content": "x" }, line] }),
        ),
        (
            "ContainerComponentForMessageRequest",
            json!({ "type": 17, "id": 7, "accent_color": 5, "spoiler": true, "components": [text] }),
            laid_out,
        ),
        (
            "RichEmbed",
            json!({
                "type": "rich", "url": PICTURE, "title": "x", "color": 5, "timestamp": "2026-01-01T00:00:00Z", "description": "x",
                "author": { "name": "x" }, "image": { "url": PICTURE }, "thumbnail": { "url": PICTURE }, "footer": { "text": "x" },
                "fields": [{ "name": "x", "value": "x" }], "provider": { "name": "x" }, "video": { "url": PICTURE },
            }),
            with_embed,
        ),
        ("RichEmbedAuthor", json!({ "name": "x", "url": PICTURE, "icon_url": PICTURE }), |author| {
            with_embed(json!({ "title": "x", "author": author }))
        }),
        ("RichEmbedFooter", json!({ "text": "x", "icon_url": PICTURE }), |footer| with_embed(json!({ "title": "x", "footer": footer }))),
        ("RichEmbedField", json!({ "name": "x", "value": "x", "inline": true }), |field| with_embed(json!({ "fields": [field] }))),
        ("RichEmbedProvider", json!({ "name": "x", "url": PICTURE }), |provider| with_embed(json!({ "title": "x", "provider": provider }))),
        ("RichEmbedImage", json!({ "url": PICTURE, "width": 1, "height": 1, "description": "x" }), |image| {
            with_embed(json!({ "title": "x", "image": image }))
        }),
        ("RichEmbedThumbnail", json!({ "url": PICTURE, "width": 1, "height": 1 }), |image| {
            with_embed(json!({ "title": "x", "thumbnail": image }))
        }),
        ("RichEmbedVideo", json!({ "url": PICTURE, "width": 1, "height": 1 }), |video| with_embed(json!({ "title": "x", "video": video }))),
        ("MessageCreateRequest", json!({ "content": "x", "flags": 4, "nonce": "n", "enforce_nonce": false, "tts": true }), |message| {
            message
        }),
        (
            "MessageAllowedMentionsRequest",
            json!({ "parse": ["everyone"], "users": [ADA], "roles": [], "replied_user": true }),
            |allowed| json!({ "content": "x", "allowed_mentions": allowed }),
        ),
    ]
}

fn option(option: Value) -> Value {
    json!({ "name": "a", "description": "x", "options": [option] })
}

fn commands() -> Vec<Shape> {
    let base =
        json!({ "name": "b", "description": "x", "required": true, "name_localizations": { "de": "c" }, "description_localizations": {} });
    let with = |kind: u64, more: Value| {
        let mut base = base.clone();
        base["type"] = json!(kind);
        base.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        base
    };
    vec![
        (
            "ApplicationCommandCreateRequest",
            json!({
                "name": "a", "description": "x", "options": [], "name_localizations": { "de": "b" }, "description_localizations": {}, "type": 1,
                "default_member_permissions": "32", "dm_permission": false, "contexts": [0], "integration_types": [0],
            }),
            |command| command,
        ),
        (
            "ApplicationCommandStringOption",
            with(3, json!({ "min_length": 1, "max_length": 5, "choices": [{ "name": "x", "value": "x", "name_localizations": null }] })),
            option,
        ),
        ("ApplicationCommandIntegerOption", with(4, json!({ "min_value": 1, "max_value": 5, "autocomplete": true })), option),
        (
            "ApplicationCommandNumberOption",
            with(10, json!({ "min_value": 1.5, "max_value": 5, "choices": [{ "name": "x", "value": 2.5 }] })),
            option,
        ),
        ("ApplicationCommandBooleanOption", with(5, json!({})), option),
        ("ApplicationCommandUserOption", with(6, json!({})), option),
        ("ApplicationCommandChannelOption", with(7, json!({ "channel_types": [0] })), option),
        ("ApplicationCommandRoleOption", with(8, json!({})), option),
        ("ApplicationCommandMentionableOption", with(9, json!({})), option),
        ("ApplicationCommandAttachmentOption", with(11, json!({})), option),
        ("ApplicationCommandOptionStringChoice", json!({ "name": "x", "value": "x", "name_localizations": { "de": "y" } }), |choice| {
            option(json!({ "type": 3, "name": "b", "description": "x", "choices": [choice] }))
        }),
    ]
}

#[track_caller]
fn check(sandbox: &Sandbox, schema: &str, sent: &Value, answer: &Reply) {
    let told: Vec<String> = sandbox.violations().into_iter().map(|one| format!("{}: {}", one.direction, one.message)).collect();
    assert!(told.is_empty(), "{schema}: {told:#?}\nsent {sent}\nanswered {} {}", answer.status, answer.body);
}

/// Sends every variation of every shape, and returns how many were taken. What is refused has an answer that must be right, too.
async fn send_all(sandbox: &Sandbox, clock: &ManualClock, (method, path): (Method, &str), shapes: Vec<Shape>) -> usize {
    let (rest, description) = (Rest::new(sandbox), Description::read());
    let mut n_taken = 0;
    for (schema, base, around) in shapes {
        for (n, varied) in description.variations(schema, &base).into_iter().enumerate() {
            // A route takes a hundred in a second.
            clock.advance(Duration::from_secs(1));
            let body = around(varied);
            let answer = rest.call(method.clone(), path, body.clone()).await;
            check(sandbox, schema, &body, &answer);
            assert!(n > 0 || answer.status < 300, "{schema}: {body} was answered {}", answer.body);
            n_taken += usize::from(answer.status < 300);
        }
    }
    n_taken
}

#[tokio::test]
async fn whatever_is_left_out_or_null_in_a_message_its_answer_is_as_described() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let n_taken = send_all(&sandbox, &clock, (Method::POST, &messages()), shapes()).await;
    assert!(n_taken > 200, "only {n_taken} variations were taken");
}

#[tokio::test]
async fn whatever_is_left_out_or_null_in_an_edit_its_answer_is_as_described() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let files = [("a.png", png())];
    let sent = Rest::new(&sandbox).upload(Method::POST, &messages(), json!({ "content": "x" }), &files).await.body;
    let path = format!("{}/{}", messages(), text(&sent, "id"));
    let kept = json!({ "id": sent["attachments"][0]["id"], "filename": "a.png", "description": "x" });
    let whole = json!({ "content": "y", "embeds": [{ "title": "x" }], "flags": 4, "allowed_mentions": {}, "components": [], "attachments": [kept] });
    let shapes: Vec<Shape> = vec![
        ("MessageEditRequestPartial", whole, |edit| edit),
        ("MessageAttachmentRequest", kept, |kept| json!({ "content": "z", "attachments": [kept] })),
    ];
    let n_taken = send_all(&sandbox, &clock, (Method::PATCH, &path), shapes).await;
    assert!(n_taken > 15, "only {n_taken} variations were taken");
}

#[tokio::test]
async fn whatever_is_left_out_or_null_in_a_thread_its_answer_is_as_described() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let rest = Rest::new(&sandbox);
    let threads = format!("/channels/{GENERAL}/threads");
    let base = json!({ "name": "x", "auto_archive_duration": 60, "rate_limit_per_user": 5, "type": 11, "invitable": true });
    let begun: Shape = ("CreateTextThreadWithoutMessageRequest", base, |thread| thread);
    let n_taken = send_all(&sandbox, &clock, (Method::POST, &threads), vec![begun]).await;
    assert!(n_taken > 3, "only {n_taken} variations were taken");
    let thread = rest.post(&threads, json!({ "name": "x", "type": 11 })).await.body;
    let base =
        json!({ "name": "y", "locked": false, "auto_archive_duration": 60, "rate_limit_per_user": 0, "flags": 0, "applied_tags": [] });
    let edited: Shape = ("UpdateThreadRequestPartial", base, |thread| thread);
    let n_taken = send_all(&sandbox, &clock, (Method::PATCH, &format!("/channels/{}", text(&thread, "id"))), vec![edited]).await;
    assert!(n_taken > 3, "only {n_taken} variations were taken");
}

#[tokio::test]
async fn whatever_is_left_out_or_null_in_an_answer_its_answer_is_as_described() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let (rest, description) = (Rest::new(&sandbox), Description::read());
    rest.register(json!([{ "name": "ping", "description": "x" }])).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let mut gateway = Gateway::open(&sandbox).await;
    gateway.identify(0).await;
    let words = json!({ "type": 4, "custom_id": "w", "style": 1, "label": "Words", "value": "x", "placeholder": "y", "required": true, "min_length": 1, "max_length": 5 });
    let message = json!({ "content": "x", "embeds": [{ "title": "x" }], "allowed_mentions": {}, "components": [], "attachments": [], "tts": false, "flags": 64 });
    let cases: Vec<Shape> = vec![
        ("IncomingWebhookInteractionRequest", message, |message| json!({ "type": 4, "data": message })),
        (
            "TextInputComponentForModalRequest",
            words,
            |input| json!({ "type": 9, "data": { "custom_id": "f", "title": "x", "components": [{ "type": 1, "components": [input] }] } }),
        ),
    ];
    let mut n_taken = 0;
    for (schema, base, around) in cases {
        for varied in description.variations(schema, &base) {
            clock.advance(Duration::from_secs(1));
            ada.slash("general", "ping", &[]).await.expect("the command is known");
            let interaction = gateway.interaction().await;
            let body = around(varied);
            let answer = rest.post(&format!("{}?with_response=true", callback(&interaction)), body.clone()).await;
            check(&sandbox, schema, &body, &answer);
            n_taken += usize::from(answer.status < 300);
            if body["type"] == 4 && answer.status < 300 {
                let edited = rest.patch(&original(&interaction), json!({ "content": "y", "components": null, "embeds": null })).await;
                check(&sandbox, schema, &body, &edited);
                let more = rest.post(&webhook(&interaction), body["data"].clone()).await;
                check(&sandbox, schema, &body, &more);
            }
        }
    }
    assert!(n_taken > 25, "only {n_taken} variations were taken");
}

#[tokio::test]
async fn whatever_is_left_out_or_null_in_a_command_its_answer_is_as_described() {
    let clock = ManualClock::new();
    let sandbox = start_with(&clock).await;
    let path = format!("/applications/{APP}/commands");
    let n_taken = send_all(&sandbox, &clock, (Method::POST, &path), commands()).await;
    assert!(n_taken > 60, "only {n_taken} variations were taken");
    let created = Rest::new(&sandbox).post(&path, json!({ "name": "edited", "description": "x" })).await.body;
    let edited: Shape = (
        "ApplicationCommandPatchRequestPartial",
        json!({
            "name": "edited", "description": "x", "options": [], "name_localizations": {}, "description_localizations": {}, "dm_permission": true,
            "default_member_permissions": "32", "contexts": [0], "integration_types": [0],
        }),
        |command| command,
    );
    let n_taken = send_all(&sandbox, &clock, (Method::PATCH, &format!("{path}/{}", text(&created, "id"))), vec![edited]).await;
    assert!(n_taken > 10, "only {n_taken} variations were taken");
}
