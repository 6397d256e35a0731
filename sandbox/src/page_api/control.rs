//! Faults, violations, entitlements, permissions of commands, the journal and the clock, for the page and for tests in any language.

use super::{Asked, Body, Named, PageError, PageResult, entitlements, permits};
use crate::{
    clock::Clock,
    faults::{self, Fault},
    journal::Fields,
    state::State,
};
use axum::{
    Json, Router,
    extract::State as Shared,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::{delete, get, post},
};
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// One answer has at most this many lines of the journal.
const MAX_LINES: usize = 1000;
/// A clock goes at most a year at a time.
const MAX_ADVANCE_MS: u64 = 366 * 24 * 3600 * 1000;

pub(super) fn router() -> Router<Arc<State>> {
    Router::new()
        .route("/faults", get(list).post(begin).delete(end_all))
        .route("/faults/{id}", delete(end))
        .route("/entitlements", get(entitlements::all).post(entitlements::grant))
        .route("/entitlements/{entitlement}", delete(entitlements::revoke))
        .route("/entitlements/{entitlement}/consume", post(entitlements::consume))
        .route("/command_permissions", get(permits::list).put(permits::replace))
        .route("/violations", get(violations).delete(forgive))
        .route("/journal", get(journal))
        .route("/clock", get(clock))
        .route("/clock/advance", post(advance))
}

async fn list(Shared(state): Shared<Arc<State>>) -> PageResult {
    let mut faults = state.faults.list();
    faults["standing"] = if state.is_in_memory { json!([]) } else { json!(faults::STANDING) };
    Ok(Json(faults))
}

async fn begin(Shared(state): Shared<Arc<State>>, Body(fault): Body<Fault>) -> PageResult {
    let id = faults::begin(&state, fault).map_err(PageError::bad)?;
    Ok(Json(json!({ "id": id.to_string() })))
}

async fn end(Shared(state): Shared<Arc<State>>, Named(id): Named<u64>) -> PageResult {
    if faults::end(&state, id) {
        Ok(Json(json!({ "id": id.to_string() })))
    } else {
        Err(PageError::new(StatusCode::NOT_FOUND, format!("there is no fault {id}")))
    }
}

async fn end_all(Shared(state): Shared<Arc<State>>) -> PageResult {
    faults::end_all(&state);
    Ok(Json(json!({})))
}

async fn violations(Shared(state): Shared<Arc<State>>) -> PageResult {
    Ok(Json(json!(state.violations.all())))
}

async fn forgive(Shared(state): Shared<Arc<State>>) -> PageResult {
    state.violations.forgive();
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    #[serde(default)]
    heartbeats: bool,
}

async fn journal(Shared(state): Shared<Arc<State>>, Asked(since): Asked<Since>) -> impl IntoResponse {
    let (seq, lines) = state.journal.after(since.after, since.limit.unwrap_or(100).min(MAX_LINES), since.heartbeats);
    ([(header::CONTENT_TYPE, "application/json")], format!(r#"{{"seq":{seq},"lines":[{}]}}"#, lines.join(",")))
}

async fn clock(Shared(state): Shared<Arc<State>>) -> PageResult {
    Ok(Json(json!({ "now_ms": state.clock.now_ms(), "is_manual": matches!(state.clock, Clock::Manual(_)) })))
}

#[derive(Deserialize)]
struct By {
    ms: u64,
}

async fn advance(Shared(state): Shared<Arc<State>>, Body(by): Body<By>) -> PageResult {
    match &state.clock {
        Clock::Manual(clock) if by.ms <= MAX_ADVANCE_MS => {
            clock.advance(Duration::from_millis(by.ms));
            state.write_down("clock", Fields::default().with("advanced_ms", by.ms));
            Ok(Json(json!({ "now_ms": state.clock.now_ms() })))
        }
        Clock::Manual(_) => Err(PageError::bad(format!("ms must be at most {MAX_ADVANCE_MS}"))),
        Clock::System => Err(PageError::new(StatusCode::CONFLICT, "this sandbox runs by the machine's clock, which nobody advances")),
    }
}
