//! What Discord adds to the components of a message or a form. Source: discord-api-docs, components/reference, "Anatomy of a Component".

use crate::{oracle, world::Scene};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Select menus, which take one value unless they say otherwise.
const SELECTS: [u64; 5] = [3, 5, 6, 7, 8];
const THUMBNAIL: u64 = 11;
const FILE: u64 = 13;
const SEPARATOR: u64 = 14;
const CONTAINER: u64 = 17;

/// What an emoji of a guild is called that nobody here knows.
const UNKNOWN_EMOJI: &str = "_";

/// As [`complete`], and leaves out what Discord does not keep of a message's components.
pub(crate) fn complete_of_message(components: &mut Value, scene: &Scene) {
    complete(components);
    visit(components, &mut |component| {
        name_emoji(component, scene);
        component.get_mut("options").and_then(Value::as_array_mut).into_iter().flatten().for_each(|option| name_emoji(option, scene));
    });
    oracle::keep("MessageResponse/properties/components", components);
}

/// An emoji of a guild may be given by its id alone.
fn name_emoji(holder: &mut Value, scene: &Scene) {
    let Some(emoji) = holder.get_mut("emoji").filter(|emoji| emoji.is_object() && emoji["name"].is_null() && !emoji["id"].is_null()) else {
        return;
    };
    let known = scene.guilds.iter().flat_map(|guild| &guild.emojis).find(|known| crate::message::id_of(&emoji["id"]) == Some(known.id));
    emoji["name"] = json!(known.map_or(UNKNOWN_EMOJI, |known| known.name));
}

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
        write_out(component);
    });
}

/// What a component says when nothing was said.
fn write_out(component: &mut Value) {
    let number = component["id"].to_string();
    let defaults = match component["type"].as_u64() {
        Some(kind) if SELECTS.contains(&kind) => json!({ "min_values": 1, "max_values": 1 }),
        Some(THUMBNAIL) => json!({ "description": null, "spoiler": false }),
        Some(FILE) => json!({ "name": null, "size": null, "spoiler": false }),
        Some(SEPARATOR) => json!({ "spacing": 1, "divider": true }),
        Some(CONTAINER) => json!({ "accent_color": null, "spoiler": false }),
        _ => json!({}),
    };
    fill(component, &defaults);
    for item in component.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        fill(item, &json!({ "description": null, "spoiler": false }));
        name_media(item, &number);
    }
    name_media(component, &number);
}

/// Media from elsewhere have an id and a second address too. Those of files get the file's when they are shown.
fn name_media(holder: &mut Value, id: &str) {
    for field in ["media", "file"] {
        if let Some(media) = holder.get_mut(field).filter(|media| media["url"].is_string()) {
            let defaults = json!({ "id": id, "proxy_url": media["url"] });
            fill(media, &defaults);
        }
    }
}

/// Writes each field that is absent or null.
fn fill(object: &mut Value, defaults: &Value) {
    let Some(object) = object.as_object_mut() else { return };
    for (field, value) in defaults.as_object().into_iter().flatten() {
        let known = object.entry(field).or_insert(Value::Null);
        if known.is_null() {
            *known = value.clone();
        }
    }
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
}
