//! What Discord keeps of what a bot sent: libraries write out what they do not set, and Discord's answers leave it out.

use super::document::DOCUMENT;
use serde_json::{Value, json};

/// Leaves out of a value what an answer of this schema, such as `MessageResponse/properties/embeds`, does not have: fields it does not
/// know, nulls where it has none, and objects that lack what they must have. Ids and numbers get their form.
pub(crate) fn keep(schema: &str, value: &mut Value) {
    if let Some(schema) = DOCUMENT.at(&format!("/components/schemas/{schema}")) {
        fit(schema, value);
    }
}

/// `false` when the value can stand nowhere that this schema describes.
fn fit(schema: &'static Value, value: &mut Value) -> bool {
    let schema = DOCUMENT.resolve(schema);
    if let Some(branches) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()).filter(|_| schema["type"].is_null()) {
        let meant = branches.iter().find(|branch| describes(branch, value));
        return meant.is_some_and(|branch| fit(branch, value));
    }
    match value {
        Value::Object(object) => {
            if let Some(known) = schema["properties"].as_object() {
                object.retain(|name, inner| known.get(name).is_some_and(|schema| fit(schema, inner)));
            }
            let required = schema["required"].as_array().into_iter().flatten();
            is_of(schema, "object") && required.filter_map(Value::as_str).all(|name| object.contains_key(name))
        }
        Value::Array(list) => {
            if let Some(items) = schema.get("items") {
                list.iter_mut().for_each(|item| _ = fit(items, item));
            }
            is_of(schema, "array")
        }
        Value::String(_) if is_of(schema, "string") => true,
        Value::Number(_) if is_of(schema, "integer") || is_of(schema, "number") => true,
        // Discord takes an id as number and a number as text, and says neither so.
        Value::Number(number) => {
            *value = json!(number.to_string());
            is_of(schema, "string")
        }
        Value::String(text) => {
            let number = text.parse::<i64>().ok();
            *value = json!(number);
            number.is_some() && is_of(schema, "integer")
        }
        Value::Bool(_) => is_of(schema, "boolean"),
        Value::Null => is_of(schema, "null"),
    }
}

/// Whether a branch of a union is about values of this kind. Of objects their `type` says which one is.
fn describes(branch: &'static Value, value: &Value) -> bool {
    let branch = DOCUMENT.resolve(branch);
    if let Some(inner) = branch["oneOf"].as_array().filter(|_| branch["type"].is_null()) {
        return inner.iter().any(|inner| describes(inner, value));
    }
    match value {
        Value::Object(object) => {
            let kinds = branch["properties"]["type"]["enum"].as_array();
            is_of(branch, "object") && kinds.is_none_or(|kinds| object.get("type").is_some_and(|kind| kinds.contains(kind)))
        }
        Value::Array(_) => is_of(branch, "array"),
        Value::Null => is_of(branch, "null"),
        Value::Bool(_) => is_of(branch, "boolean"),
        Value::Number(_) | Value::String(_) => ["string", "integer", "number"].iter().any(|kind| is_of(branch, kind)),
    }
}

/// Whether a schema permits a type; one that names none permits all.
fn is_of(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schema: &str, mut given: Value, expected: Value) {
        keep(schema, &mut given);
        assert_eq!(given, expected, "{schema}");
    }

    #[test]
    fn nulls_and_what_discord_does_not_say_are_left_out() {
        check("ComponentEmojiResponse", json!({ "id": null, "name": "🦊", "animated": null }), json!({ "name": "🦊" }));
        check("ComponentEmojiResponse", json!({ "id": 5, "name": "a" }), json!({ "id": "5", "name": "a" }));
        let button = json!({ "type": 2, "id": 1, "style": 1, "label": null, "url": null, "emoji": { "id": null, "name": null }, "x": 1 });
        check("ButtonComponentResponse", button, json!({ "type": 2, "id": 1, "style": 1, "url": null }));
        let embed =
            json!({ "type": "rich", "color": "255", "author": { "url": "https://a.example" }, "image": { "url": "b", "width": null } });
        check("MessageEmbedResponse", embed, json!({ "type": "rich", "color": 255, "image": { "url": "b" } }));
    }

    #[test]
    fn a_component_is_that_of_its_type() {
        let row = json!([{ "type": 1, "id": 1, "components": [{
            "type": 6, "id": 2, "custom_id": "a", "min_values": 1, "max_values": 1, "required": true, "default_values": [{ "id": 7, "type": "role" }],
        }] }]);
        let mut expected = row.clone();
        expected[0]["components"][0]["default_values"][0]["id"] = json!("7");
        if let Some(select) = expected[0]["components"][0].as_object_mut() {
            select.remove("required");
        }
        check("MessageResponse/properties/components", row, expected);
    }
}
