//! Request Guild Members (op 8). Source: discord-api-docs, events/gateway-events, "Request Guild Members", and the change log of
//! 2025-08-14 for its rate limit.

use super::{Dispatch, INTENT_GUILD_MEMBERS, INTENT_GUILD_PRESENCES, INTENT_GUILDS, session::event, socket::End};
use crate::{
    state::State,
    world::{Guild, Id, Scene},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Members of a chunk.
const N_CHUNK: usize = 1000;
/// Members that a prefix or a list of ids finds.
const N_FOUND: usize = 100;
const MAX_NONCE_BYTES: usize = 32;

/// Answers with GUILD_MEMBERS_CHUNK.
pub(super) fn answer(state: &State, session: &str, asked: &Value) -> Result<(), End> {
    const BAD: End = End::Close(4002, "Error while decoding payload.");
    // Older libraries send a list of one.
    let guild_id = asked["guild_id"].as_array().and_then(|list| list.first()).unwrap_or(&asked["guild_id"]);
    let guild_id: Id = guild_id.as_str().and_then(|id| id.parse().ok()).or_else(|| guild_id.as_i64()).ok_or(BAD)?;
    let query = asked["query"].as_str();
    let wanted: Vec<String> = match &asked["user_ids"] {
        Value::Array(ids) => ids.iter().map(id_text).collect(),
        Value::Null => Vec::new(),
        one => vec![id_text(one)],
    };
    if query.is_none() && wanted.is_empty() {
        return Err(BAD);
    }
    let intents = state.hub.intents(session);
    let limit = asked["limit"].as_u64().unwrap_or(0) as usize;
    let is_whole = wanted.is_empty() && query == Some("");
    if is_whole && intents & INTENT_GUILD_MEMBERS == 0 {
        tracing::warn!("a bot asked for all members without the intent for members; it gets no answer");
        return Ok(());
    }
    let scene = state.world.now();
    let Some(guild) = scene.guild(guild_id).filter(|guild| guild.has_bot()) else {
        tracing::warn!(guild.id = guild_id, "a bot asked for the members of a guild that it is not in");
        return Ok(());
    };
    let nonce = asked["nonce"].as_str().filter(|nonce| nonce.len() <= MAX_NONCE_BYTES);
    if is_whole
        && limit == 0
        && let Err(wait_ms) = state.hub.may_ask_members(guild_id)
    {
        let mut meta = json!({ "guild_id": guild_id.to_string() });
        if let Some(nonce) = nonce {
            meta["nonce"] = json!(nonce);
        }
        let refusal = json!({ "opcode": 8, "retry_after": wait_ms as f64 / 1000.0, "meta": meta });
        state.hub.answer(session, &Dispatch { guild: Some(guild_id), ..event("RATE_LIMITED", refusal) });
        return Ok(());
    }
    let all = guild.members(&scene);
    let n_most = match limit {
        0 if is_whole => usize::MAX,
        _ if is_whole => limit,
        _ if wanted.is_empty() => limit.clamp(1, N_FOUND),
        _ => N_FOUND,
    };
    let prefix = query.unwrap_or_default().to_lowercase();
    let is_asked_for = |member: &&Value| {
        if wanted.is_empty() { names(member).any(|name| name.to_lowercase().starts_with(&prefix)) } else { wanted.contains(&id_of(member)) }
    };
    let found: Vec<&Value> = all.iter().filter(is_asked_for).take(n_most).collect();
    let missing: Vec<&String> = wanted.iter().filter(|id| !found.iter().any(|member| id_of(member) == **id)).collect();
    let shows_presences = asked["presences"] == true && intents & INTENT_GUILD_PRESENCES != 0;
    let mut chunks: Vec<&[&Value]> = found.chunks(N_CHUNK).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    for (number, members) in chunks.iter().enumerate() {
        let mut chunk = json!({
            "guild_id": guild_id.to_string(), "members": members, "chunk_index": number, "chunk_count": chunks.len(),
        });
        if !wanted.is_empty() {
            chunk["not_found"] = json!(missing);
        }
        if shows_presences {
            chunk["presences"] = members.iter().map(|member| presence(member, guild_id)).collect();
        }
        if let Some(nonce) = nonce {
            chunk["nonce"] = json!(nonce);
        }
        state.hub.answer(session, &Dispatch { guild: Some(guild_id), ..event("GUILD_MEMBERS_CHUNK", chunk) });
    }
    Ok(())
}

fn id_text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

fn id_of(member: &Value) -> String {
    id_text(&member["user"]["id"])
}

fn names(member: &Value) -> impl Iterator<Item = &str> {
    [&member["nick"], &member["user"]["username"], &member["user"]["global_name"]].into_iter().filter_map(Value::as_str)
}

/// GUILD_CREATE, with everyone online: in the sandbox nobody is ever away.
pub(crate) fn guild_created(scene: &Scene, guild: &Arc<Guild>) -> Dispatch {
    let mut data = guild.create_event(scene);
    let members = data["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    data["presences"] = members.iter().map(|member| presence(member, guild.id)).collect();
    Dispatch { guild: Some(guild.id), intent: INTENT_GUILDS, ..event("GUILD_CREATE", data) }
}

fn presence(member: &Value, guild_id: Id) -> Value {
    let user = json!({ "id": member["user"]["id"] });
    json!({ "user": user, "guild_id": guild_id.to_string(), "status": "online", "activities": [], "client_status": { "web": "online" } })
}
