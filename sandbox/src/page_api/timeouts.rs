use super::{Body, IdText, PageError, PageResult, person};
use crate::{clock::timestamp, state::State, timeout, world::permission};
use axum::{Json, extract::State as Shared, http::StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct TimeOut {
    user: IdText,
    guild: IdText,
    member: IdText,
    /// 0 lets the member speak again.
    seconds: u32,
}

/// `POST /timeouts`: a moderator silences a person or the bot for a while.
pub(super) async fn set(Shared(state): Shared<Arc<State>>, Body(wanted): Body<TimeOut>) -> PageResult {
    let person = person(&state, wanted.user)?;
    let guild = state.world.now().guild(wanted.guild.0).filter(|guild| guild.member(person.id).is_some());
    let guild = guild.ok_or_else(|| PageError::new(StatusCode::NOT_FOUND, format!("there is no guild {}", wanted.guild.0)))?;
    if permission::in_guild(&guild, person.id) & permission::MODERATE_MEMBERS == 0 {
        return Err(PageError::new(StatusCode::FORBIDDEN, "only a moderator can time somebody out"));
    }
    let until_ms = (wanted.seconds > 0).then(|| state.clock.now_ms() + i64::from(wanted.seconds) * 1000);
    timeout::set(&state, guild.id, wanted.member.0, until_ms)?;
    Ok(Json(json!({
        "guild": guild.id.to_string(), "member": wanted.member.0.to_string(), "communication_disabled_until": until_ms.map(timestamp),
    })))
}
