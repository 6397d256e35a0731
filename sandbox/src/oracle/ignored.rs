//! What Discord takes without a word and passes over, so that a bot's author would look for it in vain.

use super::Asked;
use crate::{
    attachment::id_text,
    files::safe_filename,
    message::EPHEMERAL,
    validate::{attachment_urls, items},
};
use serde_json::Value;

/// Flags that a bot sets when it sends: no embeds, silent, voice message, components only.
const OF_MESSAGES: u64 = 1 << 2 | 1 << 12 | 1 << 13 | crate::validate::IS_COMPONENTS_V2;

/// One sentence for each thing that is passed over.
pub(super) fn parts(asked: &Asked<'_>) -> Vec<String> {
    let (message, at, settable) = match (asked.method, asked.segments) {
        ("POST", ["channels", _, "messages"]) => (asked.body, "", Some(OF_MESSAGES)),
        ("POST", ["webhooks", _, _]) => (asked.body, "", Some(OF_MESSAGES | EPHEMERAL)),
        ("POST", ["interactions", _, _, "callback"]) => {
            let is_new = matches!(asked.body["type"].as_u64(), Some(4 | 5));
            (&asked.body["data"], "data.", is_new.then_some(OF_MESSAGES | EPHEMERAL))
        }
        ("PATCH", ["channels", _, "messages", _] | ["webhooks", _, _, "messages", _]) => (asked.body, "", None),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    let is_new = settable.is_some();
    if let Some(passed_over) = settable.map(|settable| message["flags"].as_u64().unwrap_or(0) & !settable).filter(|flags| *flags != 0) {
        found.push(format!("`{at}flags`: Discord passes over {passed_over} here"));
    }
    let listed = message["attachments"].as_array();
    // What is sent anew has all of its files, an edit only those that it names.
    for (placeholder, _) in asked.files.iter().filter(|_| !is_new) {
        if listed.is_some_and(|listed| !listed.iter().any(|told| id_text(&told["id"]) == *placeholder)) {
            found.push(format!("`files[{placeholder}]` is not named in `{at}attachments`"));
        }
    }
    if is_new || replaces_files(message, asked) {
        for (path, name) in attachment_urls(&message["embeds"]) {
            let name = safe_filename(name);
            if !asked.files.iter().any(|(_, filename)| safe_filename(filename) == name) {
                found.push(format!("`{at}embeds.{path}`: the message has no file {name}"));
            }
        }
    }
    found
}

/// Whether a message will have no files but those that come with the request.
fn replaces_files(message: &Value, asked: &Asked<'_>) -> bool {
    let is_new = |told: &Value| asked.files.iter().any(|(placeholder, _)| id_text(&told["id"]) == *placeholder);
    message["attachments"].is_array() && items(&message["attachments"]).iter().all(is_new)
}
