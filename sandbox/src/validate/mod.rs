//! Discord's limits on what a bot sends. Source: discord-api-docs, resources/message, components/reference,
//! interactions/application-commands. The codes inside of a refusal are in no documentation; most are those that Discord was
//! seen to answer with, and the others are named like them.

mod commands;
mod components;
mod embeds;
mod files;
mod modals;

use crate::{error::FormErrors, message::Draft};
pub(crate) use commands::{choices, command, suggesting};
pub(crate) use files::{attachment_urls, check_references};
pub(crate) use modals::modal;
use serde_json::Value;

/// The flag of a message laid out by components alone.
pub(crate) const IS_COMPONENTS_V2: u64 = 1 << 15;

/// Notes what is wrong with a message.
pub(crate) fn message(errors: &mut FormErrors, draft: &Draft) {
    let (at, body) = (draft.at, &draft.body);
    text(errors, &join(at, "content"), &body["content"], 0, 2000);
    embeds::all(errors, &join(at, "embeds"), items(&body["embeds"]));
    let is_v2 = body["flags"].as_u64().unwrap_or(0) & IS_COMPONENTS_V2 != 0;
    if is_v2 {
        for field in ["content", "embeds", "poll", "sticker_ids"].iter().filter(|field| is_given(&body[**field])) {
            let message = format!("The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2");
            errors.add(&join(at, field), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message);
        }
    }
    components::of_message(errors, &join(at, "components"), items(&body["components"]), is_v2);
    allowed_mentions(errors, &join(at, "allowed_mentions"), &body["allowed_mentions"]);
    if body["nonce"].as_str().is_some_and(|nonce| nonce.chars().count() > 25) {
        errors.add(&join(at, "nonce"), "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer characters long.");
    }
}

/// A kind that is parsed cannot be listed too.
fn allowed_mentions(errors: &mut FormErrors, at: &str, allowed: &Value) {
    for (n, parsed) in items(&allowed["parse"]).iter().enumerate() {
        match parsed.as_str() {
            Some(kind @ ("users" | "roles")) if !items(&allowed[kind]).is_empty() => {
                let told = format!("parse:[\"{kind}\"] and {kind}: [ids...] are mutually exclusive.");
                errors.add(at, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", told);
            }
            Some("users" | "roles" | "everyone") => {}
            _ => errors.choice(&format!("{at}.parse.{n}"), "roles, users, everyone"),
        }
    }
    for kind in ["users", "roles"] {
        if items(&allowed[kind]).len() > 100 {
            errors.too_long(&format!("{at}.{kind}"), 100);
        }
    }
}

/// A text that may be absent unless `min` is above 0.
fn text(errors: &mut FormErrors, path: &str, value: &Value, min: usize, max: usize) {
    match value {
        Value::Null if min > 0 => errors.required(path),
        Value::Null => {}
        Value::String(text) => match text.chars().count() {
            0 if min > 0 => errors.required(path),
            length if length > max || length < min => errors.bad_length(path, min, max),
            _ => {}
        },
        _ => errors.add(path, "STRING_TYPE_CONVERT", "Could not interpret the value as string."),
    }
}

/// A whole number within bounds, if it is given.
fn number(errors: &mut FormErrors, path: &str, value: &Value, min: i64, max: i64) {
    match value.as_i64() {
        Some(number) if number < min => {
            errors.add(path, "NUMBER_TYPE_MIN", format!("int value should be greater than or equal to {min}."));
        }
        Some(number) if number > max => errors.add(path, "NUMBER_TYPE_MAX", format!("int value should be less than or equal to {max}.")),
        None if !value.is_null() => errors.add(path, "NUMBER_TYPE_COERCE", format!("Value {value} is not int.")),
        Some(_) | None => {}
    }
}

/// An address with one of these schemes, if it is given.
fn url(errors: &mut FormErrors, path: &str, value: &Value, schemes: &[&str]) {
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return };
    match reqwest::Url::parse(text) {
        Err(_) => errors.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL."),
        Ok(url) if !schemes.contains(&url.scheme()) => {
            let schemes: Vec<String> = schemes.iter().map(|scheme| format!("'{scheme}'")).collect();
            let told = format!("Scheme \"{}\" is not supported. Scheme must be one of ({}).", url.scheme(), schemes.join(", "));
            errors.add(path, "URL_TYPE_INVALID_SCHEME", told);
        }
        Ok(_) => {}
    }
}

/// Whether a field says anything: libraries write out what they do not set.
fn is_given(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

/// The elements of a list; nothing when it is absent.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The path of a field.
pub(crate) fn join(at: &str, field: &str) -> String {
    if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") }
}
