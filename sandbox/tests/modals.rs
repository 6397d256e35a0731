//! Forms: what a person puts into every kind of field reaches the bot in Discord's shape, or is refused.

use crate::support::*;
use sandbox::{Sandbox, Visitor, VisitorError};
use serde_json::{Value, json};

const ADA: &str = "1000000000000000011";
const GRACE: &str = "1000000000000000012";
const MODERATOR: &str = "1000000000000000102";

/// A person before a form that the bot has just opened.
async fn open(sandbox: &Sandbox, form: Value) -> (Rest, Gateway, Visitor, Value) {
    let rest = Rest::new(sandbox);
    rest.register(json!([{ "name": "ask", "description": "Asks" }])).await;
    let mut gateway = Gateway::ready(sandbox).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    let seq = ada.seq().await.expect("the sandbox counts");
    ada.slash("general", "ask", &[]).await.expect("it is known");
    let asked = gateway.interaction().await;
    assert_eq!(rest.answer(&asked, json!({ "type": 9, "data": form })).await.status, 204);
    let opened = ada.wait_for_event(seq, SOON, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form opens");
    (rest, gateway, ada, opened)
}

fn label(name: &str, component: Value) -> Value {
    json!({ "type": 18, "label": name, "component": component })
}

/// The sentence of a refusal.
fn sentence<T: std::fmt::Debug>(answer: Result<T, VisitorError>) -> String {
    match answer {
        Err(VisitorError::Refused { status: 400, sentence }) => sentence,
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn every_kind_of_choice_reaches_the_bot() {
    let sandbox = start().await;
    let options = json!([{ "label": "Small", "value": "s" }, { "label": "Large", "value": "l" }]);
    let rows = json!([
        { "type": 10, "content": "Choose well" },
        label("Size", json!({ "type": 3, "custom_id": "size", "options": options })),
        label("Whom", json!({ "type": 7, "custom_id": "whom", "max_values": 3 })),
        label("Where", json!({ "type": 8, "custom_id": "where", "required": false })),
        label("One", json!({ "type": 21, "custom_id": "one", "options": options })),
    ]);
    let (_, mut gateway, ada, opened) = open(&sandbox, json!({ "custom_id": "all", "title": "All", "components": rows })).await;
    assert_eq!((&opened["components"][1]["id"], &opened["components"][1]["component"]["id"]), (&json!(2), &json!(3)));
    let mut fields =
        vec![("size", json!(["l"])), ("whom", json!([GRACE, APP, MODERATOR])), ("where", json!([GENERAL])), ("one", json!("s"))];
    fields.push(("unknown", json!("x")));
    assert_eq!(sentence(ada.submit(&opened, &fields).await), "the form has no field `unknown`");
    fields.pop();
    ada.submit(&opened, &fields).await.expect("the form is taken");
    let submitted = gateway.interaction().await;
    assert_eq!((&submitted["type"], &submitted["data"]["custom_id"]), (&json!(5), &json!("all")));
    let expected = json!([
        { "type": 10, "id": 1 },
        { "type": 18, "id": 2, "component": { "type": 3, "id": 3, "custom_id": "size", "values": ["l"] } },
        { "type": 18, "id": 4, "component": { "type": 7, "id": 5, "custom_id": "whom", "values": [GRACE, APP, MODERATOR] } },
        { "type": 18, "id": 6, "component": { "type": 8, "id": 7, "custom_id": "where", "values": [GENERAL] } },
        { "type": 18, "id": 8, "component": { "type": 21, "id": 9, "custom_id": "one", "value": "s" } },
    ]);
    assert_eq!(submitted["data"]["components"], expected);
    let resolved = &submitted["data"]["resolved"];
    assert_eq!((&resolved["users"][GRACE]["username"], &resolved["users"][APP]["bot"]), (&json!("grace"), &json!(true)));
    assert!(resolved["members"][GRACE]["permissions"].is_string() && resolved["members"][GRACE].get("user").is_none());
    assert_eq!((&resolved["roles"][MODERATOR]["name"], &resolved["channels"][GENERAL]["name"]), (&json!("Moderator"), &json!("general")));
}

#[tokio::test]
async fn files_boxes_and_texts_reach_the_bot() {
    let sandbox = start().await;
    let options =
        json!([{ "label": "Frame", "value": "frame" }, { "label": "Sign", "value": "sign" }, { "label": "Wrap", "value": "wrap" }]);
    let rows = json!([
        label("Pictures", json!({ "type": 19, "custom_id": "pictures", "max_values": 2 })),
        label("Extras", json!({ "type": 22, "custom_id": "extras", "options": options, "max_values": 2, "required": false })),
        label("Sure", json!({ "type": 23, "custom_id": "sure" })),
        label("Who", json!({ "type": 5, "custom_id": "who", "default_values": [{ "id": ADA, "type": "user" }] })),
        { "type": 1, "components": [{ "type": 4, "style": 1, "custom_id": "title", "label": "Title", "value": "Untitled" }] },
    ]);
    let (rest, mut gateway, ada, opened) = open(&sandbox, json!({ "custom_id": "send", "title": "Send", "components": rows })).await;
    let picture = |name: &str| Visitor::file(name, "image/png", &png());
    assert_eq!(sentence(ada.submit(&opened, &[("sure", json!(true))]).await), "`Pictures` is required");
    let three = json!([picture("a.png"), picture("b.png"), picture("c.png")]);
    assert_eq!(sentence(ada.submit(&opened, &[("pictures", three)]).await), "`Pictures` takes 1 to 2 files");
    let large = json!([Visitor::file("large.bin", "application/octet-stream", &vec![0; (10 << 20) + 1])]);
    assert_eq!(sentence(ada.submit(&opened, &[("pictures", large)]).await), "`large.bin` is larger than 10 MiB");
    let two = json!([picture("a.png"), picture("b.png")]);
    ada.submit(&opened, &[("pictures", two), ("extras", json!(["sign"])), ("sure", json!(true))]).await.expect("the form is taken");
    let data = gateway.interaction().await["data"].take();
    let attachments = data["resolved"]["attachments"].as_object().expect("files are resolved");
    let ids: Vec<&String> = attachments.keys().collect();
    assert_eq!(data["components"][0]["component"]["values"], json!(ids));
    let first = &attachments[ids[0]];
    assert_eq!((&first["filename"], &first["width"], &first["ephemeral"]), (&json!("a.png"), &json!(3), &json!(true)));
    let bytes = rest.client.get(text(first, "url")).send().await.expect("the file is served").bytes().await.expect("bytes");
    assert_eq!(bytes, png());
    assert_eq!(data["components"][1]["component"], json!({ "type": 22, "id": 4, "custom_id": "extras", "values": ["sign"] }));
    assert_eq!(data["components"][2]["component"], json!({ "type": 23, "id": 6, "custom_id": "sure", "value": true }));
    // What was not touched is sent as the form began.
    assert_eq!(data["components"][3]["component"]["values"], json!([ADA]));
    let title = json!({ "type": 1, "id": 9, "components": [{ "type": 4, "id": 10, "custom_id": "title", "value": "Untitled" }] });
    assert_eq!(data["components"][4], title);
}
