//! Checks every request of a bot, and every answer of the stand-in, against Discord's own description.

mod document;
mod unknown;

use document::{DOCUMENT, Operation, typed};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Older violations are forgotten.
const N_KEPT: usize = 1000;
/// A sentence about a large body is cut off here.
const MAX_SENTENCE_CHARS: usize = 500;

/// What happens to a program whose requests break Discord's rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnViolation {
    /// They are listed, journaled and shown in the page.
    #[default]
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
    /// The n of each `files[n]`; not empty only for multipart.
    pub(crate) files: Vec<String>,
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

/// What is wrong with a request.
pub(crate) fn request(asked: &Asked<'_>) -> Vec<String> {
    let Some(operation) = DOCUMENT.find(asked.method, asked.segments) else {
        return vec![format!("Discord has no {} {}", asked.method, blank(asked.segments))];
    };
    let mut found = parameters(operation, asked);
    let is_multipart = !asked.files.is_empty();
    let Some(schema) = operation.request_schema(is_multipart) else {
        if asked.body.as_object().is_some_and(|body| !body.is_empty()) {
            found.push("this operation takes no body".to_owned());
        }
        return found;
    };
    if asked.body.is_null() && asked.files.is_empty() {
        if operation.requires_body() {
            found.push("this operation needs a body".to_owned());
        }
        return found;
    }
    let body = normalised(asked);
    found.extend(broken(operation, if is_multipart { "multipart" } else { "request" }, schema, &body));
    found.extend(unknown::fields(schema, &body));
    found
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
        Some(schema) => broken(operation, &status.to_string(), schema, body),
        None if body.is_null() => Vec::new(),
        None => vec![format!("an answer {status} has no body here")],
    }
}

/// Ids of attachments are numbers on the wire and strings in the description; files are fields of the form.
fn normalised(asked: &Asked<'_>) -> Value {
    let mut body = asked.body.clone();
    for at in ["/attachments", "/data/attachments"] {
        for attachment in body.pointer_mut(at).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(id) = attachment.get("id").and_then(Value::as_u64) {
                attachment["id"] = json!(id.to_string());
            }
        }
    }
    if let Some(object) = body.as_object_mut() {
        for placeholder in &asked.files {
            object.insert(format!("files[{placeholder}]"), json!(""));
        }
    }
    body
}

fn broken(operation: &Operation, purpose: &str, schema: &'static Value, body: &Value) -> Vec<String> {
    let Some(validator) = operation.validator(purpose, schema) else { return Vec::new() };
    if validator.is_valid(body) {
        return Vec::new();
    }
    let sentence = |error: jsonschema::ValidationError<'_>| {
        let at = error.instance_path().to_string();
        let at = if at.is_empty() { "the body".to_owned() } else { format!("`{}`", at.trim_start_matches('/').replace('/', ".")) };
        format!("{at}: {error}").chars().take(MAX_SENTENCE_CHARS).collect()
    };
    validator.iter_errors(body).filter(|error| !is_written_number(error)).map(sentence).take(20).collect()
}

/// Discord takes a number as text where the description has an integer; permissions are documented as texts.
fn is_written_number(error: &jsonschema::ValidationError<'_>) -> bool {
    let names_integer = error.to_string().contains("\"integer\"");
    names_integer && error.instance().as_str().is_some_and(|text| text.parse::<i64>().is_ok())
}

fn parameters(operation: &Operation, asked: &Asked<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let named = |place: &str, name: &str| {
        operation.parameters.iter().copied().find(|parameter| parameter["in"] == place && parameter["name"] == name)
    };
    let mut check = |place: &str, name: &str, text: &str, parameter: &'static Value| {
        let Some(schema) = parameter.get("schema") else { return };
        let purpose = format!("{place} {name}");
        let is_good = |value: &Value| operation.validator(&purpose, schema).is_none_or(|validator| validator.is_valid(value));
        // A list may be written as one element, and a union takes numbers as text.
        let (as_typed, as_text) = (typed(schema, text), json!(text));
        if ![json!([as_typed]), json!([as_text]), as_typed, as_text].iter().any(is_good) {
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

    fn check(method: &str, path: &str, body: Value, expected: &str) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments: Vec<&str> = path.split('/').collect();
        let found = request(&Asked { method, segments: &segments, query, body: &body, files: Vec::new() });
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

    #[test]
    fn tokens_are_not_written_down() {
        assert_eq!(blank(&["webhooks", "1", "secret", "messages", "@original"]), "/webhooks/1/***/messages/@original");
        assert_eq!(blank(&["channels", "1", "messages"]), "/channels/1/messages");
    }
}
