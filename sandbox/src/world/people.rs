use super::{APPLICATION, Id};
use serde_json::{Value, json};

/// A person of the sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: Id,
    pub(crate) name: &'static str,
    /// The channel of their direct messages with the bot.
    pub(crate) dm_channel: Id,
    /// Whether the bot may write to them there.
    pub(crate) accepts_dms: bool,
}

impl Person {
    pub(crate) fn user(&self) -> Value {
        let mut shown = self.name.to_owned();
        shown[..1].make_ascii_uppercase();
        user_object(self.id, self.name, &shown, false)
    }
}

/// The bot's own user object.
pub(crate) fn bot_user() -> Value {
    user_object(APPLICATION, "atelier", "Atelier", true)
}

fn user_object(id: Id, username: &str, global_name: &str, is_bot: bool) -> Value {
    json!({
        "id": id.to_string(), "username": username, "discriminator": "0", "global_name": global_name, "avatar": null,
        "bot": is_bot, "system": false, "flags": 0, "public_flags": 0, "banner": null, "accent_color": null,
        "avatar_decoration_data": null, "collectibles": null, "primary_guild": null,
    })
}
