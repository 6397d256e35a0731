use super::{Asked, Body, IdText, Named, PageError, PageResult, channel, person};
use crate::{
    message::{self, Draft},
    state::State,
    store,
    world::{self, permission},
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::json;
use sqlx::Connection;
use std::sync::Arc;

const MAX_CHARACTERS: usize = 2000;

#[derive(Deserialize)]
pub(super) struct Say {
    user: IdText,
    channel: IdText,
    content: String,
}

/// `POST /messages`.
pub(super) async fn say(Shared(state): Shared<Arc<State>>, Body(say): Body<Say>) -> PageResult {
    let person = person(say.user)?;
    let channel = channel(say.channel, person)?;
    if say.content.chars().count() > MAX_CHARACTERS {
        return Err(PageError::bad(format!("a message has at most {MAX_CHARACTERS} characters")));
    }
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let mut said = message::begin(&mut tx, &state, channel.id(), person.id).await?;
    let draft = Draft { body: json!({ "content": say.content.trim() }), uploads: Vec::new() };
    message::apply(&mut tx, &state, &mut said, draft, false).await?;
    let forgotten = message::forget_oldest(&mut tx, &state, channel.id()).await?;
    tx.commit().await?;
    message::announce_created(&state, &said);
    drop(db);
    state.files.remove(&forgotten).await;
    Ok(Json(message::show(&state, &said)))
}

#[derive(Deserialize)]
pub(super) struct Who {
    user: IdText,
}

/// `DELETE /messages/M`: one's own or dismissing an ephemeral one; a moderator's of others too.
pub(super) async fn delete(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(who): Asked<Who>) -> PageResult {
    let person = person(who.user)?;
    let gone = || PageError::new(StatusCode::NOT_FOUND, "the message is gone");
    let mut db = state.store.connect().await?;
    let mut tx = db.begin().await?;
    let found = store::messages::get(&mut tx, id.0).await?.ok_or_else(gone)?;
    let channel = world::channel(found.channel_id).filter(|channel| channel.is_open_to(person.id)).ok_or_else(gone)?;
    if found.audience.is_some_and(|audience| audience != person.id) {
        return Err(gone());
    }
    let is_own = found.author_id == person.id || found.audience.is_some();
    let is_moderator = channel.guild().is_some() && person.may(permission::MANAGE_MESSAGES);
    if !is_own && !is_moderator {
        return Err(PageError::new(StatusCode::FORBIDDEN, "only its author or a moderator can delete this message"));
    }
    let removed = message::delete(&mut tx, &found).await?;
    tx.commit().await?;
    message::announce_deleted(&state, &found);
    drop(db);
    state.files.remove(&removed).await;
    Ok(Json(json!({ "id": found.id.to_string() })))
}
