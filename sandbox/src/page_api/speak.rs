use super::{Asked, Body, IdText, Named, PageError, PageResult, allow, channel, files::File, person, spool::Spools};
use crate::{
    announce,
    message::{self, Draft},
    state::State,
    thread,
    world::permission,
};
use axum::{Extension, Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::Connection;
use std::sync::Arc;

const MAX_CHARACTERS: usize = 2000;
const REPLY: u64 = 19;

#[derive(Deserialize)]
pub(super) struct Say {
    user: IdText,
    channel: IdText,
    #[serde(default)]
    content: String,
    #[serde(default)]
    attachments: Option<Vec<File>>,
    reply_to: Option<IdText>,
}

/// `POST /messages`.
pub(super) async fn say(Shared(state): Shared<Arc<State>>, Extension(spools): Extension<Spools>, Body(say): Body<Say>) -> PageResult {
    let person = person(&state, say.user)?;
    let channel = channel(&state, say.channel, &person)?;
    if say.content.chars().count() > MAX_CHARACTERS {
        return Err(PageError::bad(format!("a message has at most {MAX_CHARACTERS} characters")));
    }
    allow(&channel, &person, channel.sending(), "write")?;
    thread::check_open(&channel, person.id)?;
    let files = say.attachments.unwrap_or_default().into_iter().enumerate();
    let uploads = files.map(|(n, file)| file.open(n.to_string(), &spools)).collect::<Result<Vec<_>, _>>()?;
    if !uploads.is_empty() {
        allow(&channel, &person, permission::ATTACH_FILES, "attach files")?;
    }
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let mut said = message::begin(&mut tx, &state, channel.id(), person.id).await?;
    if let Some(answered) = say.reply_to {
        let (_, answered) = super::message(&mut tx, &state, answered, &person).await?;
        if answered.channel_id != channel.id() || answered.audience.is_some() {
            return Err(PageError::bad("this message cannot be answered here"));
        }
        said.body["type"] = json!(REPLY);
        said.body["message_reference"] = message::reference(&state.world.now(), channel.id(), answered.id);
        said.body["referenced_message"] = message::referenced(&answered);
    }
    let draft = Draft { body: json!({ "content": say.content.trim() }), uploads, ..Draft::default() };
    message::apply(&mut tx, &state, &mut said, draft, false).await?;
    let forgotten = thread::settle(&mut tx, &state, &said).await?;
    tx.commit().await?;
    announce::created(&state, &said);
    drop(db);
    state.files.remove(&forgotten).await;
    Ok(Json(message::show_as(&state, &said, person.id)))
}

#[derive(Deserialize)]
pub(super) struct Type {
    user: IdText,
    channel: IdText,
}

/// `POST /typing`.
pub(super) async fn type_on(Shared(state): Shared<Arc<State>>, Body(typing): Body<Type>) -> PageResult {
    let person = person(&state, typing.user)?;
    let channel = channel(&state, typing.channel, &person)?;
    allow(&channel, &person, channel.sending(), "write")?;
    announce::typing(&state, &channel, person.id);
    Ok(Json(Value::Object(serde_json::Map::new())))
}

#[derive(Deserialize)]
pub(super) struct Who {
    user: IdText,
}

/// `DELETE /messages/M`: one's own or dismissing an ephemeral one; a moderator's of others too.
pub(super) async fn delete(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(who): Asked<Who>) -> PageResult {
    let person = person(&state, who.user)?;
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let (channel, found) = super::message(&mut tx, &state, id, &person).await?;
    let is_own = found.author_id == person.id || found.audience.is_some();
    if !is_own && !channel.allows(person.id, permission::MANAGE_MESSAGES) {
        return Err(PageError::new(StatusCode::FORBIDDEN, "only its author or a moderator can delete this message"));
    }
    thread::check_deletable(&found)?;
    let removed = message::delete(&mut tx, &found).await?;
    tx.commit().await?;
    announce::deleted(&state, &found);
    drop(db);
    state.files.remove(&removed).await;
    Ok(Json(json!({ "id": found.id.to_string() })))
}
