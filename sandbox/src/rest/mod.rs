//! Discord's REST API, version 10, as a bot speaks it.

mod applications;
mod callback;
mod channels;
mod entitlements;
mod form;
mod guilds;
mod incoming;
mod members;
mod messages;
mod old_edits;
mod pins;
pub(crate) mod rate_limit;
mod reactions;
mod references;
mod slow;
mod threads;
mod webhooks;

use crate::{
    error::{ApiError, FormErrors},
    faults::FaultKind,
    gateway::wire::Reset,
    journal::{self, Fields},
    oracle::{self, Asked},
    state::State,
    world::{APPLICATION, Channel, Guild, Id},
};
use axum::{
    extract::{ConnectInfo, Request, State as Shared},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use incoming::{FormRule, Incoming};
use percent_encoding::percent_decode_str;
use rate_limit::Scope;
use serde_json::{Value, json};
use std::sync::{Arc, atomic::Ordering};

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
pub(crate) async fn handle(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(Reset(reset)): ConnectInfo<Reset>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let decoded: Vec<String> =
        uri.path().trim_start_matches("/api/").split('/').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let Some(segments) = versioned(&segments) else {
        let path = oracle::blank(segments.get(1..).unwrap_or_default());
        let path = format!("/api/{}{path}", segments.first().copied().unwrap_or_default());
        tracing::warn!(http.path = path, "the bot asked for an API version that the sandbox does not have");
        state.write_down("unknown_route", Fields::default().with("method", method.as_str()).with("path", path).with("status", 400));
        return ApiError::new(StatusCode::BAD_REQUEST, 50041, "Invalid API version").into_response();
    };
    let query = uri.query().unwrap_or_default();
    let mut call = Call { state: &state, method: method.as_str(), segments, query, sent: "null".to_owned() };
    let started_ms = state.clock.now_ms();
    let faults = state.faults.meet(call.method, segments);
    let wants = |kind: FaultKind| faults.iter().find(|fault| fault.kind == kind);
    if let Some(late) = wants(FaultKind::Latency) {
        let ms = late.ms.unwrap_or(1000).min(i64::MAX as u64) as i64;
        state.clock.sleep_until(started_ms.saturating_add(ms)).await;
    }
    let (mut response, answered) = if wants(FaultKind::Reset).is_some() {
        reset.store(true, Ordering::Relaxed);
        (StatusCode::BAD_GATEWAY.into_response(), quoted("the connection was reset"))
    } else if let Some(limited) = wants(FaultKind::RateLimit) {
        let scope = limited.scope.unwrap_or_default();
        if scope != Scope::Shared {
            state.rate_limits.note_invalid(started_ms);
        }
        (rate_limit::refusal(scope, limited.ms.unwrap_or(1000)), quoted("a rate limit on demand"))
    } else if let Some(failed) = wants(FaultKind::ServerError) {
        (broken(failed.status.unwrap_or(500)), quoted("a failure on demand"))
    } else {
        let answered = call.answer(&headers, request).await;
        if wants(FaultKind::LostAnswer).is_some() {
            reset.store(true, Ordering::Relaxed);
        }
        answered
    };
    call.write_down(started_ms, &response, &answered);
    if let Some(slow) = wants(FaultKind::SlowBody) {
        response = slow::trickle(&state, response, slow.ms.unwrap_or(5000)).await;
    }
    response
}

/// A remark in the place of a body.
fn quoted(remark: &str) -> String {
    format!("\"{remark}\"")
}

/// The path without its version. Version 9 and a path without any are answered as version 10.
fn versioned<'a>(segments: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let is_number = |part: &str| part.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
    match segments {
        ["v10" | "v9", rest @ ..] => Some(rest),
        [version, ..] if is_number(version) => None,
        _ => Some(segments),
    }
}

/// One request of a bot.
struct Call<'a> {
    state: &'a Arc<State>,
    method: &'a str,
    segments: &'a [&'a str],
    query: &'a str,
    /// The request's body as the journal keeps it.
    sent: String,
}

