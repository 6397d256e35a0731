//! Fields that Discord would silently ignore: the description permits them, so they are looked for by name.

use super::document::DOCUMENT;
use serde_json::{Map, Value};

/// How different a name may be from the one that was meant.
const MAX_DISTANCE: usize = 3;

/// One sentence for each field of the body that its schema does not name.
pub(crate) fn fields(schema: &'static Value, body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(vec![schema], body, "", &mut found);
    found
}

fn walk(schemas: Vec<&'static Value>, value: &Value, path: &str, found: &mut Vec<String>) {
    let mut shapes = Vec::new();
    schemas.into_iter().for_each(|schema| flatten(schema, &mut shapes));
    match value {
        Value::Object(object) => walk_object(&shapes, object, path, found),
        Value::Array(list) => {
            let items: Vec<&'static Value> = shapes.iter().filter_map(|shape| shape.get("items")).collect();
            for (n, value) in list.iter().enumerate().filter(|_| !items.is_empty()) {
                walk(items.clone(), value, &format!("{path}.{n}"), found);
            }
        }
        _ => {}
    }
}

fn walk_object(shapes: &[&'static Value], object: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    let described: Vec<&&'static Value> =
        shapes.iter().filter(|shape| shape.get("properties").is_some() || shape.get("additionalProperties").is_some()).collect();
    // A component or callback is one of many shapes; its type says which.
    let meant: Vec<&&'static Value> = described.iter().copied().filter(|shape| fits(shape, object)).collect();
    let shapes = if meant.is_empty() { described } else { meant };
    if shapes.is_empty() {
        return;
    }
    for (name, value) in object.iter().filter(|(name, value)| !is_empty(value) && !is_file(name)) {
        let at = format!("{path}.{name}");
        let next: Vec<&'static Value> = shapes
            .iter()
            .filter_map(|shape| shape["properties"].get(name).or_else(|| shape.get("additionalProperties").filter(|more| **more != false)))
            .collect();
        if next.is_empty() {
            let names = shapes.iter().filter_map(|shape| shape["properties"].as_object()).flat_map(Map::keys);
            found.push(sentence(at.trim_start_matches('.'), name, names));
        } else {
            walk(next, value, &at, found);
        }
    }
}

/// Libraries write out what they do not set; Discord takes that as not given.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A file of a form.
fn is_file(name: &str) -> bool {
    name.starts_with("files[")
}

fn flatten(schema: &'static Value, shapes: &mut Vec<&'static Value>) {
    let schema = DOCUMENT.resolve(schema);
    shapes.push(schema);
    for keyword in ["allOf", "oneOf", "anyOf"] {
        schema[keyword].as_array().into_iter().flatten().for_each(|inner| flatten(inner, shapes));
    }
}

fn fits(shape: &'static Value, object: &Map<String, Value>) -> bool {
    let Some(kind) = object.get("type") else { return true };
    shape["properties"]["type"]["enum"].as_array().is_none_or(|allowed| allowed.contains(kind))
}

fn sentence<'a>(at: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let nearest = known.map(|known| (distance(name, known), known)).min();
    match nearest.filter(|(distance, _)| *distance <= MAX_DISTANCE.min(name.chars().count() / 2)) {
        Some((_, meant)) => format!("`{at}` is no field that Discord knows; did you mean `{meant}`?"),
        None => format!("`{at}` is no field that Discord knows"),
    }
}

/// How many letters must be put in, left out or exchanged. Source: Wagner and Fischer 1974.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (n, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        for m in 0..b.len() {
            let exchanged = diagonal + usize::from(letter != b[m]);
            diagonal = row[m + 1];
            row[m + 1] = exchanged.min(row[m] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn misspelt_fields_are_found_at_any_depth() {
        let operation = DOCUMENT.find("POST", &["channels", "7", "messages"]).expect("messages can be sent");
        let schema = operation.request_schema(false).expect("a message has a body");
        let check = |body: Value, expected: &[&str]| assert_eq!(fields(schema, &body), expected, "{body}");
        check(json!({ "content": "x", "embeds": [{ "title": "x", "fields": [] }], "allowed_mentions": { "parse": [] } }), &[]);
        check(json!({ "content": "x", "tss": false, "flag": null, "embed": [], "files[0]": "" }), &[]);
        check(json!({ "contnet": "x" }), &["`contnet` is no field that Discord knows; did you mean `content`?"]);
        check(json!({ "embeds": [{ "titel": "x" }] }), &["`embeds.0.titel` is no field that Discord knows; did you mean `title`?"]);
        let button = json!({ "type": 2, "style": 1, "label": "x", "custom_idd": "a" });
        let row = json!({ "components": [{ "type": 1, "components": [button] }] });
        check(row, &["`components.0.components.0.custom_idd` is no field that Discord knows; did you mean `custom_id`?"]);
        check(json!({ "xyzzyplugh": 1 }), &["`xyzzyplugh` is no field that Discord knows"]);
    }

    #[test]
    fn distances_count_letters() {
        let check = |a, b, expected| assert_eq!(distance(a, b), expected, "{a} {b}");
        check("title", "title", 0);
        check("titel", "title", 2);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
    }
}
