//! Who hears of what happens to messages and channels: the people who see the place, and the bot where it does.

use crate::{
    gateway::{
        Dispatch, INTENT_DIRECT_MESSAGE_REACTIONS, INTENT_DIRECT_MESSAGE_TYPING, INTENT_DIRECT_MESSAGES, INTENT_GUILD_MESSAGE_REACTIONS,
        INTENT_GUILD_MESSAGE_TYPING, INTENT_GUILD_MESSAGES, INTENT_GUILDS,
    },
    message::{show, show_as},
    privacy,
    state::State,
    store::messages::StoredMessage,
    world::{APPLICATION, Channel, Id, Thread},
};
use serde_json::{Value, json};

/// An event to people says nothing of who among them reacted.
const NOBODY: Id = 0;

/// Tells people and bots of a new message.
pub(crate) fn created(state: &State, message: &StoredMessage) {
    tell_people(state, "message_create", message, show_as(state, message, NOBODY));
    tell_bot(state, "MESSAGE_CREATE", message, show(state, message));
}

/// Tells people and bots of a changed message.
pub(crate) fn updated(state: &State, message: &StoredMessage) {
    reacted(state, message);
    tell_bot(state, "MESSAGE_UPDATE", message, show(state, message));
}

/// Tells people of a message whose reactions changed; the bot has events of its own for that.
pub(crate) fn reacted(state: &State, message: &StoredMessage) {
    tell_people(state, "message_update", message, show_as(state, message, NOBODY));
}

/// Tells people and bots of a deleted message.
pub(crate) fn deleted(state: &State, message: &StoredMessage) {
    let gone = gone(message);
    tell_people(state, "message_delete", message, gone.clone());
    tell_bot(state, "MESSAGE_DELETE", message, gone);
}

/// Tells people of each deleted message, and bots of all at once.
pub(crate) fn deleted_in_bulk(state: &State, channel: &Channel, messages: &[StoredMessage]) {
    for message in messages {
        tell_people(state, "message_delete", message, gone(message));
    }
    let ids: Vec<String> = messages.iter().map(|message| message.id.to_string()).collect();
    to_bot(state, channel, "MESSAGE_DELETE_BULK", json!({ "ids": ids, "channel_id": channel.id().to_string() }));
}

fn gone(message: &StoredMessage) -> Value {
    json!({ "id": message.id.to_string(), "channel_id": message.channel_id.to_string() })
}

/// Tells people and bots that a thread came, changed or went; `kind` is the gateway's.
pub(crate) fn thread(state: &State, kind: &'static str, thread: &Thread) {
    let scene = state.world.now();
    // A deleted thread is no longer in the world; its parent still is.
    let Some(channel) = scene.channel(thread.id).or_else(|| scene.channel(thread.parent)) else { return };
    let mut data = match kind {
        "THREAD_DELETE" => json!({
            "id": thread.id.to_string(), "guild_id": thread.guild.to_string(), "parent_id": thread.parent.to_string(), "type": thread.kind,
        }),
        _ => thread.object(None),
    };
    let told = match kind {
        "THREAD_CREATE" => "thread_create",
        "THREAD_DELETE" => "thread_delete",
        _ => "thread_update",
    };
    state.events.push_to(told, scene.audience(&channel), data.clone());
    if kind == "THREAD_CREATE" {
        data["newly_created"] = json!(true);
    }
    to_bot(state, &channel, kind, data);
}

/// Tells the people of a guild that it, or a channel of it, is other than before; `events` are what the bot was sent of it.
pub(crate) fn places(state: &State, events: &[Dispatch]) {
    let scene = state.world.now();
    for event in events {
        let channel = event.data["id"].as_str().and_then(|id| id.parse().ok()).and_then(|id| scene.channel(id));
        if let (Some(channel), "CHANNEL_UPDATE") = (channel, event.kind) {
            state.events.push_to("channel_update", scene.audience(&channel), event.data.clone());
        } else if let Some(guild) = event.guild.and_then(|id| scene.guild(id)) {
            let people = scene.people.iter().map(|person| person.id).filter(|id| guild.member(*id).is_some()).collect();
            let data = json!({ "id": guild.id.to_string(), "name": guild.name, "has_bot": guild.has_bot() });
            state.events.push_to("guild_update", people, data);
        }
    }
}

