use crate::rest::rate_limit;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

/// An answer that refuses a bot's request, in Discord's words and numbers.
/// Source: discord-api-docs, topics/opcodes-and-status-codes, "JSON error codes".
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    code: u32,
    message: String,
    errors: Option<Value>,
    /// For 429: when to come again.
    pub(crate) retry_after_ms: Option<i64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), errors: None, retry_after_ms: None }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 0, "404: Not Found")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, 0, "401: Unauthorized")
    }

    pub(crate) fn unknown_channel() -> Self {
        Self::new(StatusCode::NOT_FOUND, 10003, "Unknown Channel")
    }

    pub(crate) fn unknown_message() -> Self {
        Self::new(StatusCode::NOT_FOUND, 10008, "Unknown Message")
    }

    pub(crate) fn unknown_webhook() -> Self {
        Self::new(StatusCode::NOT_FOUND, 10015, "Unknown Webhook")
    }

    pub(crate) fn unknown_interaction() -> Self {
        Self::new(StatusCode::NOT_FOUND, 10062, "Unknown interaction")
    }

    pub(crate) fn unknown_command() -> Self {
        Self::new(StatusCode::NOT_FOUND, 10063, "Unknown application command")
    }

    pub(crate) fn unknown(what: &str, code: u32) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, format!("Unknown {what}"))
    }

    pub(crate) fn missing_access() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50001, "Missing Access")
    }

    pub(crate) fn missing_permissions() -> Self {
        Self::new(StatusCode::FORBIDDEN, 50013, "Missing Permissions")
    }

    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, 40005, "Request entity too large")
    }

    pub(crate) fn too_many_old_edits(retry_after_ms: i64) -> Self {
        let told = "Maximum number of edits to messages older than 1 hour reached. Try again later";
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(StatusCode::TOO_MANY_REQUESTS, 30046, told) }
    }

    pub(crate) fn not_json() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 50109, "The request body contains invalid JSON.")
    }

    pub(crate) fn wrong_content_type(media_types: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 50035, format!("Expected \"Content-Type\" header to be one of {{{media_types}}}."))
    }

    /// The body did not come in time. Not of Discord's own list: the proxy before it says so.
    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, 0, "408: Request Timeout")
    }

    /// The body with a further field beside `message` and `code`.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "message": self.message, "code": self.code });
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        if let Some(ms) = self.retry_after_ms {
            body["retry_after"] = json!(ms as f64 / 1000.0);
            body["global"] = json!(false);
        }
        body
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the sandbox's database failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 0, "500: Internal Server Error")
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "the sandbox's file store failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 0, "500: Internal Server Error")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(ms) = self.retry_after_ms {
            rate_limit::mark(&mut response, ms.max(0) as u64, "user");
        }
        response
    }
}

/// Collects everything that is wrong with a form, so that the answer names all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormErrors {
    tree: Map<String, Value>,
}

impl FormErrors {
    /// Notes one fault at a path such as `data.embeds.0.title`.
    pub(crate) fn add(&mut self, path: &str, code: &str, message: impl Into<String>) {
        let mut node = &mut self.tree;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            let child = node.entry(part).or_insert_with(|| json!({}));
            let Value::Object(child) = child else { return };
            node = child;
        }
        let faults = node.entry("_errors").or_insert_with(|| json!([]));
        if let Value::Array(faults) = faults {
            faults.push(json!({ "code": code, "message": message.into() }));
        }
    }

    pub(crate) fn too_long(&mut self, path: &str, limit: usize) {
        self.add(path, "BASE_TYPE_MAX_LENGTH", format!("Must be {limit} or fewer in length."));
    }

    /// A text or list that must have `min` to `max` characters or elements; an empty text is as good as none.
    pub(crate) fn bad_length(&mut self, path: &str, min: usize, max: usize) {
        if min == 0 {
            self.too_long(path, max);
        } else {
            self.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
        }
    }

    pub(crate) fn required(&mut self, path: &str) {
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required");
    }

    pub(crate) fn choice(&mut self, path: &str, allowed: &str) {
        self.add(path, "BASE_TYPE_CHOICES", format!("Value must be one of {{{allowed}}}."));
    }

    /// An object that is of no kind that its place takes.
    pub(crate) fn union(&mut self, path: &str, allowed: &str) {
        self.add(path, "UNION_TYPE_CHOICES", format!("Value of field \"type\" must be one of ({allowed})."));
    }

    /// Notes the faults of `other` wherever this one has none, neither there nor above or below.
    pub(crate) fn fill(&mut self, other: &Self) {
        fill(&mut self.tree, &other.tree);
    }

    /// `Ok` when nothing was wrong.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.tree.is_empty() {
            return Ok(());
        }
        let mut tree = self.tree;
        prune(&mut tree);
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, 50035, "Invalid Form Body");
        error.errors = Some(Value::Object(tree));
        Err(error)
    }
}

/// What is wrong with an object as a whole is told when its fields are right: Discord says one or the other.
fn prune(tree: &mut Map<String, Value>) {
    if tree.len() > 1 {
        tree.remove("_errors");
    }
    tree.values_mut().filter_map(Value::as_object_mut).for_each(prune);
}

fn fill(tree: &mut Map<String, Value>, other: &Map<String, Value>) {
    if tree.contains_key("_errors") {
        return;
    }
    let is_empty = tree.is_empty();
    for (field, theirs) in other {
        match tree.get_mut(field) {
            None if field == "_errors" && !is_empty => {}
            None => {
                tree.insert(field.clone(), theirs.clone());
            }
            Some(ours) => {
                if let (Some(ours), Some(theirs)) = (ours.as_object_mut(), theirs.as_object()) {
                    fill(ours, theirs);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(paths: &[&str], code: &str) -> FormErrors {
        let mut errors = FormErrors::default();
        paths.iter().for_each(|path| errors.add(path, code, "x"));
        errors
    }

    #[test]
    fn an_object_with_wrong_fields_is_not_wrong_itself() {
        let refused = errors(&["components.0", "components.0.custom_id", "content"], "A").finish().expect_err("something is wrong");
        let one = json!({ "_errors": [{ "code": "A", "message": "x" }] });
        assert_eq!(refused.body()["errors"], json!({ "components": { "0": { "custom_id": one } }, "content": one }));
    }

    #[test]
    fn what_was_found_first_is_not_said_again() {
        let check = |first: &[&str], second: &[&str], expected: &[&str]| {
            let mut filled = errors(first, "A");
            filled.fill(&errors(second, "B"));
            let tree = Value::Object(filled.tree);
            assert!(expected.iter().all(|pointer| tree.pointer(pointer).is_some()), "{tree}");
            assert_eq!(tree.to_string().matches("code").count(), expected.len(), "{tree}");
        };
        check(&["content"], &["content"], &["/content/_errors/0"]);
        check(&["content"], &["embeds.0.title"], &["/content/_errors/0", "/embeds/0/title/_errors/0"]);
        check(&["embeds"], &["embeds.0.title"], &["/embeds/_errors/0"]);
        check(&["embeds.0.title"], &["embeds", "embeds.1"], &["/embeds/0/title/_errors/0", "/embeds/1/_errors/0"]);
        check(&["type"], &[""], &["/type/_errors/0"]);
        check(&[], &["", "a"], &["/_errors/0", "/a/_errors/0"]);
    }
}
