//! What a schema says of a wrong value, as the refusal that Discord gives for it. Source of the form: discord-api-docs, reference,
//! "Error Messages"; of the codes: Discord's answers.

use super::document::DOCUMENT;
use crate::error::FormErrors;
use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

/// A longer value is told without its middle: this much of its beginning, and half as much of its end.
const N_BEGINNING: usize = 60;
/// The rest of a sentence is cut off here: the values that may be chosen can be many.
const N_REASON: usize = 400;
/// What stands for a value in a reason.
const VALUE: &str = "the value";
/// More faults than these are not told.
const N_FAULTS: usize = 20;
/// How much it speaks against a branch of a union that it describes another kind of value, or another kind of object.
const OTHER_TYPE: usize = 1_000_000;
const OTHER_KIND: usize = 1000;

/// One wrong value.
pub(super) struct Fault {
    /// Its path, such as `data.embeds.0.title`.
    path: String,
    /// Code and message of the refusal; none for what Discord takes all the same.
    refusal: Option<(&'static str, String)>,
    pub(super) sentence: String,
}

impl Fault {
    fn new(path: String, refusal: Option<(&'static str, String)>, told: &str) -> Self {
        let place = if path.is_empty() { "the body".to_owned() } else { format!("`{path}`") };
        Self { path, refusal, sentence: format!("{place}: {told}") }
    }

    fn of(error: &ValidationError<'_>, refusal: Option<(&'static str, String)>) -> Self {
        Self::new(path(error), refusal, &told(error))
    }

    /// Notes the refusal, if Discord refuses this.
    pub(super) fn note(&self, errors: &mut FormErrors) {
        if let Some((code, message)) = &self.refusal {
            errors.add(&self.path, code, message.as_str());
        }
    }
}

/// Who wrote a value: Discord itself is stricter with what it says than with what it hears.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    Bot,
    Discord,
}

/// What is wrong, and then with what: a long value must not hide the reason.
fn told(error: &ValidationError<'_>) -> String {
    let reason: String = error.masked_with(VALUE).to_string().chars().take(N_REASON).collect();
    if matches!(error.kind(), Kind::Required { .. }) { reason } else { format!("{reason}: {}", shortened(error.instance())) }
}

/// A value on one line, without its middle when it is long.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    let n_chars = text.chars().count();
    if n_chars <= 2 * N_BEGINNING {
        return text;
    }
    let beginning: String = text.chars().take(N_BEGINNING).collect();
    let end: String = text.chars().skip(n_chars - N_BEGINNING / 2).collect();
    let size = match value {
        Value::String(text) => format!("{} characters", text.chars().count()),
        Value::Array(list) => format!("{} elements", list.len()),
        _ => format!("{n_chars} characters of JSON"),
    };
    format!("{beginning}…{end} ({size})")
}

/// Everything that is wrong with a value.
pub(super) fn faults(validator: &Validator, value: &Value, author: Author) -> Vec<Fault> {
    if validator.is_valid(value) {
        return Vec::new();
    }
    validator.iter_errors(value).flat_map(|error| of_error(&error, author)).take(N_FAULTS).collect()
}

/// Faults at the fields that are wrong: of a union, those of the branch that fits best.
fn of_error(error: &ValidationError<'_>, author: Author) -> Vec<Fault> {
    match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => of_union(error, context, author),
        _ if author == Author::Bot && is_taken(error) => Vec::new(),
        _ => vec![Fault::of(error, refusal(error))],
    }
}

fn of_union(error: &ValidationError<'_>, branches: &[Vec<ValidationError<'static>>], author: Author) -> Vec<Fault> {
    let place = error.instance_path().as_str();
    let weighed = branches.iter().map(|branch| (branch.iter().map(|error| weight(error, place, author)).sum::<usize>(), branch));
    let Some((weight, best)) = weighed.min_by_key(|(weight, _)| *weight) else { return Vec::new() };
    let allowed = |place: &str| -> Vec<String> {
        let values = branches.iter().flatten().filter(|error| error.instance_path().as_str() == place).flat_map(allowed_values);
        values.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    };
    if best.iter().all(|error| is_choice(error) && error.instance_path().as_str() == place) {
        let refusal = ("BASE_TYPE_CHOICES", format!("Value must be one of {{{}}}.", allowed(place).join(", ")));
        return vec![Fault::of(error, Some(refusal))];
    }
    if (OTHER_KIND..OTHER_TYPE).contains(&weight) && best.iter().any(|error| is_of_other_kind(error, place)) {
        let told = format!("Value of field \"type\" must be one of ({}).", allowed(&format!("{place}/type")).join(", "));
        return vec![Fault::new(path(error), Some(("UNION_TYPE_CHOICES", told.clone())), &told)];
    }
    best.iter().flat_map(|error| of_error(error, author)).collect()
}

