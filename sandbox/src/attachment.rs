//! The files of messages: which of them an edit keeps, and how they are shown.

use crate::{
    error::{ApiError, FormErrors},
    files::{self, describe, safe_filename},
    message::Upload,
    state::State,
    store::{self, files::StoredFile},
    validate::{items, join},
    world::Id,
};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

/// Fields of embeds and components that may name a file of the message, each with where its second address goes.
const ADDRESSES: [(&str, &str); 2] = [("url", "proxy_url"), ("icon_url", "proxy_icon_url")];

/// Stores the bytes of an upload and returns its attachment object without addresses.
pub(crate) async fn save(
    db: &mut SqliteConnection,
    state: &State,
    channel_id: Id,
    message_id: Option<Id>,
    upload: Upload,
) -> Result<Value, ApiError> {
    let id = state.store.next_id(db, state.clock.now_ms()).await?;
    let filename = safe_filename(&upload.filename);
    let content_type = match upload.content_type {
        Some(given) if given != "application/octet-stream" => given,
        _ => files::content_type(&filename).to_owned(),
    };
    let dimensions = upload.content.dimensions().await;
    let attachment = describe(id, &filename, &content_type, (upload.content.len(), dimensions));
    // Bytes before the row: a row never names a file that is not there.
    state.files.write(id, upload.content).await?;
    store::files::insert(db, &StoredFile { id, channel_id, message_id, filename, content_type }).await?;
    Ok(attachment)
}

/// Copies a stored file for another message, which then does not lose it with the first.
pub(crate) async fn copy(
    db: &mut SqliteConnection,
    state: &State,
    (channel_id, message_id): (Id, Id),
    attachment: &Value,
) -> Result<Value, ApiError> {
    let text = |field: &str| attachment[field].as_str().map(str::to_owned);
    let source: Id = text("id").and_then(|id| id.parse().ok()).unwrap_or_default();
    let upload = Upload {
        placeholder: String::new(),
        filename: text("filename").unwrap_or_default(),
        content_type: text("content_type"),
        content: state.files.read(source).await?.into(),
    };
    let mut copied = save(db, state, channel_id, Some(message_id), upload).await?;
    if let Some(description) = attachment.get("description") {
        copied["description"] = description.clone();
    }
    Ok(copied)
}

/// The attachments that a message keeps, and the uploads that join them. In an edit, a list names everything that is there
/// afterwards; files without a list replace what was there.
/// Source: discord-api-docs, reference, "Editing Message Attachments", and issue 5170 for files without a list.
pub(crate) fn chosen(
    current: &Value,
    draft: &Value,
    uploads: Vec<Upload>,
    (at, is_edit): (&str, bool),
) -> Result<(Vec<Value>, Vec<Upload>), ApiError> {
    let Some(listed) = draft.get("attachments").filter(|listed| !listed.is_null()) else {
        let kept = if is_edit && uploads.is_empty() { items(current).to_vec() } else { Vec::new() };
        return Ok((kept, uploads));
    };
    let mut errors = FormErrors::default();
    let mut kept = Vec::new();
    for (n, told) in items(listed).iter().enumerate() {
        let id = id_text(&told["id"]);
        let known = items(current).iter().find(|attachment| is_edit && attachment["id"] == id.as_str());
        match known {
            Some(attachment) => {
                let mut attachment = attachment.clone();
                match (told.get("description"), attachment.as_object_mut()) {
                    (Some(Value::Null), Some(attachment)) => drop(attachment.remove("description")),
                    (Some(description), _) => attachment["description"] = description.clone(),
                    (None, _) => {}
                }
                kept.push(attachment);
            }
            None if uploads.iter().any(|upload| upload.placeholder == id) => {}
            None => errors.add(&join(at, &format!("attachments.{n}")), "ATTACHMENT_NOT_FOUND", "Attachment data not found"),
        }
    }
    errors.finish()?;
    let is_listed = |upload: &Upload| items(listed).iter().any(|told| id_text(&told["id"]) == upload.placeholder);
    let uploads = uploads.into_iter().filter(|upload| !is_edit || is_listed(upload)).collect();
    Ok((kept, uploads))
}

/// Discord takes ids of attachments as numbers and as strings.
pub(crate) fn id_text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// Gives a message's files their addresses, writes those where embeds and components say `attachment://`, and leaves in
/// `attachments` only the files that neither of them shows. Source: discord-api-docs, resources/message, "Message Structure".
pub(crate) fn sign(state: &State, channel_id: Id, shown: &mut Value) {
    let signer = state.signer();
    let mut attachments: Vec<(Value, bool)> =
        items(&shown["attachments"]).iter().map(|attachment| (signer.attachment(channel_id, attachment), false)).collect();
    resolve(&mut shown["embeds"], &mut attachments, &["width", "height", "content_type", "description"].map(|field| (field, field)));
    let of_media = [("width", "width"), ("height", "height"), ("content_type", "content_type"), ("id", "id"), ("id", "attachment_id")];
    resolve(&mut shown["components"], &mut attachments, &of_media);
    let loose: Vec<Value> = attachments.into_iter().filter(|(_, is_shown)| !is_shown).map(|(attachment, _)| attachment).collect();
    shown["attachments"] = json!(loose);
    for snapshot in shown.get_mut("message_snapshots").and_then(Value::as_array_mut).into_iter().flatten() {
        sign(state, channel_id, &mut snapshot["message"]);
    }
    for embed in shown["embeds"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        embed.entry("type").or_insert_with(|| json!("rich"));
    }
}

/// Marks the attachments that it met. Returns the one that the value itself names. `described` are fields of an attachment and
/// where they go beside its address.
fn resolve(value: &mut Value, attachments: &mut [(Value, bool)], described: &[(&str, &str)]) -> Option<Value> {
    match value {
        Value::Array(list) => {
            for item in list {
                resolve(item, attachments, described);
            }
            None
        }
        Value::Object(object) => {
            let mut named = None;
            for (address, second) in ADDRESSES {
                let name = object.get(address).and_then(Value::as_str).and_then(|url| url.strip_prefix("attachment://"));
                let Some(name) = name.map(safe_filename) else { continue };
                let Some((attachment, is_shown)) = attachments.iter_mut().find(|(known, _)| known["filename"] == name.as_str()) else {
                    continue;
                };
                *is_shown = true;
                object.insert(address.to_owned(), attachment["url"].clone());
                object.insert(second.to_owned(), attachment["proxy_url"].clone());
                if address == "url" {
                    for (field, place) in described.iter().filter(|(field, _)| !attachment[*field].is_null()) {
                        object.insert((*place).to_owned(), attachment[*field].clone());
                    }
                    named = Some(attachment.clone());
                }
            }
            let mut file = None;
            for (field, inner) in object.iter_mut() {
                let met = resolve(inner, attachments, described);
                if field == "file" {
                    file = met;
                }
            }
            // A file component says what its file is called.
            if let Some(file) = file {
                object.insert("name".to_owned(), file["filename"].clone());
                object.insert("size".to_owned(), file["size"].clone());
            }
            named
        }
        _ => None,
    }
}
