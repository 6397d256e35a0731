//! Checks every request of a bot, and every answer of the stand-in, against Discord's own description.

mod deviations;
mod document;
mod forms;
mod ignored;
mod kept;
mod unknown;

use crate::error::FormErrors;
use document::{DOCUMENT, Operation, typed};
use forms::Author;
pub(crate) use kept::keep;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Older violations are forgotten.
const N_KEPT: usize = 1000;

/// What happens to a program whose requests break Discord's rules. Either way they are listed, journaled and shown in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnViolation {
    /// Nothing more: for people who watch the page.
    Report,
    /// The end of the [`crate::Sandbox`] panics with the list, which fails the test that owns it.
    Panic,
}

/// Something that breaks Discord's description.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// Rises by one with each.
    pub seq: u64,
    /// `request` or `response`.
    pub direction: &'static str,
    /// The request's method.
    pub method: String,
    /// The operation's path as the description writes it.
    pub route: String,
    /// The path without tokens.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
}

/// A request as the oracle sees it.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) segments: &'a [&'a str],
    pub(crate) query: &'a str,
    pub(crate) body: &'a Value,
    /// The n of each `files[n]` and the file's name; not empty only for multipart.
    pub(crate) files: Vec<(&'a str, &'a str)>,
}

/// What is wrong with a request.
#[derive(Default)]
pub(crate) struct Judgement {
    /// One sentence for each fault.
    pub(crate) sentences: Vec<String>,
    /// The faults that Discord refuses.
    pub(crate) errors: FormErrors,
}

#[derive(Default)]
struct Log {
    seq: u64,
    kept: VecDeque<Violation>,
}

/// The violations of a running stand-in.
#[derive(Default)]
pub(crate) struct Violations {
    log: Mutex<Log>,
}

impl Violations {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a violation and returns it with its number.
    pub(crate) fn add(&self, direction: &'static str, method: &str, segments: &[&str], message: String) -> Violation {
        let route = route(method, segments).unwrap_or_default();
        let mut log = self.log();
        log.seq += 1;
        if log.kept.len() == N_KEPT {
            log.kept.pop_front();
        }
        let violation = Violation { seq: log.seq, direction, method: method.to_owned(), route, path: blank(segments), message };
        log.kept.push_back(violation.clone());
        violation
    }

    pub(crate) fn all(&self) -> Vec<Violation> {
        self.log().kept.iter().cloned().collect()
    }

    pub(crate) fn forgive(&self) {
        self.log().kept.clear();
    }
}

/// The path as the description writes it.
pub(crate) fn route(method: &str, segments: &[&str]) -> Option<String> {
    DOCUMENT.find(method, segments).map(|operation| operation.template.to_owned())
}

/// The path with the tokens of interactions and webhooks blanked.
pub(crate) fn blank(segments: &[&str]) -> String {
    let is_secret = |n: usize| n == 2 && matches!(segments.first(), Some(&"interactions" | &"webhooks"));
    segments
        .iter()
        .enumerate()
        .map(|(n, part)| if is_secret(n) { "/***" } else { "/" }.to_owned() + if is_secret(n) { "" } else { part })
        .collect()
}

/// What Discord's documentation has and its description lacks.
fn is_documented(method: &str, segments: &[&str]) -> bool {
    matches!((method, segments), ("GET", ["applications", _, "skus"]))
}

/// Checks a request.
pub(crate) fn request(asked: &Asked<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(operation) = DOCUMENT.find(asked.method, asked.segments) else {
        if is_documented(asked.method, asked.segments) {
            return judgement;
        }
        judgement.sentences.push(format!("Discord has no {} {}", asked.method, blank(asked.segments)));
        return judgement;
    };
    judgement.sentences = parameters(operation, asked);
    let is_multipart = !asked.files.is_empty();
    let Some(schema) = operation.request_schema(is_multipart) else {
        if asked.body.as_object().is_some_and(|body| !body.is_empty()) {
            judgement.sentences.push("this operation takes no body".to_owned());
        }
        return judgement;
    };
    if asked.body.is_null() && !is_multipart {
        if operation.requires_body() {
            judgement.sentences.push("this operation needs a body".to_owned());
        }
        return judgement;
    }
    let body = normalised(asked);
    let purpose = if is_multipart { "multipart" } else { "request" };
    if let Some(validator) = operation.validator(purpose, schema) {
        for fault in forms::faults(&validator, &body, Author::Bot) {
            fault.note(&mut judgement.errors);
            judgement.sentences.push(fault.sentence);
        }
    }
    judgement.sentences.extend(unknown::fields(schema, &body));
    judgement.sentences.extend(ignored::parts(asked));
    judgement
}

/// What is wrong with an answer of the stand-in.
pub(crate) fn response(method: &str, segments: &[&str], status: u16, body: &Value) -> Vec<String> {
    let Some(operation) = DOCUMENT.find(method, segments) else { return Vec::new() };
    // Discord's failures are its own affair: the description leaves them out.
    if status >= 500 {
        return Vec::new();
    }
    let Some(schema) = operation.response_schema(status) else {
        return vec![format!("the description has no answer {status} here")];
    };
    match schema {
        Some(schema) => {
            let validator = operation.validator(&status.to_string(), schema);
            let faults = validator.map(|validator| forms::faults(&validator, body, Author::Discord));
            faults.into_iter().flatten().map(|fault| fault.sentence).collect()
        }
        None if body.is_null() => Vec::new(),
        None => vec![format!("an answer {status} has no body here")],
    }
}

const ATTACHMENTS: [&str; 2] = ["/attachments", "/data/attachments"];

