//! Requests that no library should send, byte for byte.

use crate::support::*;
use sandbox::{Sandbox, Visitor};
use serde_json::{Value, json};

const BOUNDARY: &str = "content-type: multipart/form-data; boundary=xyz";

/// Sends a message by hand, with a content type of these bytes.
async fn message(sandbox: &Sandbox, lines: &str, body: impl AsRef<[u8]>) -> RawAnswer {
    let mut raw = Raw::open(sandbox).await;
    let body = body.as_ref();
    raw.send(message_head(format!("{lines}\r\ncontent-length: {}", body.len()).trim_start())).await;
    raw.send(body).await;
    raw.answer().await
}

fn part(name: &str, value: &str) -> String {
    format!("--xyz\r\ncontent-disposition: form-data{name}\r\n\r\n{value}\r\n")
}

fn form(parts: &[(&str, &str)]) -> String {
    let parts: String = parts.iter().map(|(name, value)| part(&format!("; name=\"{name}\""), value)).collect();
    format!("{parts}--xyz--\r\n")
}

#[track_caller]
fn assert_refused(answer: &RawAnswer, pointer: &str, code: &str) {
    let body = answer.json();
    assert_eq!((answer.status, &body["code"]), (400, &json!(50035)), "{body}");
    assert_eq!(body.pointer(&format!("/errors{pointer}/_errors/0/code")), Some(&json!(code)), "{body}");
}

#[tokio::test]
async fn what_is_no_json_is_50109() {
    let sandbox = start().await;
    let deep = "[".repeat(5000);
    for body in [b"{".as_slice(), b"{\"content\":", b"{\"content\":\"\xff\"}", b"{} {}", deep.as_bytes()] {
        let answer = message(&sandbox, "content-type: application/json", body).await;
        let told = json!({ "message": "The request body contains invalid JSON.", "code": 50109 });
        assert_eq!((answer.status, answer.json()), (400, told), "{}", String::from_utf8_lossy(body));
    }
    for body in ["5", "\"text\"", "[]", "true"] {
        assert_refused(&message(&sandbox, "content-type: application/json", body).await, "", "DICT_TYPE_CONVERT");
    }
    assert_eq!(message(&sandbox, "content-type: application/json", "null").await.json()["code"], 50006);
    expect_violations(&sandbox, &["this operation needs a body"]);
}

#[tokio::test]
async fn other_kinds_of_content_are_refused_with_the_kinds_that_are_taken() {
    let sandbox = start().await;
    for kind in ["content-type: text/plain", "content-type: application/xml", "content-type: nonsense", ""] {
        let answer = message(&sandbox, kind, "{\"content\":\"x\"}").await;
        let types = "'application/json', 'application/x-www-form-urlencoded', 'multipart/form-data'";
        let told = json!({ "message": format!("Expected \"Content-Type\" header to be one of {{{types}}}."), "code": 50035 });
        assert_eq!((answer.status, answer.json()), (400, told), "{kind}");
    }
    for kind in ["Content-Type: Application/JSON; charset=utf-8", "content-type:application/json"] {
        assert_eq!(message(&sandbox, kind, "{\"content\":\"x\"}").await.status, 200, "{kind}");
    }
    assert_eq!(
        message(&sandbox, "content-type: application/x-www-form-urlencoded", "content=a+b&tts=false").await.json()["content"],
        "a b"
    );
    // Where no forms are taken.
    let mut raw = Raw::open(&sandbox).await;
    let head =
        message_head(&format!("{BOUNDARY}\r\ncontent-length: 2")).replace(&format!("channels/{GENERAL}/messages"), "users/@me/channels");
    raw.send(head + "{}").await;
    assert_eq!(raw.answer().await.json()["message"], "Expected \"Content-Type\" header to be one of {'application/json'}.");
}

#[tokio::test]
async fn fields_of_a_form_are_taken_without_json() {
    let sandbox = start().await;
    let sent = message(&sandbox, BOUNDARY, form(&[("content", "by hand"), ("flags", "4096")])).await;
    assert_eq!((sent.status, &sent.json()["content"], &sent.json()["flags"]), (200, &json!("by hand"), &json!(4096)));
    let file = "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n";
    let sent = message(&sandbox, BOUNDARY, format!("{file}{}", form(&[("content", "with a file")]))).await;
    assert_eq!((sent.status, &sent.json()["attachments"][0]["size"]), (200, &json!(5)), "{}", sent.json());
    assert_refused(&message(&sandbox, BOUNDARY, form(&[("embeds", "[{}]")])).await, "/embeds", "LIST_TYPE_CONVERT");
}

