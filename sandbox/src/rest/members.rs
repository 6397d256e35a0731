use super::{Answer, ok, parse};
use crate::{
    clock,
    error::{ApiError, FormErrors},
    state::State,
    timeout,
    world::{APPLICATION, Guild, permission},
};
use serde_json::Value;

/// `PATCH /guilds/{id}/members/{user}`. A timeout is all that the stand-in's bot may ever change; for the rest it has no permission.
pub(super) fn change(state: &State, guild: &Guild, user: &str, body: &Value) -> Answer {
    let user = if user == "@me" { APPLICATION } else { parse(user)? };
    let unknown = || ApiError::unknown("Member", 10007);
    guild.member(user).ok_or_else(unknown)?;
    let fields = || body.as_object().into_iter().flatten().map(|(field, _)| field.as_str());
    if fields().any(|field| matches!(field, "nick" | "roles" | "mute" | "deaf" | "channel_id" | "flags")) {
        return Err(ApiError::missing_permissions());
    }
    if fields().any(|field| field == "communication_disabled_until") {
        if permission::in_guild(guild, APPLICATION) & permission::MODERATE_MEMBERS == 0 || user == APPLICATION {
            return Err(ApiError::missing_permissions());
        }
        timeout::set(state, guild.id, user, until_ms(&body["communication_disabled_until"])?)?;
    }
    let scene = state.world.now();
    scene.guild(guild.id).and_then(|guild| guild.member_object(&scene, user)).map_or_else(|| Err(unknown()), ok)
}

fn until_ms(until: &Value) -> Result<Option<i64>, ApiError> {
    if until.is_null() {
        return Ok(None);
    }
    let until_us = until.as_str().and_then(clock::parse_us);
    if until_us.is_none() {
        let mut errors = FormErrors::default();
        errors.add("communication_disabled_until", "DATETIME_TYPE_PARSE", format!("Could not parse {until}. Should be ISO8601."));
        errors.finish()?;
    }
    Ok(until_us.map(|us| us / 1000))
}
