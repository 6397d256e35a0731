//! Faults on demand.

use super::{Body, PageError, PageResult};
use crate::state::State;
use axum::{Json, Router, extract::State as Shared, routing::post};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
struct Fault {
    kind: String,
}

/// The routes below `/sandbox/api/control`.
pub(super) fn router() -> Router<Arc<State>> {
    Router::new().route("/faults", post(cause))
}

async fn cause(Shared(state): Shared<Arc<State>>, Body(fault): Body<Fault>) -> PageResult {
    match fault.kind.as_str() {
        "gateway_drop" => {
            state.hub.drop_all();
            state.announce_bot();
            Ok(Json(json!({ "id": "1" })))
        }
        other => Err(PageError::bad(format!("there is no fault {other}"))),
    }
}
