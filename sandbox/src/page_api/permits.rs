//! What a guild's people say of the bot's commands.

use super::{Asked, Body, IdText, PageError, PageResult};
use crate::{
    command_permission::{self, ReplaceError, Rules},
    state::State,
    world::Guild,
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Place {
    guild: IdText,
}

#[derive(Deserialize)]
pub(super) struct Replace {
    guild: IdText,
    /// A command, or the application.
    id: IdText,
    permissions: Value,
}

/// `GET /control/command_permissions`.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, Asked(place): Asked<Place>) -> PageResult {
    let guild = guild(&state, place.guild)?;
    let rules = Rules::of_guild(&mut *state.store.connect().await?, &guild).await?;
    Ok(Json(json!(rules.objects(guild.id))))
}

/// `PUT /control/command_permissions`: what is said there stands in the place of what was said of the command before.
pub(super) async fn replace(Shared(state): Shared<Arc<State>>, Body(said): Body<Replace>) -> PageResult {
    let guild = guild(&state, said.guild)?;
    let replaced = command_permission::replace(&state, &guild, said.id.0, &said.permissions).await;
    replaced.map(Json).map_err(|error| match error {
        ReplaceError::Unfit(sentence) => PageError::bad(sentence),
        ReplaceError::Api(error) => error.into(),
    })
}

/// A guild where the bot is a member.
fn guild(state: &State, id: IdText) -> Result<Arc<Guild>, PageError> {
    let found = state.world.now().guild(id.0).filter(|guild| guild.has_bot());
    found.ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, format!("the bot is in no guild {}", id.0)))
}
