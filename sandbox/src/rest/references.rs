//! What a new message refers to: the message that it answers, or the one that it forwards.
//! Source: discord-api-docs, resources/message, "Message Reference Types".

use super::channels::require_history;
use crate::{
    attachment,
    error::{ApiError, FormErrors},
    message, privacy,
    state::State,
    store::{self, messages::StoredMessage},
    validate::items,
    world::{APPLICATION, Channel, Id, permission},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

const FORWARD: u64 = 1;
/// The flag of a message that carries the copy of another.
const HAS_SNAPSHOT: u64 = 1 << 14;
/// Messages that can be forwarded: said, answered, and answers to commands.
const FORWARDABLE: [u64; 4] = [0, 19, 20, 23];
/// What a copy keeps of a message.
const COPIED: [&str; 9] =
    ["type", "content", "embeds", "timestamp", "edited_timestamp", "flags", "mentions", "mention_roles", "components"];

/// Makes `created` an answer or a forward, as `wanted` says.
pub(super) async fn refer(
    db: &mut SqliteConnection,
    state: &State,
    channel: &Channel,
    created: &mut StoredMessage,
    wanted: &Value,
) -> Result<(), ApiError> {
    if wanted["type"] == FORWARD {
        return forward(db, state, created, wanted).await;
    }
    if let Some(found) = find(db, wanted, channel.id()).await? {
        if !channel.allows(APPLICATION, permission::READ_MESSAGE_HISTORY) {
            return Err(ApiError::new(StatusCode::FORBIDDEN, 160_002, "Cannot reply without permission to read message history"));
        }
        created.body["type"] = json!(19);
        created.body["message_reference"] = message::reference(&state.world.now(), channel.id(), found.id);
        created.body["referenced_message"] = message::referenced(&found);
    } else if wanted["fail_if_not_exists"] != false {
        return unknown();
    }
    Ok(())
}

async fn forward(db: &mut SqliteConnection, state: &State, created: &mut StoredMessage, wanted: &Value) -> Result<(), ApiError> {
    let Some(channel_id) = id(&wanted["channel_id"]) else {
        let mut errors = FormErrors::default();
        errors.required("message_reference.channel_id");
        return errors.finish();
    };
    let source_channel = state.world.now().channel(channel_id).ok_or_else(ApiError::unknown_channel)?;
    if !source_channel.is_open_to(APPLICATION) {
        return Err(ApiError::missing_access());
    }
    require_history(&source_channel)?;
    let Some(source) = find(db, wanted, channel_id).await? else { return unknown() };
    if !source.body["type"].as_u64().is_some_and(|kind| FORWARDABLE.contains(&kind)) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50068, "Invalid message type"));
    }
    if !privacy::has_content_intent(state) && privacy::is_private(&source_channel, &source) {
        let told = "You cannot forward a message whose content you cannot read";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 160_014, told));
    }
    // A forwarded forward carries what the first one carried: copies do not nest.
    let original = items(&source.body["message_snapshots"]).first().map_or(&source.body, |snapshot| &snapshot["message"]);
    let mut copy: Value =
        COPIED.iter().map(|field| ((*field).to_owned(), original[*field].clone())).collect::<serde_json::Map<_, _>>().into();
    let mut attachments = Vec::new();
    for attachment in items(&original["attachments"]) {
        attachments.push(attachment::copy(db, state, (created.channel_id, created.id), attachment).await?);
    }
    copy["attachments"] = json!(attachments);
    created.body["message_snapshots"] = json!([{ "message": copy }]);
    created.body["message_reference"] = message::reference(&state.world.now(), channel_id, source.id);
    created.body["message_reference"]["type"] = json!(FORWARD);
    created.body["flags"] = json!(created.body["flags"].as_u64().unwrap_or(0) | HAS_SNAPSHOT);
    Ok(())
}

/// The message that a reference names, if everyone in its channel sees it.
async fn find(db: &mut SqliteConnection, wanted: &Value, channel_id: Id) -> Result<Option<StoredMessage>, ApiError> {
    let Some(id) = id(&wanted["message_id"]) else { return Ok(None) };
    Ok(store::messages::get(db, id).await?.filter(|found| found.channel_id == channel_id && found.audience.is_none()))
}

fn id(value: &Value) -> Option<Id> {
    message::id_of(value).or_else(|| value.as_i64())
}

fn unknown() -> Result<(), ApiError> {
    let mut errors = FormErrors::default();
    errors.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
    errors.finish()
}
