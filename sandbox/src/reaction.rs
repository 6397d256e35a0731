//! Reactions: who put which emoji under a message. They are kept in the message's body, where Discord's form of them is made from.

use crate::{
    announce::{reacted, to_bot},
    error::ApiError,
    state::State,
    store::{self, messages::StoredMessage},
    validate::items,
    world::{APPLICATION, Channel, Id, Scene, permission},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

/// Where a message's body keeps its reactions: `[{"emoji", "users": [id]}]`.
pub(crate) const FIELD: &str = "_reactions";
/// Different emojis under one message. Source: discord-api-docs, JSON error code 30010.
const N_EMOJIS: usize = 20;

/// Discord's `reactions` as `viewer` sees them.
pub(crate) fn show(kept: &Value, viewer: Id) -> Vec<Value> {
    let viewer = viewer.to_string();
    items(kept)
        .iter()
        .map(|kept| {
            let users = items(&kept["users"]);
            json!({
                "emoji": kept["emoji"], "count": users.len(), "count_details": { "burst": 0, "normal": users.len() }, "burst_colors": [],
                "me_burst": false, "me": users.iter().any(|user| *user == viewer),
            })
        })
        .collect()
}

/// Reads `👍` or `name:id`, an emoji of a guild that the bot is in.
pub(crate) fn emoji(scene: &Scene, text: &str) -> Result<Value, ApiError> {
    let unknown = || ApiError::new(StatusCode::BAD_REQUEST, 10014, "Unknown Emoji");
    if is_unicode_emoji(text) {
        return Ok(json!({ "id": null, "name": text }));
    }
    let (_, id) = text.rsplit_once(':').ok_or_else(unknown)?;
    let known = scene.bot_guilds().flat_map(|guild| &guild.emojis).find(|emoji| emoji.id.to_string() == id);
    known.map(|emoji| json!({ "id": id, "name": emoji.name, "animated": false })).ok_or_else(unknown)
}

fn is_unicode_emoji(text: &str) -> bool {
    let is_keycap = text.ends_with('\u{20e3}');
    let is_part = |c: char| match c {
        '\u{200d}' | '\u{fe0f}' | '\u{20e3}' | '\u{e0020}'..='\u{e007f}' => true,
        '0'..='9' | '#' | '*' => is_keycap,
        _ => is_picture(c),
    };
    let has_picture = text.chars().any(is_picture) || is_keycap;
    has_picture && text.chars().count() <= 16 && text.chars().all(is_part)
}

fn is_picture(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2190}'..='\u{2bff}' | '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}')
}

/// The ids of those who reacted with an emoji.
pub(crate) fn users(message: &StoredMessage, emoji: &Value) -> Vec<Id> {
    let kept = items(&message.body[FIELD]).iter().find(|kept| same(&kept["emoji"], emoji));
    kept.map(|kept| items(&kept["users"]).iter().filter_map(crate::message::id_of).collect()).unwrap_or_default()
}

fn same(one: &Value, other: &Value) -> bool {
    one["id"] == other["id"] && (!one["id"].is_null() || one["name"] == other["name"])
}

