//! The API of the page, described in `PAGE_API.md`.

pub(crate) mod assets;
mod components;
mod control;
mod entitlements;
mod files;
pub(crate) mod ideas;
mod listen;
mod modal_fields;
mod modals;
mod options;
mod people;
mod permits;
mod reactions;
mod read;
mod record;
mod run;
mod speak;
mod spool;
mod threads;
mod timeouts;

use crate::{
    error::ApiError,
    state::State,
    store::{self, messages::StoredMessage},
    world::{Channel, Id, Person},
};
use axum::{
    Json, Router,
    extract::{
        FromRequest, FromRequestParts, Path, Query, Request,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use sqlx::SqliteConnection;
use std::sync::Arc;

/// The routes below `/sandbox/api`.
pub(crate) fn router(state: Arc<State>) -> Router<Arc<State>> {
    Router::new()
        .route("/state", get(read::state))
        .route("/connect", get(read::guides))
        .route("/channels/{channel}/messages", get(read::messages))
        .route("/commands", post(run::command).get(run::usable))
        .route("/autocomplete", post(run::autocomplete))
        .route("/components", post(components::press))
        .route("/modals", post(modals::submit))
        .route("/messages", post(speak::say))
        .route("/messages/{message}", get(read::message).delete(speak::delete))
        .route("/messages/{message}/raw", get(read::raw))
        .route("/reactions", post(reactions::react))
        .route("/threads", post(threads::begin))
        .route("/timeouts", post(timeouts::set))
        .route("/typing", post(speak::type_on))
        .route("/people/{person}", post(people::change))
        .route("/entitlements", get(people::entitlements).post(people::grant))
        .route("/entitlements/{entitlement}", delete(people::revoke))
        .route("/ideas/{idea}", get(ideas::picture))
        .route("/events", get(listen::stream))
        .route("/events/poll", get(listen::poll))
        .nest("/control", control::router())
        .fallback(|| async { PageError::new(StatusCode::NOT_FOUND, "there is no such call") })
        .layer(middleware::from_fn_with_state(Arc::clone(&state), record::record))
        .with_state(state)
}

/// Why a person's request is refused: `{"error": "one sentence"}`.
#[derive(Debug)]
pub(crate) struct PageError {
    status: StatusCode,
    sentence: String,
}

/// A JSON body; a malformed one is refused in the API's own form.
struct Body<T>(T);

/// A query; a malformed one is refused in the API's own form.
struct Asked<T>(T);

/// A part of the path; a malformed one is refused in the API's own form.
struct Named<T>(T);

// By hand: axum's derives are one more tree of macros to compile.
impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let Json(body) = Json::from_request(request, state).await?;
        Ok(Self(body))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let Query(asked) = Query::from_request_parts(parts, state).await?;
        Ok(Self(asked))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let Path(named) = Path::from_request_parts(parts, state).await?;
        Ok(Self(named))
    }
}

/// What a call answers.
type PageResult = Result<Json<serde_json::Value>, PageError>;

impl PageError {
    pub(crate) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }

    fn bad(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.sentence }))).into_response()
    }
}

impl From<JsonRejection> for PageError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for PageError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for PageError {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self::new(error.status, error.body()["message"].as_str().unwrap_or_default())
    }
}

impl From<sqlx::Error> for PageError {
    fn from(error: sqlx::Error) -> Self {
        ApiError::from(error).into()
    }
}

/// An id in a body: Discord writes them as strings.
#[derive(Clone, Copy, Debug)]
struct IdText(Id);

impl<'de> Deserialize<'de> for IdText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom(format!("{text:?} is not an id")))
    }
}

fn person(state: &State, id: IdText) -> Result<Person, PageError> {
    state.world.now().person(id.0).ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, format!("there is no person {}", id.0)))
}

/// A channel that this person sees.
fn channel(state: &State, id: IdText, person: &Person) -> Result<Channel, PageError> {
    let visible = state.world.now().channel(id.0).filter(|channel| channel.is_open_to(person.id));
    visible.ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, format!("there is no channel {}", id.0)))
}

/// A message that this person sees, with its channel.
async fn message(db: &mut SqliteConnection, state: &State, id: IdText, person: &Person) -> Result<(Channel, StoredMessage), PageError> {
    let gone = || PageError::new(StatusCode::NOT_FOUND, "the message is gone");
    let found = store::messages::get(db, id.0).await?.filter(|found| found.audience.is_none_or(|audience| audience == person.id));
    let found = found.ok_or_else(gone)?;
    let channel = state.world.now().channel(found.channel_id).filter(|channel| channel.is_open_to(person.id));
    Ok((channel.ok_or_else(gone)?, found))
}

/// Refuses what the person's permissions do not allow in a channel; `what` completes "you are not allowed to".
fn allow(channel: &Channel, person: &Person, bits: u64, what: &str) -> Result<(), PageError> {
    if channel.allows(person.id, bits) {
        Ok(())
    } else {
        Err(PageError::new(StatusCode::FORBIDDEN, format!("you are not allowed to {what} here")))
    }
}