/// How much an error speaks against its branch of the union at `place`.
fn weight(error: &ValidationError<'_>, place: &str, author: Author) -> usize {
    match error.kind() {
        _ if author == Author::Bot && is_taken(error) => 0,
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } if !is_of_other_kind(error, place) => {
            let branches = context.iter().map(|branch| branch.iter().map(|error| weight(error, place, author)).sum());
            branches.min().unwrap_or(1)
        }
        // That a value is not null says the least of what it should be.
        Kind::Type { kind } if error.instance_path().as_str() == place => OTHER_TYPE + usize::from(expects(kind, "null")),
        _ if is_of_other_kind(error, place) => OTHER_KIND,
        _ => 1,
    }
}

/// Whether the `type` of an object at `place` is not the one of this branch.
fn is_of_other_kind(error: &ValidationError<'_>, place: &str) -> bool {
    error.instance_path().as_str().strip_prefix(place) == Some("/type") && matches!(error.kind(), Kind::Enum { .. } | Kind::Constant { .. })
}

fn is_choice(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), Kind::Enum { .. } | Kind::Constant { .. })
}

fn allowed_values<'a>(error: &'a ValidationError<'_>) -> Vec<&'a Value> {
    match error.kind() {
        Kind::Enum { options } => options.as_array().into_iter().flatten().collect(),
        Kind::Constant { expected_value } => vec![expected_value],
        _ => Vec::new(),
    }
}

/// Discord takes a whole number as text and an id as number; permissions are documented as texts.
fn is_taken(error: &ValidationError<'_>) -> bool {
    let Kind::Type { kind } = error.kind() else { return false };
    let is_written_number = expects(kind, "integer") && error.instance().as_str().is_some_and(|text| text.parse::<i64>().is_ok());
    is_written_number || expects(kind, "string") && error.instance().is_u64() && is_snowflake(error)
}

fn is_snowflake(error: &ValidationError<'_>) -> bool {
    neighbours(error).is_some_and(|schema| schema["format"] == "snowflake")
}

fn expects(kind: &TypeKind, name: &str) -> bool {
    match kind {
        TypeKind::Single(one) => one.to_string() == name,
        TypeKind::Multiple(several) => several.iter().any(|one| one.to_string() == name),
    }
}

/// The schema of which the broken rule is a part.
fn neighbours(error: &ValidationError<'_>) -> Option<&'static Value> {
    let (_, pointer) = error.absolute_keyword_location()?.as_str().split_once('#')?;
    let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8().ok()?;
    DOCUMENT.at(pointer.rsplit_once('/')?.0)
}

fn path(error: &ValidationError<'_>) -> String {
    let mut path = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
    if let Kind::Required { property } = error.kind() {
        path = crate::validate::join(&path, property.as_str().unwrap_or_default());
    }
    path
}

fn refusal(error: &ValidationError<'_>) -> Option<(&'static str, String)> {
    let value = error.instance();
    let bound = |name: &str| neighbours(error).and_then(|schema| schema[name].as_u64());
    let length = |min: u64, max: Option<u64>| match max {
        _ if value.as_str() == Some("") => required(),
        Some(max) if min == 0 => ("BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length.")),
        Some(max) => ("BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length.")),
        None => ("BASE_TYPE_MIN_LENGTH", format!("Must be {min} or more in length.")),
    };
    let number = if value.is_f64() { "float" } else { "int" };
    Some(match error.kind() {
        Kind::Required { .. } => required(),
        Kind::Type { .. } if value.is_null() => required(),
        Kind::Type { kind } => wrong_type(kind, value, is_snowflake(error)),
        Kind::MaxLength { limit } => length(bound("minLength").unwrap_or(0), Some(*limit)),
        Kind::MinLength { limit } => length(*limit, bound("maxLength")),
        Kind::MaxItems { limit } => length(bound("minItems").unwrap_or(0), Some(*limit)),
        Kind::MinItems { limit } => length(*limit, bound("maxItems")),
        Kind::MaxProperties { limit } => length(bound("minProperties").unwrap_or(0), Some(*limit)),
        Kind::MinProperties { limit } => length(*limit, bound("maxProperties")),
        Kind::Minimum { limit } => ("NUMBER_TYPE_MIN", format!("{number} value should be greater than or equal to {limit}.")),
        Kind::Maximum { limit } => ("NUMBER_TYPE_MAX", format!("{number} value should be less than or equal to {limit}.")),
        Kind::Pattern { .. } if is_snowflake(error) => ("NUMBER_TYPE_COERCE", format!("Value {value} is not snowflake.")),
        Kind::Pattern { .. } => ("STRING_TYPE_REGEX", "String value did not match validation regex.".to_owned()),
        Kind::Enum { .. } | Kind::Constant { .. } => {
            let allowed: Vec<String> = allowed_values(error).iter().map(|value| value.to_string()).collect();
            ("BASE_TYPE_CHOICES", format!("Value must be one of {{{}}}.", allowed.join(", ")))
        }
        Kind::Not { .. } if value.is_null() => required(),
        Kind::UniqueItems => ("SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value".to_owned()),
        _ => return None,
    })
}

