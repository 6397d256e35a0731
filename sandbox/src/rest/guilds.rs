use super::{Answer, incoming::Incoming, members, ok, parse, threads};
use crate::{
    error::ApiError,
    gateway::INTENT_GUILD_MEMBERS,
    state::State,
    store,
    world::{APPLICATION, Channel, Guild, Role, permission},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Whether there is such a route: asked before whether there is such a guild.
pub(super) fn has(method: &str, rest: &[&str]) -> bool {
    let is_list = matches!(rest, [] | ["channels" | "members" | "roles" | "emojis"] | ["threads", "active"]);
    let is_of_one = matches!(rest, ["members" | "roles" | "emojis", _]);
    method == "GET" && (is_list || is_of_one) || matches!((method, rest), ("PATCH", ["members", _]))
}

/// `/guilds/{id}…` of a guild that the bot is in.
pub(super) async fn route(state: &State, method: &str, guild: &Arc<Guild>, rest: &[&str], incoming: &Incoming) -> Answer {
    let scene = state.world.now();
    match (method, rest) {
        ("GET", []) => {
            let mut object = guild.object();
            if incoming.is_set("with_counts") {
                object["approximate_member_count"] = json!(guild.members.len());
                object["approximate_presence_count"] = json!(guild.members.len());
            }
            ok(object)
        }
        ("GET", ["channels"]) => channels(state, guild).await,
        ("GET", ["threads", "active"]) => threads::active(state, guild),
        ("GET", ["members"]) => {
            if state.hub.config.privileged_intents & INTENT_GUILD_MEMBERS == 0 {
                return Err(ApiError::missing_access());
            }
            let limit = incoming.number("limit").unwrap_or(1).clamp(1, 1000) as usize;
            let after = incoming.number("after").unwrap_or(0);
            let mut members: Vec<_> = guild.members.iter().filter(|member| member.user > after).collect();
            members.sort_by_key(|member| member.user);
            let shown: Vec<Value> = members.iter().take(limit).filter_map(|member| guild.member_object(&scene, member.user)).collect();
            ok(json!(shown))
        }
        ("GET", ["members", "search"]) => {
            let query = incoming.query("query").unwrap_or_default().to_lowercase();
            let limit = incoming.number("limit").unwrap_or(1).clamp(1, 1000) as usize;
            let is_found = |member: &Value| {
                let names = [&member["user"]["username"], &member["user"]["global_name"], &member["nick"]];
                names.iter().filter_map(|name| name.as_str()).any(|name| name.to_lowercase().starts_with(&query))
            };
            ok(json!(guild.members(&scene).into_iter().filter(is_found).take(limit).collect::<Vec<_>>()))
        }
        ("GET", ["members", user]) => {
            let user = if *user == "@me" { APPLICATION } else { parse(user)? };
            let code = if scene.user(user).is_some() { ("Member", 10007) } else { ("User", 10013) };
            guild.member_object(&scene, user).map_or_else(|| Err(ApiError::unknown(code.0, code.1)), ok)
        }
        ("PATCH", ["members", user]) => members::change(state, guild, user, &incoming.body),
        ("GET", ["roles"]) => ok(json!(guild.roles.iter().map(Role::object).collect::<Vec<_>>())),
        ("GET", ["roles", id]) => {
            let id = parse(id)?;
            let found = guild.roles.iter().find(|role| role.id == id);
            found.map_or_else(|| Err(ApiError::unknown("Role", 10011)), |role| ok(role.object()))
        }
        ("GET", ["emojis"]) => ok(json!(guild.emojis())),
        ("GET", ["emojis", id]) => {
            let found = guild.emojis().into_iter().find(|emoji| emoji["id"] == *id);
            found.map_or_else(|| Err(ApiError::unknown("Emoji", 10014)), ok)
        }
        _ => Err(ApiError::not_found()),
    }
}

/// All channels, also those that the bot does not see, as on Discord.
async fn channels(state: &State, guild: &Arc<Guild>) -> Answer {
    let mut db = state.store.connect().await?;
    let mut channels = Vec::new();
    for channel in &guild.channels {
        let last_id = store::messages::last_id(&mut db, channel.id).await?;
        channels.push(Channel::Guild(Arc::clone(guild), channel.clone()).object(last_id));
    }
    ok(json!(channels))
}

/// `GET /users/@me/guilds`.
pub(super) fn own(state: &State, incoming: &Incoming) -> Answer {
    let scene = state.world.now();
    let (after, before) = (incoming.number("after").unwrap_or(0), incoming.number("before").unwrap_or(i64::MAX));
    let limit = incoming.number("limit").unwrap_or(200).clamp(1, 200) as usize;
    let guilds = scene.bot_guilds().filter(|guild| guild.id > after && guild.id < before).take(limit).map(|guild| {
        let permissions = permission::in_guild(guild, APPLICATION).to_string();
        json!({
            "id": guild.id.to_string(), "name": guild.name, "icon": null, "banner": null, "owner": false, "permissions": permissions,
            "features": [],
        })
    });
    ok(json!(guilds.collect::<Vec<_>>()))
}
