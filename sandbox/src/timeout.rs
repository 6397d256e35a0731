//! Timeouts: for a while a member of a guild sees and does nothing else. Source: discord-api-docs, topics/permissions,
//! "Permissions For Timed Out Members", and resources/guild, "Modify Guild Member".

use crate::{
    error::{ApiError, FormErrors},
    gateway::{Dispatch, INTENT_GUILD_MEMBERS},
    state::State,
    world::{Id, permission},
};
use serde_json::json;

const LONGEST_MS: i64 = 28 * 24 * 3600 * 1000;

/// Times a member out until a moment in milliseconds since 1970, or lets them speak again. The owner and administrators
/// cannot be.
pub(crate) fn set(state: &State, guild: Id, user: Id, until_ms: Option<i64>) -> Result<(), ApiError> {
    let now_ms = state.clock.now_ms();
    if until_ms.is_some_and(|until_ms| until_ms > now_ms + LONGEST_MS) {
        let mut errors = FormErrors::default();
        let told = "Interval for disabling communication must be at most 28 days.";
        errors.add("communication_disabled_until", "INVALID_COMMUNICATION_DISABLED_TIMESTAMP", told);
        errors.finish()?;
    }
    let found = state.world.now().guild(guild).ok_or_else(|| ApiError::unknown("Guild", 10004))?;
    if permission::in_guild(&found, user) & permission::ADMINISTRATOR != 0 {
        return Err(ApiError::missing_permissions());
    }
    if !state.world.time_out(guild, user, until_ms) {
        return Err(ApiError::unknown("Member", 10007));
    }
    let scene = state.world.now();
    let Some(mut data) = scene.guild(guild).and_then(|guild| guild.member_object(&scene, user)) else { return Ok(()) };
    data["guild_id"] = json!(guild.to_string());
    let event = Dispatch { kind: "GUILD_MEMBER_UPDATE", data, intent: INTENT_GUILD_MEMBERS, guild: Some(guild), is_private: false };
    state.hub.dispatch(&event);
    Ok(())
}