impl Call<'_> {
    /// The answer, and its body for the journal.
    async fn answer(&mut self, headers: &HeaderMap, request: Request) -> (Response, String) {
        let Self { state, segments, .. } = *self;
        let now_ms = state.clock.now_ms();
        if state.rate_limits.is_banned(now_ms) {
            return (rate_limit::banned(), quoted("banned after too many invalid requests"));
        }
        if needs_token(segments) && !has_token(state, headers) {
            state.rate_limits.note_invalid(now_ms);
            let refused = ApiError::unauthorized();
            let body = refused.body().to_string();
            return (refused.into_response(), body);
        }
        let limit = match state.rate_limits.take(self.method, segments, now_ms) {
            Ok(limit) => limit,
            Err(limited) => {
                state.rate_limits.note_invalid(now_ms);
                return (limited.into_response(), quoted("rate limited"));
            }
        };
        let answer = match Incoming::read(request, self.query, FormRule::of(self.method, segments)).await {
            Ok(mut incoming) => {
                self.sent = journal::body(&incoming.body);
                incoming.faults = self.judge(&incoming);
                route(state, self.method, segments, incoming).await
            }
            Err(error) => Err(error),
        };
        let mut retry_after_ms = None;
        let (status, body) = match answer {
            Ok((StatusCode::NO_CONTENT, _)) => (StatusCode::NO_CONTENT, Value::Null),
            Ok(answer) => answer,
            Err(error) => {
                if matches!(error.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
                    state.rate_limits.note_invalid(now_ms);
                }
                let body = error.body();
                self.warn(error.status, &body);
                retry_after_ms = error.retry_after_ms;
                (error.status, body)
            }
        };
        if state.validates {
            for fault in oracle::response(self.method, segments, status.as_u16(), &body) {
                state.violate("response", self.method, segments, fault);
            }
        }
        // Written once, for the bot and for the journal.
        let text = body.to_string();
        let written = journal::text(&text);
        let mut response = match status {
            StatusCode::NO_CONTENT => status.into_response(),
            _ => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        };
        if let Some(ms) = retry_after_ms {
            rate_limit::mark(&mut response, ms.max(0) as u64, "user");
        }
        if let Some(limit) = limit {
            limit.write(response.headers_mut());
        }
        (response, written)
    }

    /// Lists what is wrong with a request; returns what Discord refuses of it.
    fn judge(&self, incoming: &Incoming) -> FormErrors {
        if !self.state.validates {
            return FormErrors::default();
        }
        let files = incoming.uploads.iter().map(|upload| (upload.placeholder.as_str(), upload.filename.as_str())).collect();
        let asked = Asked { method: self.method, segments: self.segments, query: self.query, body: &incoming.body, files };
        let judgement = oracle::request(&asked);
        for sentence in judgement.sentences {
            self.state.violate("request", self.method, self.segments, sentence);
        }
        judgement.errors
    }

    fn warn(&self, status: StatusCode, body: &Value) {
        let path = oracle::blank(self.segments);
        let is_nowhere = status == StatusCode::NOT_FOUND && body["code"] == 0;
        if is_nowhere && oracle::route(self.method, self.segments).is_some() {
            tracing::error!(http.method = self.method, http.path = path, "not implemented: Discord has this route, the sandbox does not");
            self.state.write_down("not_implemented", Fields::default().with("method", self.method).with("path", &path));
        } else if is_nowhere {
            tracing::error!(http.method = self.method, http.path = path, "the bot asked for a route that nobody knows");
            self.state.write_down("unknown_route", Fields::default().with("method", self.method).with("path", &path));
        } else {
            tracing::warn!(http.method = self.method, http.path = path, http.status = status.as_u16(), answer = %body, "refused a bot's request");
        }
    }

    fn write_down(&self, started_ms: i64, response: &Response, answered: &str) {
        let line = Fields::default()
            .with("method", self.method)
            .with("path", oracle::blank(self.segments))
            .with("route", oracle::route(self.method, self.segments))
            .with("status", response.status().as_u16())
            .with("ms", self.state.clock.now_ms() - started_ms)
            .with_json("request", &self.sent)
            .with_json("answer", answered);
        self.state.write_down("rest", line);
    }
}

/// A failure in Discord's own form, or in that of the proxy before it.
fn broken(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        return ApiError::new(status, 0, "500: Internal Server Error").into_response();
    }
    let said = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page =
        format!("<html>\r\n<head><title>{said}</title></head>\r\n<body>\r\n<center><h1>{said}</h1></center>\r\n</body>\r\n</html>\r\n");
    (status, Html(page)).into_response()
}

/// Callbacks and interaction webhooks prove themselves by the token in the path.
fn needs_token(segments: &[&str]) -> bool {
    !matches!(segments, ["gateway"] | ["interactions" | "webhooks", ..])
}

fn has_token(state: &State, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|given| given.strip_prefix("Bot ")).is_some_and(|token| token == state.token && !state.hub.is_revoked())
}

async fn route(state: &Arc<State>, method: &str, segments: &[&str], incoming: Incoming) -> Answer {
    match (method, segments) {
        ("GET", ["gateway"]) => ok(json!({ "url": state.gateway_url() })),
        ("GET", ["gateway", "bot"]) => ok(state.hub.advice(&state.gateway_url())),
        ("GET", ["users", "@me"]) => ok(own_user(state)),
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
        let mut errors = FormErrors::default();
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

fn own_user(state: &State) -> Value {
    let mut user = state.world.now().bot.user();
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
    let flags = state.hub.config.application_flags();
    json!({
        "id": APPLICATION.to_string(), "name": scene.bot.name, "icon": null, "description": "", "type": null, "bot": scene.bot.user(), "summary": "",
        "bot_public": true, "bot_require_code_grant": false, "verify_key": "0".repeat(64), "flags": flags, "flags_new": flags.to_string(),
        "max_participants": null, "tags": [], "redirect_uris": [], "interactions_endpoint_url": null,
        "role_connections_verification_url": null, "owner": owner, "approximate_guild_count": n_guilds,
        "approximate_user_install_count": scene.people.len(), "approximate_user_authorization_count": 0, "explicit_content_filter": 0, "team": null,
        "eligible_oauth2_scopes": [], "integration_types_config": { "0": {}, "1": {} }, "event_webhooks_status": 1,
    })
}
