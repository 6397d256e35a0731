//! What an application without the intent for message content does not get to read.
//! Source: discord-api-docs, events/gateway, "Message Content Intent".

use crate::{
    gateway::INTENT_MESSAGE_CONTENT,
    message,
    state::State,
    store::messages::StoredMessage,
    validate::items,
    world::{APPLICATION, Channel},
};
use serde_json::{Value, json};

/// Whether a message's content needs the intent: a person's in a guild that does not mention the bot.
pub(crate) fn is_private(channel: &Channel, message: &StoredMessage) -> bool {
    let mentions_bot = || items(&message.body["mentions"]).iter().any(is_bot);
    channel.guild().is_some() && message.author_id != APPLICATION && !mentions_bot()
}

/// Whether the intent is switched on for the application, which decides for the HTTP API whatever a session asked for.
pub(crate) fn has_content_intent(state: &State) -> bool {
    state.hub.config.privileged_intents & INTENT_MESSAGE_CONTENT != 0
}

/// The message as the HTTP API gives it to the bot.
pub(crate) fn show(state: &State, channel: &Channel, message: &StoredMessage) -> Value {
    let shown = message::show(state, message);
    match shown {
        shown if has_content_intent(state) => shown,
        shown if is_private(channel, message) => without_content(&shown),
        mut shown if channel.guild().is_some() => {
            hide_referenced(&mut shown);
            shown
        }
        shown => shown,
    }
}

/// Whether a user object is the bot's.
pub(crate) fn is_bot(user: &Value) -> bool {
    message::id_of(&user["id"]) == Some(APPLICATION)
}

/// A message object with the fields empty that hold what people wrote.
pub(crate) fn without_content(message: &Value) -> Value {
    let mut blank = message.clone();
    let Some(fields) = blank.as_object_mut() else { return blank };
    for (field, value) in fields.iter_mut() {
        match field.as_str() {
            "content" => *value = json!(""),
            "embeds" | "attachments" | "components" => *value = json!([]),
            _ => {}
        }
    }
    fields.remove("poll");
    hide_referenced(&mut blank);
    blank
}

fn hide_referenced(message: &mut Value) {
    let referenced = &message["referenced_message"];
    let is_readable = is_bot(&referenced["author"]) || items(&referenced["mentions"]).iter().any(is_bot);
    if referenced.is_object() && !is_readable {
        let blank = without_content(referenced);
        message["referenced_message"] = blank;
    }
}
