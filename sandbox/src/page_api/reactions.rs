use super::{Body, IdText, PageError, PageResult, allow, person};
use crate::{message::show_as, reaction, state::State, world::permission};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct React {
    user: IdText,
    message: IdText,
    /// `👍`, `name:id`, or Discord's emoji object.
    emoji: Value,
    add: bool,
}

/// `POST /reactions`.
pub(super) async fn react(Shared(state): Shared<Arc<State>>, Body(react): Body<React>) -> PageResult {
    let person = person(&state, react.user)?;
    let written = match (react.emoji["name"].as_str(), react.emoji["id"].as_str()) {
        (Some(name), Some(id)) => format!("{name}:{id}"),
        (Some(name), None) => name.to_owned(),
        _ => react.emoji.as_str().unwrap_or_default().to_owned(),
    };
    let emoji = reaction::emoji(&state.world.now(), &written)?;
    let mut db = state.store.connect().await?;
    let (channel, mut found) = super::message(&mut db, &state, react.message, &person).await?;
    if found.audience.is_some() {
        return Err(PageError::new(StatusCode::FORBIDDEN, "nobody can react to a message that only one person sees"));
    }
    if react.add {
        let is_first = reaction::users(&found, &emoji).is_empty();
        let needed = if is_first { permission::ADD_REACTIONS } else { 0 };
        allow(&channel, &person, permission::READ_MESSAGE_HISTORY | needed, "react")?;
        reaction::add(&mut db, &state, (&channel, &mut found), person.id, &emoji).await?;
    } else {
        reaction::remove(&mut db, &state, (&channel, &mut found), person.id, &emoji).await?;
    }
    Ok(Json(show_as(&state, &found, person.id)))
}
