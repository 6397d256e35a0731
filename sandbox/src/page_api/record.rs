//! What people do, in the journal.

use super::spool;
use crate::{
    journal::{self, Fields},
    state::State,
    world::Id,
};
use axum::{
    body::Body,
    extract::{Request, State as Shared},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct Actor {
    user: Option<String>,
}

/// Notes every call that changes something: who, what, and how it was answered.
pub(super) async fn record(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let (bytes, spools) = match spool::read(body, state.files.directory()).await {
        Ok(read) => read,
        Err(refused) => return refused.into_response(),
    };
    parts.extensions.insert(spools);
    let actor = serde_json::from_slice(&bytes).ok().and_then(|Actor { user }| user).or_else(|| asked(parts.uri.query()?));
    let person = actor.as_deref().and_then(|id| id.parse::<Id>().ok()).and_then(|id| state.world.now().person(id));
    // Small pictures are in there: only the beginning is of use.
    let body = if bytes.is_empty() { "null".to_owned() } else { journal::bytes(&bytes) };
    let line = Fields::default()
        .with("method", parts.method.as_str())
        .with("path", parts.uri.path())
        .with("user", &actor)
        .with("name", person.map(|person| person.name))
        .with_json("body", &body);
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    state.write_down("page", line.with("status", response.status().as_u16()));
    response
}

/// `?user=U`.
fn asked(query: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix("user=")).map(str::to_owned)
}