/// Tells the bot who came into a thread and who left it.
pub(crate) fn thread_members(state: &State, thread: &Thread, (joined, left): (&[Id], &[Id])) {
    let scene = state.world.now();
    let Some(channel) = scene.channel(thread.id) else { return };
    let added = joined.iter().filter_map(|id| {
        let mut member = thread.member_object(*id)?;
        member["member"] = channel.guild()?.member_object(&scene, *id)?;
        member["presence"] = Value::Null;
        Some(member)
    });
    let event = json!({
        "id": thread.id.to_string(), "member_count": thread.members.len().min(50), "added_members": added.collect::<Vec<_>>(),
        "removed_member_ids": left.iter().map(Id::to_string).collect::<Vec<_>>(),
    });
    to_bot(state, &channel, "THREAD_MEMBERS_UPDATE", event);
}

/// Tells people, and the bot unless it is the one who types.
pub(crate) fn typing(state: &State, channel: &Channel, user: Id) {
    let scene = state.world.now();
    let told = json!({ "channel_id": channel.id().to_string(), "user_id": user.to_string() });
    state.events.push_to("typing", scene.audience(channel), told.clone());
    if user != APPLICATION {
        let mut data = told;
        data["timestamp"] = json!(state.clock.now_ms() / 1000);
        if let Some(member) = channel.guild().and_then(|guild| guild.member_object(&scene, user)) {
            data["member"] = member;
        }
        to_bot(state, channel, "TYPING_START", data);
    }
}

/// Sends an event of a channel to the bot, if it sees the channel.
pub(crate) fn to_bot(state: &State, channel: &Channel, kind: &'static str, mut data: Value) {
    if !channel.is_open_to(APPLICATION) {
        return;
    }
    let guild = channel.guild_id();
    if let Some(guild) = guild {
        data["guild_id"] = json!(guild.to_string());
    }
    let place = |in_guild, direct| if guild.is_some() { in_guild } else { direct };
    let intent = match kind {
        "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE" | "MESSAGE_REACTION_REMOVE_ALL" | "MESSAGE_REACTION_REMOVE_EMOJI" => {
            place(INTENT_GUILD_MESSAGE_REACTIONS, INTENT_DIRECT_MESSAGE_REACTIONS)
        }
        "TYPING_START" => place(INTENT_GUILD_MESSAGE_TYPING, INTENT_DIRECT_MESSAGE_TYPING),
        "MESSAGE_DELETE_BULK" => place(INTENT_GUILD_MESSAGES, INTENT_DIRECT_MESSAGES),
        "CHANNEL_PINS_UPDATE" => place(INTENT_GUILDS, INTENT_DIRECT_MESSAGES),
        _ => INTENT_GUILDS,
    };
    state.hub.dispatch(&Dispatch { kind, data, intent, guild, is_private: false });
}

fn tell_people(state: &State, kind: &'static str, message: &StoredMessage, data: Value) {
    let scene = state.world.now();
    let audience = match (message.audience, scene.channel(message.channel_id)) {
        (Some(person), _) => vec![person],
        (None, Some(channel)) => scene.audience(&channel),
        (None, None) => return,
    };
    state.events.push_to(kind, audience, data);
}

fn tell_bot(state: &State, kind: &'static str, message: &StoredMessage, mut data: Value) {
    let scene = state.world.now();
    let channel = scene.channel(message.channel_id).filter(|channel| channel.is_open_to(APPLICATION));
    let Some(channel) = channel.filter(|_| message.audience.is_none()) else { return };
    let is_deletion = kind == "MESSAGE_DELETE";
    if let Some(guild) = channel.guild() {
        data["guild_id"] = json!(guild.id.to_string());
        if let Some(mut member) = guild.member_object(&scene, message.author_id).filter(|_| !is_deletion) {
            // The author is beside it.
            member.as_object_mut().map(|member| member.remove("user"));
            data["member"] = member;
        }
    }
    if let Some(nonce) = message.nonce.as_ref().filter(|_| kind == "MESSAGE_CREATE") {
        data["nonce"] = json!(nonce);
    }
    let guild = channel.guild_id();
    state.hub.dispatch(&Dispatch {
        kind,
        data,
        intent: if guild.is_some() { INTENT_GUILD_MESSAGES } else { INTENT_DIRECT_MESSAGES },
        guild,
        is_private: !is_deletion && privacy::is_private(&channel, message),
    });
}
