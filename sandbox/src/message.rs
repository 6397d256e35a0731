//! Messages: how a body becomes a stored message, and how it is shown.

use crate::{
    attachment,
    clock::timestamp,
    components, embeds,
    error::{ApiError, FormErrors},
    files::safe_filename,
    pin, reaction,
    state::State,
    store::{self, files::StoredFile, interactions::StoredInteraction, messages::StoredMessage},
    upload::Content,
    validate::{IS_COMPONENTS_V2, check_references, items, join},
    world::{APPLICATION, Channel, Id, Scene, permission},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use std::sync::atomic::Ordering;

pub(crate) const EPHEMERAL: u64 = 1 << 6;
pub(crate) const LOADING: u64 = 1 << 7;
/// Flags that a bot may set itself: no embeds, silent, components only.
const SETTABLE: u64 = SUPPRESS_EMBEDS | 1 << 12 | IS_COMPONENTS_V2;
/// Of those, the ones that an edit can set.
const EDITABLE: u64 = SUPPRESS_EMBEDS | IS_COMPONENTS_V2;
/// The one flag that an edit can take back.
const SUPPRESS_EMBEDS: u64 = 1 << 2;
const N_ATTACHMENTS: usize = 10;
/// Without a directory, a channel remembers this many messages.
const N_IN_MEMORY: i64 = 1000;
/// The oldest are forgotten at every so many messages, all at once.
const FORGET_EVERY: u64 = 100;

/// A file of a request.
pub(crate) struct Upload {
    /// The n of `files[n]`.
    pub(crate) placeholder: String,
    pub(crate) filename: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content: Content,
}

/// What a bot sent: the JSON and the files beside it.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) body: Value,
    pub(crate) uploads: Vec<Upload>,
    /// The path of `body` in the request: empty, or `data`.
    pub(crate) at: &'static str,
    /// What breaks Discord's description.
    pub(crate) faults: FormErrors,
}

/// An empty message of this author.
pub(crate) async fn begin(db: &mut SqliteConnection, state: &State, channel_id: Id, author_id: Id) -> Result<StoredMessage, ApiError> {
    let now_ms = state.clock.now_ms();
    let id = state.store.next_id(db, now_ms).await?;
    let body = json!({
        "id": id.to_string(), "type": 0, "channel_id": channel_id.to_string(), "author": state.world.now().user(author_id), "content": "",
        "timestamp": timestamp(now_ms), "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [],
        "mention_roles": [], "attachments": [], "embeds": [], "components": [], "pinned": false, "flags": 0,
    });
    Ok(StoredMessage { id, channel_id, author_id, audience: None, interaction_id: None, nonce: None, created_ms: now_ms, body })
}

/// An empty answer of the bot to an interaction.
pub(crate) async fn begin_answer(
    db: &mut SqliteConnection,
    state: &State,
    interaction: &StoredInteraction,
    flags: u64,
) -> Result<StoredMessage, ApiError> {
    let mut message = begin(db, state, interaction.channel_id, APPLICATION).await?;
    let source = match interaction.source_id {
        Some(id) => store::messages::get(db, id).await?,
        None => None,
    };
    let refers_to = interaction.original_id.filter(|original| Some(*original) != interaction.source_id);
    message.body["interaction_metadata"] = metadata(&state.world.now(), interaction, source.as_ref(), refers_to);
    message.body["application_id"] = json!(APPLICATION.to_string());
    message.body["webhook_id"] = json!(APPLICATION.to_string());
    message.body["flags"] = json!(flags);
    let replied_to = refers_to.or(interaction.source_id);
    message.body["type"] = json!(if replied_to.is_some() { 19 } else { 20 });
    if let Some(replied_to) = replied_to {
        message.body["message_reference"] = reference(&state.world.now(), interaction.channel_id, replied_to);
    }
    message.interaction_id = Some(interaction.id);
    message.audience = (flags & EPHEMERAL != 0).then_some(interaction.user_id);
    Ok(message)
}

