//! What people do, in the journal.

use super::PageError;
use crate::{
    inflow::InflowError,
    journal::{self, Fields},
    state::State,
    world::Id,
};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State as Shared},
    http::{Method, StatusCode},
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
    let (parts, body) = request.into_parts();
    let bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(error) => return refuse(&error).into_response(),
    };
    let actor = serde_json::from_slice(&bytes).ok().and_then(|Actor { user }| user).or_else(|| asked(parts.uri.query()?));
    let person = actor.as_deref().and_then(|id| id.parse::<Id>().ok()).and_then(|id| state.world.now().person(id));
    // Pictures are in there: only the beginning is of use.
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

fn refuse(error: &axum::Error) -> PageError {
    match InflowError::behind(error) {
        Some(InflowError::TooLarge) => PageError::new(StatusCode::PAYLOAD_TOO_LARGE, "that is more than the sandbox takes at once"),
        Some(InflowError::Stalled) => PageError::new(StatusCode::REQUEST_TIMEOUT, "the request did not come in time"),
        Some(InflowError::Broken) | None => PageError::bad("the request is not whole"),
    }
}