#[tokio::test]
async fn broken_forms_are_50035() {
    let sandbox = start().await;
    let whole = form(&[("payload_json", "{\"content\":\"x\"}")]);
    assert_eq!(message(&sandbox, BOUNDARY, &whole).await.status, 200);
    assert_refused(&message(&sandbox, "content-type: multipart/form-data", &whole).await, "", "FORM_MALFORMED");
    for length in [10, 40, 60, whole.len() - 10] {
        assert_refused(&message(&sandbox, BOUNDARY, &whole[..length]).await, "", "FORM_MALFORMED");
    }
    assert_refused(&message(&sandbox, BOUNDARY, "no form at all").await, "", "FORM_MALFORMED");
    assert_refused(&message(&sandbox, BOUNDARY, part("", "x") + "--xyz--\r\n").await, "", "FORM_MALFORMED");
    let twice = form(&[("payload_json", "{}"), ("payload_json", "{}")]);
    assert_refused(&message(&sandbox, BOUNDARY, twice).await, "/payload_json", "FORM_MALFORMED");
    assert_eq!(message(&sandbox, BOUNDARY, form(&[("payload_json", "{")])).await.json()["code"], 50109);
    assert_refused(&message(&sandbox, BOUNDARY, form(&[("payload_json", "[]")])).await, "", "DICT_TYPE_CONVERT");
    let many: Vec<(&str, &str)> = vec![("content", "x"); 65];
    assert_refused(&message(&sandbox, BOUNDARY, form(&many)).await, "", "FORM_MALFORMED");
}

#[tokio::test]
async fn a_callback_needs_its_json() {
    let sandbox = start().await;
    let (rest, mut gateway) = (Rest::new(&sandbox), Gateway::ready(&sandbox).await);
    rest.register(json!([{ "name": "ping", "description": "Answers" }])).await;
    let ada = Visitor::connect(sandbox.url(), "ada").await.expect("ada is here");
    ada.slash("general", "ping", &[]).await.expect("she may use it");
    let interaction = gateway.interaction().await;
    let fields = reqwest::multipart::Form::new().text("type", "4").text("content", "x");
    let refused = rest.client.post(format!("{}{}", rest.base, callback(&interaction))).multipart(fields).send().await.expect("an answer");
    assert_eq!(refused.status(), 400);
    let body: Value = refused.json().await.expect("JSON");
    assert_eq!((&body["code"], &body["errors"]["payload_json"]["_errors"][0]["code"]), (&json!(50035), &json!("BASE_TYPE_REQUIRED")));
    let answered = rest.upload(reqwest::Method::POST, &callback(&interaction), json!({ "type": 4, "data": { "content": "x" } }), &[]).await;
    assert_eq!(answered.status, 204, "{}", answered.body);
}

#[tokio::test]
async fn too_large_a_body_is_answered_even_while_it_comes() {
    let sandbox = start().await;
    let piece = vec![b' '; 1 << 20];
    let mut raw = Raw::open(&sandbox).await;
    raw.send(message_head(&format!("content-type: application/json\r\ncontent-length: {}", 103 << 20))).await;
    for _ in 0..103 {
        raw.send(&piece).await;
    }
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.json()), (413, json!({ "message": "Request entity too large", "code": 40005 })));
    // The connection goes on: it was read to the end.
    raw.send(message_head("content-type: application/json\r\ncontent-length: 15") + "{\"content\":\"x\"}").await;
    assert_eq!(raw.answer().await.status, 200);
    // Who asks first need not send at all.
    let mut raw = Raw::open(&sandbox).await;
    raw.send(message_head(&format!("content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}", 103 << 20))).await;
    assert_eq!(raw.answer().await.status, 413);
    // Many megabytes too much for one file, but not for the whole.
    let rest = Rest::new(&sandbox);
    let large =
        rest.upload(reqwest::Method::POST, &format!("/channels/{GENERAL}/messages"), json!({}), &[("a.bin", vec![0; 26 << 20])]).await;
    assert_eq!((large.status, &large.body["code"]), (413, &json!(40005)));
}

#[tokio::test]
async fn a_refusal_that_needs_no_body_waits_for_it() {
    let sandbox = start().await;
    let mut raw = Raw::open(&sandbox).await;
    let head = message_head(&format!("content-type: application/json\r\ncontent-length: {}", 20 << 20));
    raw.send(head.replace(TOKEN, "wrong")).await;
    raw.send(vec![b' '; 20 << 20]).await;
    assert_eq!(raw.answer().await.status, 401);
    raw.send(message_head("content-type: application/json\r\ncontent-length: 15") + "{\"content\":\"x\"}").await;
    assert_eq!(raw.answer().await.status, 200);
}
