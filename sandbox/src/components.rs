//! What Discord adds to the components of a message or a form. Source: discord-api-docs, components/reference, "Anatomy of a Component".

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Select menus, which take one value unless they say otherwise.
const SELECTS: [u64; 5] = [3, 5, 6, 7, 8];
const THUMBNAIL: u64 = 11;
const GALLERY: u64 = 12;
const FILE: u64 = 13;
const SEPARATOR: u64 = 14;
const CONTAINER: u64 = 17;

/// Numbers the components that have no number of their own, and writes out what is left to a default.
pub(crate) fn complete(components: &mut Value) {
    let mut taken = BTreeSet::new();
    visit(components, &mut |component| {
        taken.extend(component["id"].as_u64().filter(|id| *id != 0));
    });
    let mut next = 1;
    visit(components, &mut |component| {
        if component["id"].as_u64().is_none_or(|id| id == 0) {
            while !taken.insert(next) {
                next += 1;
            }
            component["id"] = json!(next);
        }
        match component["type"].as_u64() {
            Some(kind) if SELECTS.contains(&kind) => fill(component, &[("min_values", json!(1)), ("max_values", json!(1))]),
            Some(THUMBNAIL) => fill(component, &[("description", Value::Null), ("spoiler", json!(false))]),
            Some(GALLERY) => {
                pictures(component).for_each(|picture| fill(picture, &[("description", Value::Null), ("spoiler", json!(false))]));
            }
            Some(FILE) => fill(component, &[("name", Value::Null), ("size", Value::Null), ("spoiler", json!(false))]),
            Some(SEPARATOR) => fill(component, &[("divider", json!(true)), ("spacing", json!(1))]),
            Some(CONTAINER) => fill(component, &[("accent_color", Value::Null), ("spoiler", json!(false))]),
            _ => {}
        }
    });
}

/// Gives an object what it does not have.
fn fill(object: &mut Value, defaults: &[(&str, Value)]) {
    let Some(object) = object.as_object_mut() else { return };
    for (field, default) in defaults {
        if object.get(*field).is_none_or(Value::is_null) {
            object.insert((*field).to_owned(), default.clone());
        }
    }
}

fn pictures(gallery: &mut Value) -> impl Iterator<Item = &mut Value> {
    gallery.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten()
}

/// Writes out what Discord knows of the pictures and files that components show; their addresses are resolved already.
pub(crate) fn describe_media(components: &mut Value, attachments: &[Value], message_id: &Value) {
    let described = |media: Option<&mut Value>| describe(media?.as_object_mut()?, attachments, message_id);
    visit(components, &mut |component| match component["type"].as_u64() {
        Some(THUMBNAIL) => {
            described(component.get_mut("media"));
        }
        Some(GALLERY) => pictures(component).for_each(|picture| {
            described(picture.get_mut("media"));
        }),
        Some(FILE) => {
            if let Some(attachment) = described(component.get_mut("file")) {
                component["name"] = attachment["filename"].clone();
                component["size"] = attachment["size"].clone();
            }
        }
        _ => {}
    });
}

/// The attachment that is shown, if it is one of the message.
fn describe<'a>(media: &mut Map<String, Value>, attachments: &'a [Value], message_id: &Value) -> Option<&'a Value> {
    let url = media.get("url").cloned().unwrap_or_default();
    let attachment = attachments.iter().find(|attachment| attachment["url"] == url);
    media.insert("id".to_owned(), attachment.map_or(message_id, |attachment| &attachment["id"]).clone());
    if let Some(attachment) = attachment {
        media.insert("attachment_id".to_owned(), attachment["id"].clone());
    }
    media.entry("proxy_url").or_insert(url);
    attachment
}

/// Every component, each before those inside it.
fn visit(components: &mut Value, see: &mut impl FnMut(&mut Value)) {
    for component in components.as_array_mut().into_iter().flatten().filter(|component| component.is_object()) {
        see(component);
        if component.get("components").is_some() {
            visit(&mut component["components"], see);
        }
        for only in ["accessory", "component"] {
            if component.get(only).is_some_and(Value::is_object) {
                see(&mut component[only]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_without_a_number_get_the_next_free_one() {
        let mut components = json!([
            { "type": 9, "components": [{ "type": 10, "id": 2 }], "accessory": { "type": 2 } },
            { "type": 1, "components": [{ "type": 3, "max_values": 4 }, { "type": 2, "id": 0 }] },
            { "type": 18, "component": { "type": 4 } },
        ]);
        complete(&mut components);
        let expected = json!([
            { "type": 9, "id": 1, "components": [{ "type": 10, "id": 2 }], "accessory": { "type": 2, "id": 3 } },
            { "type": 1, "id": 4, "components": [{ "type": 3, "id": 5, "min_values": 1, "max_values": 4 }, { "type": 2, "id": 6 }] },
            { "type": 18, "id": 7, "component": { "type": 4, "id": 8 } },
        ]);
        assert_eq!(components, expected);
    }

    #[test]
    fn media_are_described() {
        let attachments = [json!({ "id": "7", "filename": "fox.png", "size": 9, "url": "u" })];
        let mut components = json!([
            { "type": 13, "file": { "url": "u" } },
            { "type": 12, "items": [{ "media": { "url": "https://example.org/x.png" } }] },
        ]);
        complete(&mut components);
        describe_media(&mut components, &attachments, &json!("5"));
        let file = json!({ "url": "u", "proxy_url": "u", "id": "7", "attachment_id": "7" });
        let picture = json!({ "url": "https://example.org/x.png", "proxy_url": "https://example.org/x.png", "id": "5" });
        let expected = json!([
            { "type": 13, "id": 1, "file": file, "name": "fox.png", "size": 9, "spoiler": false },
            { "type": 12, "id": 2, "items": [{ "media": picture, "description": null, "spoiler": false }] },
        ]);
        assert_eq!(components, expected);
    }
}
