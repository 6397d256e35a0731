//! Discord's limits on what a bot sends. Source: discord-api-docs, resources/message, components/reference, interactions/application-commands.

use crate::error::FormErrors;
use serde_json::Value;
use std::collections::HashSet;

/// The flag of a message laid out by components alone.
pub(crate) const IS_COMPONENTS_V2: u64 = 1 << 15;

const ACTION_ROW: u64 = 1;
const BUTTON: u64 = 2;
const TEXT_INPUT: u64 = 4;
const LINK_BUTTON: u64 = 5;
const PREMIUM_BUTTON: u64 = 6;
const LABEL: u64 = 18;

/// Notes what is wrong with a message's body; `at` is the path of the body, empty or `data`.
pub(crate) fn message(errors: &mut FormErrors, at: &str, body: &Value) {
    text(errors, &join(at, "content"), &body["content"], 0, 2000);
    let embeds = items(&body["embeds"]);
    if embeds.len() > 10 {
        errors.too_long(&join(at, "embeds"), 10);
    }
    for (n, value) in embeds.iter().enumerate() {
        embed(errors, &join(at, &format!("embeds.{n}")), value);
    }
    if embeds.iter().map(embed_length).sum::<usize>() > 6000 {
        errors.add(&join(at, "embeds"), "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000");
    }
    let is_v2 = body["flags"].as_u64().unwrap_or(0) & IS_COMPONENTS_V2 != 0;
    if is_v2 {
        for (field, is_used) in [("content", body["content"].as_str().is_some_and(|text| !text.is_empty())), ("embeds", !embeds.is_empty())]
        {
            if is_used {
                let message = format!("The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2");
                errors.add(&join(at, field), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message);
            }
        }
    }
    components(errors, &join(at, "components"), items(&body["components"]), is_v2);
}