fn required() -> (&'static str, String) {
    ("BASE_TYPE_REQUIRED", "This field is required".to_owned())
}

fn wrong_type(kind: &TypeKind, value: &Value, is_snowflake: bool) -> (&'static str, String) {
    if is_snowflake {
        ("NUMBER_TYPE_COERCE", format!("Value {value} is not snowflake."))
    } else if expects(kind, "string") {
        ("STRING_TYPE_CONVERT", format!("Could not interpret {value} as string."))
    } else if expects(kind, "integer") {
        ("NUMBER_TYPE_COERCE", format!("Value {value} is not int."))
    } else if expects(kind, "number") {
        ("NUMBER_TYPE_COERCE", format!("Value {value} is not float."))
    } else if expects(kind, "boolean") {
        ("BOOLEAN_TYPE_CONVERT", "Must be either true or false.".to_owned())
    } else if expects(kind, "array") {
        ("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType".to_owned())
    } else {
        ("MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(method: &str, path: &str, body: Value, pointer: &str, code: &str) {
        let segments: Vec<&str> = path.split('/').collect();
        let operation = DOCUMENT.find(method, &segments).expect("a described operation");
        let schema = operation.request_schema(false).expect("it takes a body");
        let validator = operation.validator("request", schema).expect("the schema compiles");
        let mut errors = FormErrors::default();
        for fault in faults(&validator, &body, Author::Bot) {
            fault.note(&mut errors);
        }
        let Err(refused) = errors.finish() else {
            assert_eq!(code, "", "nothing is wrong with {body}");
            return;
        };
        let answer = refused.body();
        assert_eq!(answer["code"], 50035);
        let found = answer.pointer(&format!("/errors{pointer}/_errors/0/code"));
        assert_eq!(found, Some(&json!(code)), "{answer:#}");
        assert_eq!(answer.to_string().matches("_errors").count(), 1, "{answer:#}");
    }

    #[test]
    fn a_refusal_names_the_field() {
        let check = |body, pointer: &str, code| check("POST", "channels/7/messages", body, pointer, code);
        let inner = |component: Value, pointer: &str, code| {
            let body = json!({ "components": [{ "type": 1, "components": [component] }] });
            check(body, &format!("/components/0/components/0{pointer}"), code);
        };
        check(json!({ "content": 5 }), "/content", "STRING_TYPE_CONVERT");
        check(json!({ "content": "x".repeat(4001) }), "/content", "BASE_TYPE_MAX_LENGTH");
        check(json!({ "tts": "yes" }), "/tts", "BOOLEAN_TYPE_CONVERT");
        check(json!({ "embeds": {} }), "/embeds", "LIST_TYPE_CONVERT");
        check(json!({ "embeds": ["x"] }), "/embeds/0", "MODEL_TYPE_CONVERT");
        check(json!({ "embeds": vec![json!({}); 11] }), "/embeds", "BASE_TYPE_MAX_LENGTH");
        check(json!({ "embeds": [{ "color": 16_777_216 }] }), "/embeds/0/color", "NUMBER_TYPE_MAX");
        check(json!({ "embeds": [{ "color": "red" }] }), "/embeds/0/color", "NUMBER_TYPE_COERCE");
        check(json!({ "embeds": [{ "footer": { "text": 5 } }] }), "/embeds/0/footer/text", "STRING_TYPE_CONVERT");
        check(json!({ "embeds": [{ "footer": "x" }] }), "/embeds/0/footer", "MODEL_TYPE_CONVERT");
        check(json!({ "embeds": [{ "fields": [{ "name": "x" }] }] }), "/embeds/0/fields/0/value", "BASE_TYPE_REQUIRED");
        check(json!({ "components": [{ "type": 99 }] }), "/components/0", "UNION_TYPE_CHOICES");
        check(json!({ "components": [{ "type": 1, "components": [] }] }), "/components/0/components", "BASE_TYPE_BAD_LENGTH");
        inner(json!({ "type": 1, "components": [] }), "", "UNION_TYPE_CHOICES");
        inner(json!({ "type": 2, "style": 9 }), "/style", "BASE_TYPE_CHOICES");
        inner(json!({ "type": 2, "style": 1, "label": 5 }), "/label", "STRING_TYPE_CONVERT");
        inner(json!({ "type": 2, "style": 1, "custom_id": "x".repeat(101) }), "/custom_id", "BASE_TYPE_BAD_LENGTH");
        inner(json!({ "type": 3, "custom_id": "a" }), "/options", "BASE_TYPE_REQUIRED");
        inner(json!({ "type": 3, "custom_id": "", "options": [{ "label": "x", "value": "x" }] }), "/custom_id", "BASE_TYPE_REQUIRED");
        check(json!({ "allowed_mentions": { "parse": ["all"] } }), "/allowed_mentions/parse/0", "BASE_TYPE_CHOICES");
        check(json!({ "allowed_mentions": { "users": ["me"] } }), "/allowed_mentions/users/0", "NUMBER_TYPE_COERCE");
        check(json!({ "allowed_mentions": { "users": ["5", "5"] } }), "/allowed_mentions/users", "SET_TYPE_ALREADY_CONTAINS_VALUE");
        check(json!({ "message_reference": { "message_id": "five" } }), "/message_reference/message_id", "NUMBER_TYPE_COERCE");
        check(json!("x"), "", "MODEL_TYPE_CONVERT");
    }

    #[test]
    fn a_refusal_names_the_field_of_an_answer_or_a_command() {
        let callback = |body, pointer, code| check("POST", "interactions/1/tok/callback", body, pointer, code);
        callback(json!({ "type": 4, "data": { "embeds": [{ "title": 5 }] } }), "/data/embeds/0/title", "STRING_TYPE_CONVERT");
        callback(json!({ "type": 99 }), "", "UNION_TYPE_CHOICES");
        callback(json!({ "type": 8, "data": { "choices": [{ "name": "x" }] } }), "/data/choices/0/value", "BASE_TYPE_REQUIRED");
        callback(
            json!({ "type": 9, "data": { "custom_id": "a", "title": "x".repeat(46), "components": [{ "type": 10, "content": "x" }] } }),
            "/data/title",
            "BASE_TYPE_BAD_LENGTH",
        );
        let command = |body, pointer, code| check("POST", "applications/1/commands", body, pointer, code);
        command(json!({ "description": "x" }), "/name", "BASE_TYPE_REQUIRED");
        command(
            json!({ "name": "a", "options": [{ "type": 3, "name": "b", "description": "" }] }),
            "/options/0/description",
            "BASE_TYPE_REQUIRED",
        );
        command(json!({ "name": "a", "options": [{ "type": 12, "name": "b", "description": "x" }] }), "/options/0", "UNION_TYPE_CHOICES");
        command(
            json!({ "name": "a", "options": [{ "type": 4, "name": "b", "description": "x", "min_value": "low" }] }),
            "/options/0/min_value",
            "NUMBER_TYPE_COERCE",
        );
    }

    #[test]
    fn what_discord_takes_is_not_refused() {
        let taken = |body| check("POST", "channels/7/messages", body, "", "");
        taken(json!({ "content": null, "embeds": null, "components": [], "allowed_mentions": null, "nonce": 5 }));
        taken(json!({ "allowed_mentions": { "users": [5, "6"], "parse": [], "replied_user": true } }));
        taken(json!({ "message_reference": { "message_id": 1_000_000_000_000_000_110_u64 }, "flags": "4" }));
        taken(json!({ "content": "x", "no_such_field": [] }));
        check("POST", "applications/1/commands", json!({ "name": "a", "default_member_permissions": "32" }), "", "");
        check("POST", "users/@me/channels", json!({ "recipient_id": 1_000_000_000_000_000_011_u64 }), "", "");
    }
}
