//! What the bot must be allowed in a server, and the link that asks for it.

use poise::serenity_prelude::Permissions;

/// Scopes of the link: a member of the server, and commands.
const SCOPES: &str = "bot%20applications.commands";

/// Something that the bot must be allowed.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The permission.
    pub permission: Permissions,
    /// What Discord's settings call it.
    pub name: &'static str,
    /// Whether an answer to a command needs it; the others are for messages of the bot's own, after an answer's fifteen minutes.
    pub is_for_answers: bool,
}

/// All that the bot must be allowed, the only list of it.
pub const NEEDS: [Need; 6] = [
    Need { permission: Permissions::ATTACH_FILES, name: "Attach Files", is_for_answers: true },
    Need { permission: Permissions::EMBED_LINKS, name: "Embed Links", is_for_answers: true },
    Need { permission: Permissions::VIEW_CHANNEL, name: "View Channels", is_for_answers: false },
    Need { permission: Permissions::SEND_MESSAGES, name: "Send Messages", is_for_answers: false },
    Need { permission: Permissions::SEND_MESSAGES_IN_THREADS, name: "Send Messages in Threads", is_for_answers: false },
    // Whether a message has arrived of which nothing was heard is seen in the channel: it is never sent twice.
    Need { permission: Permissions::READ_MESSAGE_HISTORY, name: "Read Message History", is_for_answers: false },
];

/// The link by which a server's manager adds the bot.
pub fn invite_url(application: u64) -> String {
    let permissions = NEEDS.iter().fold(Permissions::empty(), |all, need| all | need.permission).bits();
    format!("https://discord.com/oauth2/authorize?client_id={application}&permissions={permissions}&scope={SCOPES}")
}