pub(crate) fn reference(scene: &Scene, channel_id: Id, message_id: Id) -> Value {
    let guild_id = scene.channel(channel_id).and_then(|channel| channel.guild_id()).map(|id| id.to_string());
    let mut reference = json!({ "type": 0, "channel_id": channel_id.to_string(), "message_id": message_id.to_string() });
    if let Some(guild_id) = guild_id {
        reference["guild_id"] = json!(guild_id);
    }
    reference
}

fn metadata(scene: &Scene, interaction: &StoredInteraction, source: Option<&StoredMessage>, original: Option<Id>) -> Value {
    let source_metadata = source.map(|source| source.body["interaction_metadata"].clone()).filter(|metadata| metadata.is_object());
    // A person reads "ada used /imagine" over the answer to a button too.
    let name = interaction.name.as_deref().or_else(|| source_metadata.as_ref().and_then(|metadata| metadata["name"].as_str()));
    let mut metadata = json!({
        "id": interaction.id.to_string(), "type": interaction.kind, "user": scene.user(interaction.user_id), "name": name,
        "authorizing_integration_owners": interaction.owners,
    });
    if let Some(original) = original {
        metadata["original_response_message_id"] = json!(original.to_string());
    }
    match interaction.kind {
        3 => metadata["interacted_message_id"] = json!(interaction.source_id.map(|id| id.to_string())),
        // A form was opened by a press of a button or by a command, never by another form.
        5 => {
            let mut opener = metadata.clone();
            match interaction.source_id {
                Some(source) => (opener["type"], opener["interacted_message_id"]) = (json!(3), json!(source.to_string())),
                None => opener["type"] = json!(2),
            }
            metadata["triggering_interaction_metadata"] = opener;
        }
        _ => {}
    }
    metadata
}

/// Applies a body and its files to a message and saves it. Returns files that it no longer names, for [`FileStore::replace`].
///
/// [`FileStore::replace`]: crate::files::FileStore::replace
///
/// `is_edit`: absent fields keep their value, and `attachments` lists what stays.
pub(crate) async fn apply(
    db: &mut SqliteConnection,
    state: &State,
    message: &mut StoredMessage,
    draft: Draft,
    is_edit: bool,
) -> Result<Vec<StoredFile>, ApiError> {
    let Draft { body: draft, uploads, at, .. } = draft;
    let scene = state.world.now();
    let channel = scene.channel(message.channel_id).ok_or_else(ApiError::unknown_channel)?;
    if uploads.iter().any(|upload| upload.content.len() > channel.attachment_size_limit()) {
        return Err(ApiError::too_large());
    }
    check_rights(&channel, message, &draft, !uploads.is_empty())?;
    if channel.guild().is_some() && state.world.blocks(&text_of(&draft)) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 200_000, "Message was blocked by automatic moderation"));
    }
    let body = &mut message.body;
    if let Some(content) = draft.get("content") {
        body["content"] = json!(content.as_str().unwrap_or_default());
    }
    for field in ["embeds", "components"] {
        if let Some(list) = draft.get(field) {
            body[field] = json!(items(list));
        }
    }
    embeds::complete(&mut body["embeds"]);
    components::complete_of_message(&mut body["components"], &scene);
    let flags = body["flags"].as_u64().unwrap_or(0);
    // Whether a message is ephemeral never changes after it began.
    let wanted = draft["flags"].as_u64().unwrap_or(0) & if is_edit { EDITABLE } else { SETTABLE };
    let kept = if is_edit && draft["flags"].is_u64() { flags & !SUPPRESS_EMBEDS } else { flags };
    let flags = kept | wanted;
    body["flags"] = json!(flags & !LOADING);
    if draft.get("content").is_some() || !is_edit {
        mention(&scene, &channel, message.author_id, body, &draft["allowed_mentions"]);
    }

    let had_files = !items(&body["attachments"]).is_empty();
    let (mut attachments, uploads) = attachment::chosen(&body["attachments"], &draft, uploads, (at, is_edit))?;
    let kept = attachments.iter().filter_map(|kept| kept["filename"].as_str().map(str::to_owned));
    let filenames: Vec<String> = kept.chain(uploads.iter().map(|upload| safe_filename(&upload.filename))).collect();
    check_references(&join(at, "components"), &draft["components"], &filenames)?;
    if attachments.len() + uploads.len() > N_ATTACHMENTS {
        let message = format!("Maximum number of attachments in a message reached ({N_ATTACHMENTS})");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 30015, message));
    }
    let is_empty = |field: &str| items(&body[field]).is_empty();
    let has_files = !attachments.is_empty() || !uploads.is_empty();
    if body["content"] == "" && !has_files && ["embeds", "components", "message_snapshots"].into_iter().all(is_empty) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50006, "Cannot send an empty message"));
    }
    let forwarded = items(&body["message_snapshots"]).iter().flat_map(|snapshot| items(&snapshot["message"]["attachments"]));
    let kept_ids: Vec<Id> = attachments.iter().chain(forwarded).filter_map(|attachment| id_of(&attachment["id"])).collect();
    let removed = if had_files { store::files::retain(db, message.id, &kept_ids).await? } else { Vec::new() };
    for upload in uploads {
        let told = items(&draft["attachments"]).iter().find(|told| attachment::id_text(&told["id"]) == upload.placeholder);
        let mut attachment = attachment::save(db, state, message.channel_id, Some(message.id), upload).await?;
        if let Some(description) = told.and_then(|told| told["description"].as_str()) {
            attachment["description"] = json!(description);
        }
        attachments.push(attachment);
    }
    message.body["attachments"] = json!(attachments);
    store::messages::save(db, message).await?;
    Ok(removed)
}

