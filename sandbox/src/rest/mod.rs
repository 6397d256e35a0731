//! Discord's REST API, version 10, as a bot speaks it.

mod applications;
mod callback;
mod channels;
mod entitlements;
mod guilds;
mod incoming;
mod messages;
mod pins;
pub(crate) mod rate_limit;
mod reactions;
mod threads;
mod webhooks;

use crate::{
    error::ApiError,
    state::State,
    world::{APPLICATION, Channel, Guild, Id, bot_user},
};
use axum::{
    Json,
    extract::{Request, State as Shared},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use incoming::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a route answers: a status, and a body unless it is 204.
pub(crate) type Answer = Result<(StatusCode, Value), ApiError>;

/// 200 with a body.
fn ok(body: Value) -> Answer {
    Ok((StatusCode::OK, body))
}

/// 204.
fn nothing() -> Answer {
    Ok((StatusCode::NO_CONTENT, Value::Null))
}

/// Everything below `/api`.
pub(crate) async fn handle(Shared(state): Shared<Arc<State>>, method: Method, uri: Uri, headers: HeaderMap, request: Request) -> Response {
    let decoded: Vec<String> =
        uri.path().trim_start_matches("/api/").split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let Some(segments) = segments.strip_prefix(&["v10"]) else {
        tracing::warn!(http.path = uri.path(), "the bot asked for an API version that the sandbox does not have");
        return ApiError::not_found().into_response();
    };
    if needs_token(segments) && !has_token(&state, &headers) {
        return ApiError::unauthorized().into_response();
    }
    let limit = match state.rate_limits.take(&method, segments, state.clock.now_ms()) {
        Ok(limit) => limit,
        Err(limited) => return limited.into_response(),
    };
    let answer = match Incoming::read(request, uri.query().unwrap_or_default()).await {
        Ok(incoming) => route(&state, method.as_str(), segments, incoming).await,
        Err(error) => Err(error),
    };
    let mut response = match answer {
        Ok((StatusCode::NO_CONTENT, _)) => StatusCode::NO_CONTENT.into_response(),
        Ok((status, body)) => (status, Json(body)).into_response(),
        Err(error) => {
            // Segments of webhooks and callbacks hold tokens.
            let place = segments.first().copied().unwrap_or_default();
            tracing::warn!(http.method = %method, http.resource = place, http.status = error.status.as_u16(), answer = %error.body(), "refused a bot's request");
            error.into_response()
        }
    };
    if let Some(limit) = limit {
        limit.write(response.headers_mut());
    }
    response
}

/// Callbacks and interaction webhooks prove themselves by the token in the path.
fn needs_token(segments: &[&str]) -> bool {
    !matches!(segments, ["gateway"] | ["interactions" | "webhooks", ..])
}

fn has_token(state: &State, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|given| given.strip_prefix("Bot ")).is_some_and(|token| token == state.token)
}

async fn route(state: &Arc<State>, method: &str, segments: &[&str], incoming: Incoming) -> Answer {
    match (method, segments) {
        ("GET", ["gateway"]) => ok(json!({ "url": state.gateway_url() })),
        ("GET", ["gateway", "bot"]) => ok(json!({
            "url": state.gateway_url(), "shards": 1,
            "session_start_limit": { "total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1 },
        })),
        ("GET", ["users", "@me"]) => ok(own_user()),
        ("GET", ["users", "@me", "guilds"]) => guilds::own(state, &incoming),
        ("POST", ["users", "@me", "channels"]) => channels::open_dm(state, incoming).await,
        ("GET", ["users", id]) => state.world.now().user(parse(id)?).map_or_else(|| Err(ApiError::unknown("User", 10013)), ok),
        ("GET", ["applications", "@me"] | ["oauth2", "applications", "@me"]) => ok(application(state)),
        (_, ["guilds", id, rest @ ..]) if guilds::has(method, rest) => {
            guilds::route(state, method, &guild(state, id)?, rest, &incoming).await
        }
        (_, ["applications", app, "commands", rest @ ..]) => {
            check_application(app)?;
            applications::commands(state, method, 0, rest, incoming).await
        }
        (_, ["applications", app, "guilds", id, "commands", rest @ ..]) => {
            check_application(app)?;
            let id = guild(state, id).map_err(|_| ApiError::missing_access())?.id;
            applications::commands(state, method, id, rest, incoming).await
        }
        ("GET", ["applications", app, "skus"]) => check_application(app).and_then(|()| ok(json!(crate::entitlement::skus()))),
        (_, ["applications", app, "entitlements", rest @ ..]) => {
            check_application(app)?;
            entitlements::route(state, method, rest, incoming).await
        }
        ("POST", ["interactions", id, token, "callback"]) => callback::answer(state, parse(id)?, token, incoming).await,
        (_, ["webhooks", app, token, rest @ ..]) => {
            check_application(app).map_err(|_| ApiError::unknown_webhook())?;
            webhooks::route(state, method, token, rest, incoming).await
        }
        (_, ["channels", id, rest @ ..]) => channels::route(state, method, &channel(state, id)?, rest, incoming).await,
        _ => Err(ApiError::not_found()),
    }
}

fn parse(id: &str) -> Result<Id, ApiError> {
    id.parse().map_err(|_| {
        let mut errors = crate::error::FormErrors::default();
        errors.add("id", "NUMBER_TYPE_COERCE", format!("Value \"{id}\" is not snowflake."));
        errors.finish().err().unwrap_or_else(ApiError::not_found)
    })
}

/// A guild that the bot is in.
fn guild(state: &State, id: &str) -> Result<Arc<Guild>, ApiError> {
    let found = state.world.now().guild(parse(id)?).filter(|guild| guild.has_bot());
    found.ok_or_else(|| ApiError::unknown("Guild", 10004))
}

/// A channel that the bot sees.
fn channel(state: &State, id: &str) -> Result<Channel, ApiError> {
    let found = state.world.now().channel(parse(id)?).ok_or_else(ApiError::unknown_channel)?;
    if found.is_open_to(APPLICATION) { Ok(found) } else { Err(ApiError::missing_access()) }
}

fn check_application(id: &str) -> Result<(), ApiError> {
    if id == "@me" || parse(id)? == APPLICATION { Ok(()) } else { Err(ApiError::unknown("Application", 10002)) }
}

fn own_user() -> Value {
    let mut user = bot_user();
    user["mfa_enabled"] = json!(false);
    user["locale"] = json!("en-US");
    user["premium_type"] = json!(0);
    user["email"] = json!(null);
    user["verified"] = json!(true);
    user
}

fn application(state: &State) -> Value {
    let scene = state.world.now();
    let n_guilds = scene.bot_guilds().count();
    let owner = scene.people.first().map(|person| person.user());
    json!({
        "id": APPLICATION.to_string(), "name": "Atelier", "icon": null, "description": "", "type": null, "bot": bot_user(), "summary": "",
        "bot_public": true, "bot_require_code_grant": false, "verify_key": "0".repeat(64), "flags": 0, "flags_new": "0",
        "max_participants": null, "tags": [], "redirect_uris": [], "interactions_endpoint_url": null,
        "role_connections_verification_url": null, "owner": owner, "approximate_guild_count": n_guilds,
        "approximate_user_install_count": scene.people.len(), "approximate_user_authorization_count": 0, "explicit_content_filter": 0, "team": null,
        "eligible_oauth2_scopes": [], "integration_types_config": { "0": {}, "1": {} }, "event_webhooks_status": 1,
    })
}
