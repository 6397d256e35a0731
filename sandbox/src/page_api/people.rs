//! What a person is like, and what they bought.

use super::{Asked, Body, IdText, Named, PageError, PageResult, person};
use crate::{
    entitlement::{self, Owner},
    message::id_of,
    state::State,
    store,
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Change {
    accepts_dms: bool,
}

/// `POST /people/P`.
pub(super) async fn change(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Body(change): Body<Change>) -> PageResult {
    let person = person(&state, id)?;
    store::world::accept_dms(&mut *state.store.connect().await?, person.id, change.accepts_dms).await?;
    state.world.accept_dms(person.id, change.accepts_dms);
    Ok(Json(json!({ "id": person.id.to_string(), "accepts_dms": change.accepts_dms })))
}

#[derive(Deserialize)]
pub(super) struct Who {
    user: IdText,
}

/// `GET /entitlements`.
pub(super) async fn entitlements(Shared(state): Shared<Arc<State>>, Asked(who): Asked<Who>) -> PageResult {
    let person = person(&state, who.user)?;
    Ok(Json(json!(entitlement::of(&mut *state.store.connect().await?, person.id, None).await?)))
}

#[derive(Deserialize)]
pub(super) struct Grant {
    user: IdText,
    sku: IdText,
}

/// `POST /entitlements`.
pub(super) async fn grant(Shared(state): Shared<Arc<State>>, Body(grant): Body<Grant>) -> PageResult {
    let person = person(&state, grant.user)?;
    let mut db = state.store.connect().await?;
    Ok(Json(entitlement::grant(&mut db, &state, Owner::User(person.id), grant.sku.0).await?))
}

/// `DELETE /entitlements/E`.
pub(super) async fn revoke(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>, Asked(who): Asked<Who>) -> PageResult {
    let person = person(&state, who.user)?;
    let mut db = state.store.connect().await?;
    let gone = || PageError::new(StatusCode::NOT_FOUND, "there is no such entitlement");
    let found = entitlement::get(&mut db, id.0).await.map_err(|_| gone())?;
    if id_of(&found["user_id"]) != Some(person.id) {
        return Err(gone());
    }
    entitlement::revoke(&mut db, &state, id.0).await?;
    Ok(Json(json!({ "id": id.0.to_string() })))
}