/// Reads an id from JSON: a text, or the number that some libraries send.
pub(crate) fn id_of(value: &Value) -> Option<Id> {
    value.as_str().map_or_else(|| value.as_i64(), |text| text.parse().ok())
}

/// Files and embeds in the open need their permissions; an ephemeral answer does not.
fn check_rights(channel: &Channel, message: &StoredMessage, draft: &Value, has_files: bool) -> Result<(), ApiError> {
    let needed = [(has_files, permission::ATTACH_FILES), (!items(&draft["embeds"]).is_empty(), permission::EMBED_LINKS)];
    let held = if message.author_id == APPLICATION { channel.app_permissions() } else { channel.permissions_of(message.author_id) };
    let lacks = needed.iter().any(|(is_used, bit)| *is_used && held & bit == 0);
    if lacks && message.audience.is_none() { Err(ApiError::missing_permissions()) } else { Ok(()) }
}

/// Everything in a body that people read.
fn text_of(body: &Value) -> String {
    let mut texts = Vec::new();
    collect_texts(&body["content"], &mut texts);
    collect_texts(&body["embeds"], &mut texts);
    collect_texts(&body["components"], &mut texts);
    texts.join("\n")
}

fn collect_texts<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(list) => list.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(object) => {
            let is_read = |field: &str| !matches!(field, "custom_id" | "url" | "timestamp" | "icon_url" | "proxy_url");
            object.iter().filter(|(field, _)| is_read(field)).for_each(|(_, inner)| collect_texts(inner, texts));
        }
        _ => {}
    }
}