/// Ids of attachments are numbers on the wire and strings in the description; files are fields of the form.
fn normalised<'a>(asked: &Asked<'a>) -> Cow<'a, Value> {
    let has_attachments = ATTACHMENTS.iter().any(|at| asked.body.pointer(at).is_some_and(Value::is_array));
    if asked.files.is_empty() && !has_attachments {
        return Cow::Borrowed(asked.body);
    }
    let mut body = asked.body.clone();
    for at in ATTACHMENTS {
        for attachment in body.pointer_mut(at).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(id) = attachment.get("id").and_then(Value::as_u64) {
                attachment["id"] = json!(id.to_string());
            }
        }
    }
    if let Some(object) = body.as_object_mut() {
        for (placeholder, _) in &asked.files {
            object.insert(format!("files[{placeholder}]"), json!(""));
        }
    }
    Cow::Owned(body)
}

fn parameters(operation: &Operation, asked: &Asked<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let named = |place: &str, name: &str| {
        operation.parameters.iter().copied().find(|parameter| parameter["in"] == place && parameter["name"] == name)
    };
    let mut check = |place: &str, name: &str, text: &str, parameter: &'static Value| {
        let Some(schema) = parameter.get("schema") else { return };
        let purpose = format!("{place} {name}");
        let Some(validator) = operation.validator(&purpose, schema) else { return };
        let is_good = |value: Value| validator.is_valid(&value);
        // A list may be written as one element, and a union takes numbers as text.
        let (as_typed, as_text) = (|| typed(schema, text), || json!(text));
        if !(is_good(as_typed()) || is_good(as_text()) || is_good(json!([as_typed()])) || is_good(json!([as_text()]))) {
            found.push(format!("`{name}` in the {place} is not what Discord takes"));
        }
    };
    for (name, text) in operation.path_values(asked.segments) {
        if let Some(parameter) = named("path", name) {
            check("path", name, text, parameter);
        }
    }
    let mut given = Vec::new();
    let mut unknown = Vec::new();
    for pair in asked.query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let text = percent_decode_str(text).decode_utf8_lossy();
        match named("query", name) {
            Some(parameter) => check("query", name, &text, parameter),
            None => unknown.push(format!("`{name}` in the query is no field that Discord knows")),
        }
        given.push(name);
    }
    found.extend(unknown);
    let is_missing = |parameter: &&&'static Value| {
        parameter["in"] == "query" && parameter["required"] == true && !given.iter().any(|name| parameter["name"] == *name)
    };
    found.extend(operation.parameters.iter().filter(is_missing).map(|parameter| format!("the query lacks {}", parameter["name"])));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sandbox, SandboxConfig};

    fn check(method: &str, path: &str, body: Value, expected: &str) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments: Vec<&str> = path.split('/').collect();
        let found = request(&Asked { method, segments: &segments, query, body: &body, files: Vec::new() }).sentences;
        if expected.is_empty() {
            assert!(found.is_empty(), "{path}: {found:?}");
        } else {
            assert!(found.iter().any(|sentence| sentence.contains(expected)), "{path}: {found:?}");
        }
    }

    #[test]
    fn requests_are_checked_whole() {
        let messages = "channels/7/messages";
        check("POST", messages, json!({ "content": "x" }), "");
        check("POST", messages, json!({ "content": 5 }), "`content`");
        check("POST", messages, json!({ "embeds": vec![json!({ "title": "x" }); 11] }), "`embeds`");
        check("POST", messages, json!({ "content": "x", "attachments": [{ "id": 0, "filename": "a.png" }] }), "");
        check("POST", "channels/seven/messages", json!({ "content": "x" }), "`channel_id` in the path");
        check("GET", "channels/7/messages?limit=20", Value::Null, "");
        check("GET", "channels/7/messages?limit=many", Value::Null, "`limit` in the query");
        check("GET", "channels/7/messages?limits=5", Value::Null, "`limits` in the query is no field");
        check("POST", "interactions/1/tok/callback?with_response=1", json!({ "type": 5 }), "");
        check("GET", "nobody/knows", Value::Null, "Discord has no GET /nobody/knows");
        let command = json!([{ "name": "ping", "description": "x", "name_localizations": {}, "options": [] }]);
        check("PUT", "applications/1/commands", command, "");
        let command = json!([{ "name": "ping", "description": "x", "default_member_permissions": "32", "nsfw": true }]);
        check("PUT", "applications/1/commands", command, "");
    }

    #[test]
    fn answers_are_checked_by_status() {
        let me = ["users", "@me"];
        assert!(!response("GET", &me, 200, &json!({ "id": "1" })).is_empty());
        assert!(response("GET", &me, 401, &json!({ "message": "401: Unauthorized", "code": 0 })).is_empty());
        assert!(!response("GET", &me, 302, &Value::Null).is_empty());
        assert!(response("GET", &me, 502, &Value::Null).is_empty());
    }

    #[tokio::test]
    async fn a_fault_of_the_stand_in_itself_fails_the_test_too() {
        let sandbox = Sandbox::start(SandboxConfig::default()).await.expect("a sandbox starts");
        sandbox.gateway().state.violate("response", "GET", &["users", "@me"], "`id` is missing".to_owned());
        let told = tokio::spawn(sandbox.shutdown()).await.expect_err("the end panics").into_panic();
        let told = told.downcast_ref::<String>().expect("it says why");
        assert!(told.contains("response GET /users/@me: `id` is missing"), "{told}");
    }

    #[test]
    fn tokens_are_not_written_down() {
        assert_eq!(blank(&["webhooks", "1", "secret", "messages", "@original"]), "/webhooks/1/***/messages/@original");
        assert_eq!(blank(&["channels", "1", "messages"]), "/channels/1/messages");
    }
}
