//! Everybody's purchases, for whoever writes the bot; what a person does for themselves is in `people.rs`.

use super::{Body, IdText, Named, PageError, PageResult};
use crate::{
    entitlement::{self, Owner},
    state::State,
    store,
    world::Id,
};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The newest that are shown.
const N_SHOWN: usize = 200;

/// `GET /control/entitlements`: what was not taken back, the newest first.
pub(super) async fn all(Shared(state): Shared<Arc<State>>) -> PageResult {
    let mut all = store::entitlements::all(&mut *state.store.connect().await?, 0, Id::MAX).await?;
    all.retain(|entitlement| entitlement["deleted"] == false);
    let newest: Vec<Value> = all.into_iter().rev().take(N_SHOWN).collect();
    Ok(Json(json!({ "entitlements": newest, "skus": entitlement::skus() })))
}

#[derive(Deserialize)]
pub(super) struct Grant {
    /// A person or a guild.
    owner: IdText,
    sku: IdText,
}

/// `POST /control/entitlements`.
pub(super) async fn grant(Shared(state): Shared<Arc<State>>, Body(grant): Body<Grant>) -> PageResult {
    let is_guild = state.world.now().guild(grant.owner.0).is_some();
    let owner = if is_guild { Owner::Guild(grant.owner.0) } else { Owner::User(grant.owner.0) };
    Ok(Json(entitlement::grant(&mut *state.store.connect().await?, &state, owner, grant.sku.0).await?))
}

/// `POST /control/entitlements/E/consume`.
pub(super) async fn consume(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>) -> PageResult {
    let mut db = state.store.connect().await?;
    let found = entitlement::get(&mut db, id.0).await?;
    if !entitlement::is_consumable(&found) {
        return Err(PageError::new(StatusCode::BAD_REQUEST, "only what is used up can be consumed"));
    }
    entitlement::consume(&mut db, &state, id.0).await?;
    Ok(Json(entitlement::get(&mut db, id.0).await?))
}

/// `DELETE /control/entitlements/E`.
pub(super) async fn revoke(Shared(state): Shared<Arc<State>>, Named(id): Named<IdText>) -> PageResult {
    entitlement::revoke(&mut *state.store.connect().await?, &state, id.0).await?;
    Ok(Json(json!({ "id": id.0.to_string() })))
}
