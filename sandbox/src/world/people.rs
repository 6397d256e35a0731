use super::{APPLICATION, Id};
use serde_json::{Value, json};

/// What the bot is called and how it looks: a stranger's, unless somebody says otherwise.
#[derive(Clone, Debug)]
pub struct BotProfile {
    /// Its name, and that of its role.
    pub name: String,
    /// The colour of its avatar; without one it is grey.
    pub accent_color: Option<u32>,
}

impl Default for BotProfile {
    fn default() -> Self {
        Self { name: "Your bot".to_owned(), accent_color: None }
    }
}

impl BotProfile {
    /// The bot's own user object.
    pub(crate) fn user(&self) -> Value {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_');
        let username: String = self.name.to_lowercase().chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
        let mut user = user_object(APPLICATION, &username, &self.name, true);
        user["accent_color"] = json!(self.accent_color);
        user
    }
}

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

fn user_object(id: Id, username: &str, global_name: &str, is_bot: bool) -> Value {
    json!({
        "id": id.to_string(), "username": username, "discriminator": "0", "global_name": global_name, "avatar": null,
        "bot": is_bot, "system": false, "flags": 0, "public_flags": 0, "banner": null, "accent_color": null,
        "avatar_decoration_data": null, "collectibles": null, "primary_guild": null,
    })
}
