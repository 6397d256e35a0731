use super::{Asked, IdText, PageError, person};
use crate::{
    events::{Forgotten, Heard},
    state::State,
    world::Id,
};
use axum::{
    extract::State as Shared,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::stream;
use serde::Deserialize;
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

const MAX_WAIT: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub(super) struct Listen {
    user: IdText,
    after: Option<u64>,
    #[serde(default)]
    timeout_ms: u64,
}

fn forgotten() -> PageError {
    PageError::new(StatusCode::GONE, "these events are forgotten; load the state again")
}

/// `GET /events/poll`.
pub(super) async fn poll(Shared(state): Shared<Arc<State>>, Asked(listen): Asked<Listen>) -> Result<Response, PageError> {
    let user = person(&state, listen.user)?.id;
    let wait = async {
        let mut after = listen.after.unwrap_or_else(|| state.events.seq());
        loop {
            let (seq, events) = state.events.after(user, after).map_err(|Forgotten| forgotten())?;
            if !events.is_empty() {
                return Ok::<_, PageError>((seq, events));
            }
            after = seq;
            state.events.wait_beyond(seq).await;
        }
    };
    let timeout = Duration::from_millis(listen.timeout_ms).min(MAX_WAIT);
    let heard = tokio::select! {
        biased;
        heard = wait => Some(heard?),
        () = tokio::time::sleep(timeout) => None,
        () = state.shutdown.cancelled() => None,
    };
    // Nothing for this person: they go on from where they were, which is always safe.
    let (seq, events) = heard.unwrap_or_else(|| (listen.after.unwrap_or_else(|| state.events.seq()), Vec::new()));
    let events: Vec<String> = events.into_iter().map(|event| event.text).collect();
    let body = format!(r#"{{"seq":{seq},"events":[{}]}}"#, events.join(","));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// A listener's place in the log, and what has been read but not yet sent.
struct Place {
    state: Arc<State>,
    user: Id,
    seq: u64,
    ready: VecDeque<Heard>,
}

/// `GET /events`. The stream ends when its next event is forgotten; the client reconnects and gets `410`.
pub(super) async fn stream(Shared(state): Shared<Arc<State>>, headers: HeaderMap, Asked(listen): Asked<Listen>) -> Response {
    let user = match person(&state, listen.user) {
        Ok(person) => person.id,
        Err(error) => return error.into_response(),
    };
    let last_id = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let seq = last_id.or(listen.after).unwrap_or_else(|| state.events.seq());
    if state.events.after(user, seq).is_err() {
        return forgotten().into_response();
    }
    let place = Place { state, user, seq, ready: VecDeque::new() };
    Sse::new(stream::unfold(place, next)).keep_alive(KeepAlive::default()).into_response()
}

async fn next(mut place: Place) -> Option<(Result<Event, Infallible>, Place)> {
    let shutdown = place.state.shutdown.clone();
    while place.ready.is_empty() {
        let (seq, events) = place.state.events.after(place.user, place.seq).ok()?;
        place.seq = seq;
        place.ready.extend(events);
        if place.ready.is_empty() {
            tokio::select! {
                () = place.state.events.wait_beyond(seq) => {}
                () = shutdown.cancelled() => return None,
            }
        }
    }
    let Heard { seq, kind, text } = place.ready.pop_front()?;
    Some((Ok(Event::default().id(seq.to_string()).event(kind).data(text)), place))
}