/// Notes what is wrong with a form that a callback opens.
pub(crate) fn modal(errors: &mut FormErrors, at: &str, body: &Value) {
    text(errors, &join(at, "custom_id"), &body["custom_id"], 1, 100);
    text(errors, &join(at, "title"), &body["title"], 1, 45);
    let rows = items(&body["components"]);
    if rows.is_empty() || rows.len() > 5 {
        errors.add(&join(at, "components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
    }
    let mut seen = HashSet::new();
    for (n, row) in rows.iter().enumerate() {
        let inner = if row["type"] == LABEL { std::slice::from_ref(&row["component"]) } else { items(&row["components"]) };
        for (m, input) in inner.iter().enumerate() {
            let path = join(at, &format!("components.{n}.components.{m}"));
            unique_custom_id(errors, &path, input, &mut seen);
            if input["type"] == TEXT_INPUT {
                if row["type"] != LABEL {
                    text(errors, &format!("{path}.label"), &input["label"], 1, 45);
                }
                text(errors, &format!("{path}.placeholder"), &input["placeholder"], 0, 100);
                text(errors, &format!("{path}.value"), &input["value"], 0, 4000);
            }
        }
    }
}

/// Notes what is wrong with the suggestions of an autocomplete callback.
pub(crate) fn choices(errors: &mut FormErrors, at: &str, choices: &Value) {
    if items(choices).len() > 25 {
        errors.too_long(at, 25);
    }
    for (n, choice) in items(choices).iter().enumerate() {
        text(errors, &format!("{at}.{n}.name"), &choice["name"], 1, 100);
        if choice["value"].as_str().is_some_and(|value| value.chars().count() > 100) {
            errors.too_long(&format!("{at}.{n}.value"), 100);
        }
    }
}

/// Notes what is wrong with a command that a bot registers.
pub(crate) fn command(errors: &mut FormErrors, at: &str, command: &Value) {
    let kind = command["type"].as_u64().unwrap_or(1);
    text(errors, &join(at, "name"), &command["name"], 1, 32);
    if kind == 1 {
        command_name(errors, &join(at, "name"), &command["name"]);
        text(errors, &join(at, "description"), &command["description"], 1, 100);
    } else if !(2..=4).contains(&kind) {
        errors.choice(&join(at, "type"), "1, 2, 3, 4");
    }
    command_options(errors, &join(at, "options"), items(&command["options"]));
}

fn command_options(errors: &mut FormErrors, at: &str, options: &[Value]) {
    if options.len() > 25 {
        errors.too_long(at, 25);
    }
    let (mut names, mut seen_optional) = (HashSet::new(), false);
    for (n, option) in options.iter().enumerate() {
        let path = format!("{at}.{n}");
        text(errors, &format!("{path}.name"), &option["name"], 1, 32);
        command_name(errors, &format!("{path}.name"), &option["name"]);
        text(errors, &format!("{path}.description"), &option["description"], 1, 100);
        if !option["type"].as_u64().is_some_and(|kind| (1..=11).contains(&kind)) {
            errors.choice(&format!("{path}.type"), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11");
        }
        if !names.insert(option["name"].as_str().unwrap_or_default()) {
            errors.add(&path, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option names must be unique");
        }
        let is_required = option["required"] == true;
        if is_required && seen_optional {
            let message = "Required options must be placed before non-required options";
            errors.add(&path, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message);
        }
        seen_optional |= !is_required;
        if option["autocomplete"] == true && !items(&option["choices"]).is_empty() {
            errors.add(&path, "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Autocomplete options cannot have choices");
        }
        choices(errors, &format!("{path}.choices"), &option["choices"]);
        command_options(errors, &format!("{path}.options"), items(&option["options"]));
    }
}

fn command_name(errors: &mut FormErrors, path: &str, name: &Value) {
    let is_good = |c: char| (c.is_alphanumeric() && !c.is_uppercase()) || matches!(c, '-' | '_' | '\'');
    if name.as_str().is_some_and(|name| !name.chars().all(is_good)) {
        errors.add(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid");
    }
}

fn components(errors: &mut FormErrors, at: &str, rows: &[Value], is_v2: bool) {
    if !is_v2 && rows.len() > 5 {
        errors.too_long(at, 5);
    }
    if is_v2 && rows.iter().map(n_components).sum::<usize>() > 40 {
        errors.too_long(at, 40);
    }
    let mut seen = HashSet::new();
    for (n, row) in rows.iter().enumerate() {
        let path = format!("{at}.{n}");
        match row["type"].as_u64() {
            None => errors.required(&format!("{path}.type")),
            Some(kind) if !is_v2 && kind != ACTION_ROW => errors.choice(&format!("{path}.type"), "1"),
            Some(_) => component(errors, &path, row, &mut seen),
        }
    }
}

fn component<'a>(errors: &mut FormErrors, path: &str, value: &'a Value, seen: &mut HashSet<&'a str>) {
    let inner = items(&value["components"]);
    match value["type"].as_u64() {
        Some(ACTION_ROW) => {
            if inner.is_empty() || inner.len() > 5 {
                errors.add(&format!("{path}.components"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
            }
            for (n, _) in inner.iter().enumerate().filter(|(_, child)| child["type"] == ACTION_ROW) {
                errors.choice(&format!("{path}.components.{n}.type"), "2, 3, 5, 6, 7, 8");
            }
        }
        Some(BUTTON) => button(errors, path, value, seen),
        Some(3 | 5..=8) => unique_custom_id(errors, path, value, seen),
        _ => {}
    }
    for (n, child) in inner.iter().enumerate() {
        component(errors, &format!("{path}.components.{n}"), child, seen);
    }
    if let Some(accessory) = value.get("accessory") {
        component(errors, &format!("{path}.accessory"), accessory, seen);
    }
}

fn button<'a>(errors: &mut FormErrors, path: &str, button: &'a Value, seen: &mut HashSet<&'a str>) {
    let style = button["style"].as_u64().unwrap_or(0);
    if !(1..=PREMIUM_BUTTON).contains(&style) {
        errors.choice(&format!("{path}.style"), "1, 2, 3, 4, 5, 6");
    }
    match style {
        LINK_BUTTON => text(errors, &format!("{path}.url"), &button["url"], 1, 512),
        PREMIUM_BUTTON => return,
        _ => unique_custom_id(errors, path, button, seen),
    }
    let label = button["label"].as_str().unwrap_or_default();
    if label.chars().count() > 80 {
        errors.too_long(&format!("{path}.label"), 80);
    }
    if label.is_empty() && button["emoji"].is_null() {
        errors.add(path, "BUTTON_COMPONENT_MISSING_LABEL_OR_EMOJI", "A button must have a label or an emoji");
    }
}

fn unique_custom_id<'a>(errors: &mut FormErrors, path: &str, component: &'a Value, seen: &mut HashSet<&'a str>) {
    let path = format!("{path}.custom_id");
    text(errors, &path, &component["custom_id"], 1, 100);
    if let Some(custom_id) = component["custom_id"].as_str()
        && !seen.insert(custom_id)
    {
        errors.add(&path, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
    }
}

fn embed(errors: &mut FormErrors, at: &str, embed: &Value) {
    text(errors, &format!("{at}.title"), &embed["title"], 0, 256);
    text(errors, &format!("{at}.description"), &embed["description"], 0, 4096);
    text(errors, &format!("{at}.footer.text"), &embed["footer"]["text"], 0, 2048);
    text(errors, &format!("{at}.author.name"), &embed["author"]["name"], 0, 256);
    let fields = items(&embed["fields"]);
    if fields.len() > 25 {
        errors.too_long(&format!("{at}.fields"), 25);
    }
    for (n, field) in fields.iter().enumerate() {
        text(errors, &format!("{at}.fields.{n}.name"), &field["name"], 1, 256);
        text(errors, &format!("{at}.fields.{n}.value"), &field["value"], 1, 1024);
    }
}

fn embed_length(embed: &Value) -> usize {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let fields = items(&embed["fields"]).iter().map(|field| length(&field["name"]) + length(&field["value"])).sum::<usize>();
    length(&embed["title"]) + length(&embed["description"]) + length(&embed["footer"]["text"]) + length(&embed["author"]["name"]) + fields
}

fn n_components(component: &Value) -> usize {
    let accessory = usize::from(component.get("accessory").is_some());
    1 + accessory + items(&component["components"]).iter().map(n_components).sum::<usize>()
}

/// A text that may be absent unless `min` is above 0.
fn text(errors: &mut FormErrors, path: &str, value: &Value, min: usize, max: usize) {
    match value {
        Value::Null if min > 0 => errors.required(path),
        Value::Null => {}
        Value::String(text) => {
            let length = text.chars().count();
            if length > max && min > 0 {
                errors.add(path, "BASE_TYPE_BAD_LENGTH", format!("Must be between {min} and {max} in length."));
            } else if length > max {
                errors.too_long(path, max);
            } else if length < min {
                errors.required(path);
            }
        }
        _ => errors.add(path, "STRING_TYPE_CONVERT", "Could not interpret the value as string."),
    }
}

/// The elements of a list; nothing when it is absent.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn join(at: &str, field: &str) -> String {
    if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") }
}