/// Fills in whom the content mentions, as far as `allowed_mentions` and the author's permissions let it.
fn mention(scene: &Scene, channel: &Channel, author: Id, body: &mut Value, allowed: &Value) {
    let content = body["content"].as_str().unwrap_or_default().to_owned();
    let parses = |kind: &str| allowed.is_null() || items(&allowed["parse"]).iter().any(|parsed| parsed == kind);
    let lists = |field: &str, id: &str| items(&allowed[field]).iter().any(|listed| attachment::id_text(listed) == id);
    let replied_to = Some(&body["referenced_message"]["author"]["id"]).filter(|_| allowed.is_null() || allowed["replied_user"] == true);
    let is_named = |id: &str| {
        let is_written = content.contains(&format!("<@{id}>")) || content.contains(&format!("<@!{id}>"));
        is_written && (parses("users") || lists("users", id)) || replied_to.is_some_and(|replied_to| *replied_to == id)
    };
    let ids = scene.people.iter().map(|person| person.id).chain([APPLICATION]);
    let mentioned: Vec<Value> = ids.filter(|id| is_named(&id.to_string())).filter_map(|id| scene.user(id)).collect();
    let may_call_all = channel.allows(author, permission::MENTION_EVERYONE);
    let roles = channel.guild().filter(|_| may_call_all).map(|guild| guild.roles.iter()).into_iter().flatten();
    let roles: Vec<String> = roles
        .map(|role| role.id.to_string())
        .filter(|id| content.contains(&format!("<@&{id}>")) && (parses("roles") || lists("roles", id)))
        .collect();
    body["mentions"] = json!(mentioned);
    body["mention_roles"] = json!(roles);
    body["mention_everyone"] = json!((content.contains("@everyone") || content.contains("@here")) && parses("everyone") && may_call_all);
}

/// The message that another one answers, as it is kept with that.
pub(crate) fn referenced(message: &StoredMessage) -> Value {
    let mut body = message.body.clone();
    if let Some(body) = body.as_object_mut() {
        for field in ["referenced_message", "thread", pin::FIELD, reaction::FIELD] {
            body.remove(field);
        }
    }
    body
}

/// The message as the bot sees it: files with signed addresses, `attachment://` resolved.
pub(crate) fn show(state: &State, message: &StoredMessage) -> Value {
    show_as(state, message, APPLICATION)
}

/// The message as somebody sees it: only their own reactions are theirs.
pub(crate) fn show_as(state: &State, message: &StoredMessage, viewer: Id) -> Value {
    let mut shown = message.body.clone();
    attachment::sign(state, message.channel_id, &mut shown);
    if shown["referenced_message"].is_object() {
        // The first message of a thread refers to one in the channel above.
        let channel_id = id_of(&shown["referenced_message"]["channel_id"]).unwrap_or(message.channel_id);
        attachment::sign(state, channel_id, &mut shown["referenced_message"]);
    }
    if let Some(shown) = shown.as_object_mut() {
        shown.remove(pin::FIELD);
        let reactions = shown.remove(reaction::FIELD).map(|kept| reaction::show(&kept, viewer)).unwrap_or_default();
        if !reactions.is_empty() {
            shown.insert("reactions".to_owned(), json!(reactions));
        }
        if shown.contains_key("thread")
            && let Some(thread) = state.world.now().threads.get(&message.id)
        {
            shown.insert("thread".to_owned(), thread.object(None));
        }
    }
    shown
}

/// Deletes a message; returns its files.
pub(crate) async fn delete(db: &mut SqliteConnection, message: &StoredMessage) -> Result<Vec<Id>, ApiError> {
    store::messages::delete(db, message.id).await?;
    Ok(store::files::forget_of(db, &[message.id]).await?)
}

/// Without a directory, forgets the oldest messages of a channel; returns their files.
pub(crate) async fn forget_oldest(db: &mut SqliteConnection, state: &State, channel_id: Id) -> Result<Vec<Id>, ApiError> {
    if !state.is_in_memory || !state.n_messages.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGET_EVERY) {
        return Ok(Vec::new());
    }
    let forgotten = store::messages::keep_newest(db, channel_id, N_IN_MEMORY).await?;
    Ok(store::files::forget_of(db, &forgotten).await?)
}