/// Adds a reaction; nothing happens where it is there already.
pub(crate) async fn add(
    db: &mut SqliteConnection,
    state: &State,
    (channel, message): (&Channel, &mut StoredMessage),
    user: Id,
    emoji: &Value,
) -> Result<(), ApiError> {
    let reacted_so = users(message, emoji);
    if reacted_so.contains(&user) {
        return Ok(());
    }
    if reacted_so.is_empty() && !channel.allows(user, permission::ADD_REACTIONS) {
        return Err(ApiError::missing_permissions());
    }
    let mut kept = items(&message.body[FIELD]).to_vec();
    if reacted_so.is_empty() {
        if kept.len() >= N_EMOJIS {
            let told = format!("Maximum number of reactions reached ({N_EMOJIS})");
            return Err(ApiError::new(StatusCode::BAD_REQUEST, 30010, told));
        }
        kept.push(json!({ "emoji": emoji, "users": [user.to_string()] }));
    } else if let Some(kept) = kept.iter_mut().find(|kept| same(&kept["emoji"], emoji)) {
        kept["users"] = json!(reacted_so.iter().chain([&user]).map(Id::to_string).collect::<Vec<_>>());
    }
    message.body[FIELD] = json!(kept);
    store::messages::save(db, message).await?;
    let scene = state.world.now();
    let mut event = change(message, user, emoji);
    event["type"] = json!(0);
    event["message_author_id"] = json!(message.author_id.to_string());
    if let Some(member) = channel.guild().and_then(|guild| guild.member_object(&scene, user)) {
        event["member"] = member;
    }
    reacted(state, message);
    to_bot(state, channel, "MESSAGE_REACTION_ADD", event);
    Ok(())
}

/// Takes a user's reaction back; nothing happens where there is none.
pub(crate) async fn remove(
    db: &mut SqliteConnection,
    state: &State,
    (channel, message): (&Channel, &mut StoredMessage),
    user: Id,
    emoji: &Value,
) -> Result<(), ApiError> {
    let left: Vec<String> = users(message, emoji).into_iter().filter(|other| *other != user).map(|other| other.to_string()).collect();
    let mut kept = items(&message.body[FIELD]).to_vec();
    let Some(position) = kept.iter().position(|kept| same(&kept["emoji"], emoji)) else { return Ok(()) };
    if left.len() == items(&kept[position]["users"]).len() {
        return Ok(());
    }
    if left.is_empty() {
        kept.remove(position);
    } else {
        kept[position]["users"] = json!(left);
    }
    message.body[FIELD] = json!(kept);
    store::messages::save(db, message).await?;
    let mut event = change(message, user, emoji);
    event["type"] = json!(0);
    reacted(state, message);
    to_bot(state, channel, "MESSAGE_REACTION_REMOVE", event);
    Ok(())
}

/// Takes every reaction away, or all with one emoji.
pub(crate) async fn clear(
    db: &mut SqliteConnection,
    state: &State,
    (channel, message): (&Channel, &mut StoredMessage),
    emoji: Option<&Value>,
) -> Result<(), ApiError> {
    let mut kept = items(&message.body[FIELD]).to_vec();
    kept.retain(|kept| emoji.is_some_and(|emoji| !same(&kept["emoji"], emoji)));
    message.body[FIELD] = json!(kept);
    store::messages::save(db, message).await?;
    let mut event = json!({ "channel_id": message.channel_id.to_string(), "message_id": message.id.to_string() });
    reacted(state, message);
    match emoji {
        Some(emoji) => {
            event["emoji"] = emoji.clone();
            to_bot(state, channel, "MESSAGE_REACTION_REMOVE_EMOJI", event);
        }
        None => to_bot(state, channel, "MESSAGE_REACTION_REMOVE_ALL", event),
    }
    Ok(())
}

fn change(message: &StoredMessage, user: Id, emoji: &Value) -> Value {
    json!({
        "user_id": user.to_string(), "channel_id": message.channel_id.to_string(), "message_id": message.id.to_string(), "emoji": emoji,
        "burst": false,
    })
}

/// The bot must see what was said to react to it.
pub(crate) fn check_history(channel: &Channel) -> Result<(), ApiError> {
    if channel.allows(APPLICATION, permission::READ_MESSAGE_HISTORY) { Ok(()) } else { Err(ApiError::missing_permissions()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_emojis_are_emojis() {
        let check = |text, expected| assert_eq!(is_unicode_emoji(text), expected, "{text}");
        for emoji in ["👍", "❤️", "👩‍🎨", "🇫🇷", "1️⃣", "✅", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"] {
            check(emoji, true);
        }
        for text in ["", "a", "12", "👍a", "thumbsup", "\u{200d}", "name:5"] {
            check(text, false);
        }
    }
}
