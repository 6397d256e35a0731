//! Who pressed a button, sent a form or used a command, and where.

use poise::serenity_prelude as serenity;
use storage::{GuildId, Job, RoleId, UserId};

use crate::{
    chosen::Chosen,
    discord::{places::Place, venue_of},
    jobs::received::Promise,
    policy::Venue,
};

/// Who pressed a button or sent a form, and where.
pub struct Presser<'a> {
    /// The interaction's id: the same interaction twice is one job.
    pub key: String,
    /// What the answer is sent with.
    pub token: &'a str,
    /// The person.
    pub user: UserId,
    /// Where the bot is used.
    pub venue: Venue,
    /// The guild.
    pub guild: Option<serenity::GuildId>,
    /// The channel.
    pub channel: serenity::ChannelId,
    /// The message that waits for the answer.
    pub message: Option<u64>,
    /// What the bot may do there.
    pub app_permissions: Option<serenity::Permissions>,
    /// What they, the channel and the guild chose; nothing before it was looked up.
    pub chosen: Chosen,
    /// Whether the answer is for them alone.
    pub is_private: bool,
    details: Option<&'a serenity::PartialChannel>,
    member: Option<&'a serenity::Member>,
}

impl<'a> Presser<'a> {
    /// Who pressed a button.
    pub fn of_press(press: &'a serenity::ComponentInteraction) -> Self {
        Self {
            key: press.id.to_string(),
            token: &press.token,
            user: UserId(press.user.id.get()),
            venue: venue_of(press.guild_id, press.context, &press.authorizing_integration_owners),
            guild: press.guild_id,
            channel: press.channel_id,
            message: None,
            app_permissions: press.app_permissions,
            chosen: Chosen::default(),
            is_private: false,
            details: press.channel.as_ref(),
            member: press.member.as_ref(),
        }
    }

    /// Who used a command.
    pub fn of_command(command: &'a serenity::CommandInteraction) -> Self {
        Self {
            key: command.id.to_string(),
            token: &command.token,
            user: UserId(command.user.id.get()),
            venue: venue_of(command.guild_id, command.context, &command.authorizing_integration_owners),
            guild: command.guild_id,
            channel: command.channel_id,
            message: None,
            app_permissions: command.app_permissions,
            chosen: Chosen::default(),
            is_private: false,
            details: command.channel.as_ref(),
            member: command.member.as_deref(),
        }
    }

    /// Who sent a form that opened at this venue.
    pub fn of_form(form: &'a serenity::ModalInteraction, venue: Venue) -> Self {
        Self {
            key: form.id.to_string(),
            token: &form.token,
            user: UserId(form.user.id.get()),
            venue,
            guild: form.guild_id,
            channel: form.channel_id,
            message: None,
            app_permissions: form.app_permissions,
            chosen: Chosen::default(),
            is_private: false,
            details: form.channel.as_ref(),
            member: form.member.as_ref(),
        }
    }

    /// The channel whose choices hold: of a thread the one that it hangs below.
    pub fn choosing_channel(&self) -> u64 {
        self.place().and_then(|place| place.parent).unwrap_or(self.channel).get()
    }

    /// How a message with pictures is promised to them.
    pub fn promise(&self) -> Promise {
        if self.is_private { Promise::Alone } else { Promise::Message }
    }

    /// The key of a press: where the answer is for them alone, their own.
    pub fn own_press(&self, key: String) -> String {
        if self.is_private { format!("{}:{key}", self.user.0) } else { key }
    }

    /// Who pays: the guild that installed the bot, or the user in direct messages and where only the user did.
    pub fn payer(&self) -> GuildId {
        match self.venue {
            Venue::Guild(guild) => GuildId(guild),
            Venue::Direct | Venue::UserInstall => GuildId(self.user.0),
        }
    }

    /// Their roles where they are, whoever pays.
    pub fn roles(&self) -> Vec<RoleId> {
        self.member.map_or_else(Vec::new, |member| member.roles.iter().map(|role| RoleId(role.get())).collect())
    }

    /// The place in the guild; `None` in direct messages.
    pub fn place(&self) -> Option<Place<'a>> {
        Place::of(self.guild, self.channel, self.details, self.member)
    }

    fn may(&self, permissions: serenity::Permissions) -> bool {
        let own = self.member.and_then(|member| member.permissions).unwrap_or_default();
        matches!(self.venue, Venue::Guild(_)) && own.intersects(permissions | serenity::Permissions::ADMINISTRATOR)
    }

    /// Whether they manage the guild that pays.
    pub fn is_manager(&self) -> bool {
        self.may(serenity::Permissions::MANAGE_GUILD)
    }

    /// Whether they see to order in the guild that pays.
    pub fn is_moderator(&self) -> bool {
        self.may(serenity::Permissions::MANAGE_GUILD | serenity::Permissions::MANAGE_MESSAGES)
    }

    /// Whether they may stop or delete a job: its owner, and moderators.
    pub fn may_end(&self, job: &Job) -> bool {
        let permissions = self.member.and_then(|member| member.permissions).unwrap_or_default();
        self.user == job.user || permissions.intersects(serenity::Permissions::MANAGE_MESSAGES | serenity::Permissions::ADMINISTRATOR)
    }
}
