use super::{
    Answer,
    channels::{require, require_history},
    incoming::Incoming,
    messages::find,
    nothing, ok,
};
use crate::{
    announce,
    clock::timestamp,
    error::ApiError,
    pin, privacy,
    state::State,
    store, thread,
    world::{Channel, permission},
};
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Source: discord-api-docs, JSON error code 30003.
const N_PINS: usize = 250;

/// `/channels/{id}/messages/pins…`, and `/channels/{id}/pins…`, which older libraries use.
pub(super) async fn route(state: &State, method: &str, channel: &Channel, place: &[&str], incoming: &Incoming) -> Answer {
    let (is_old_path, rest) = match place {
        ["messages", "pins", rest @ ..] => (false, rest),
        ["pins", rest @ ..] => (true, rest),
        _ => return Err(ApiError::not_found()),
    };
    let mut db = state.store.connect().await?;
    match (method, rest) {
        ("GET", []) => {
            require_history(channel)?;
            let limit = incoming.number("limit").unwrap_or(50).clamp(1, 50) as usize;
            let before_us = incoming.moment_us("before")?.unwrap_or(i64::MAX);
            let mut pinned = store::messages::pinned(&mut db, channel.id()).await?;
            pinned.retain(|message| pin::pinned_us(message) < before_us);
            pinned.sort_by_key(|message| std::cmp::Reverse(pin::pinned_us(message)));
            let shown = |message: &_| json!({ "pinned_at": pin::shown(message), "message": privacy::show(state, channel, message) });
            let pins: Vec<Value> = pinned.iter().take(limit).map(shown).collect();
            if is_old_path {
                return ok(json!(pins.into_iter().map(|mut pin| pin["message"].take()).collect::<Vec<_>>()));
            }
            ok(json!({ "items": pins, "has_more": pinned.len() > limit }))
        }
        ("PUT" | "DELETE", [id]) => {
            // Until 2026 the right to manage messages was enough for this.
            require(channel, permission::PIN_MESSAGES)?;
            thread::check_active(channel)?;
            let mut found = find(&mut db, channel, id).await?;
            let is_pinned = method == "PUT";
            if (found.body["pinned"] == true) == is_pinned {
                return nothing();
            }
            let mut pinned_us = None;
            if is_pinned {
                let pinned = store::messages::pinned(&mut db, channel.id()).await?;
                if pinned.len() >= N_PINS {
                    let told = format!("Maximum number of pins reached for the channel ({N_PINS})");
                    return Err(ApiError::new(StatusCode::BAD_REQUEST, 30003, told));
                }
                // No two pins of a channel share a moment: a page ends at one.
                let latest_us = pinned.iter().map(pin::pinned_us).max().unwrap_or(0);
                pinned_us = Some((state.clock.now_ms() * 1000).max(latest_us + 1));
            }
            pin::set(&mut found, pinned_us);
            store::messages::save(&mut db, &found).await?;
            announce::updated(state, &found);
            let changed = json!({ "channel_id": channel.id().to_string(), "last_pin_timestamp": timestamp(state.clock.now_ms()) });
            announce::to_bot(state, channel, "CHANNEL_PINS_UPDATE", changed);
            nothing()
        }
        _ => Err(ApiError::not_found()),
    }
}
