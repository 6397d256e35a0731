use crate::{
    error::{ApiError, FormErrors},
    files::safe_filename,
};
use serde_json::Value;

/// Components at the path `at` show only files that the message has.
pub(crate) fn check_references(at: &str, components: &Value, filenames: &[String]) -> Result<(), ApiError> {
    let mut errors = FormErrors::default();
    for (path, name) in attachment_urls(components) {
        if !filenames.contains(&safe_filename(name)) {
            let told = "The referenced attachment was not found";
            errors.add(&format!("{at}.{path}"), "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", told);
        }
    }
    errors.finish()
}

/// Every picture or file at `attachment://NAME` inside of a value, as the path of its address and the name.
pub(crate) fn attachment_urls(value: &Value) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found
}

fn collect<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a str)>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("attachment://").filter(|_| path.ends_with(".url") || path.ends_with(".icon_url")) {
                found.push((path.trim_start_matches('.').to_owned(), name));
            }
            return;
        }
        Value::Array(list) => list.iter().enumerate().map(|(n, item)| (n.to_string(), item)).collect(),
        Value::Object(object) => object.iter().map(|(field, item)| (field.clone(), item)).collect(),
        _ => return,
    };
    for (field, item) in inner {
        collect(item, &format!("{path}.{field}"), found);
    }
}
