//! The fixed world: two guilds, three people, one bot, and what each may do where.

use serde_json::{Value, json};

/// A snowflake. Discord's ids are below 2^63.
pub(crate) type Id = i64;

pub(crate) const APPLICATION: Id = 1_000_000_000_000_000_001;
const OWNER_ROLE_OFFSET: Id = 0;
const MODERATOR_ROLE_OFFSET: Id = 1;
const BOT_ROLE_OFFSET: Id = 2;

/// Names of Discord's permission bits that the stand-in uses. Source: discord-api-docs, topics/permissions.
pub(crate) mod permission {
    pub(crate) const ADD_REACTIONS: u64 = 1 << 6;
    pub(crate) const ADMINISTRATOR: u64 = 1 << 3;
    pub(crate) const MANAGE_GUILD: u64 = 1 << 5;
    pub(crate) const VIEW_CHANNEL: u64 = 1 << 10;
    pub(crate) const SEND_MESSAGES: u64 = 1 << 11;
    pub(crate) const MANAGE_MESSAGES: u64 = 1 << 13;
    pub(crate) const EMBED_LINKS: u64 = 1 << 14;
    pub(crate) const ATTACH_FILES: u64 = 1 << 15;
    pub(crate) const READ_MESSAGE_HISTORY: u64 = 1 << 16;
    pub(crate) const USE_EXTERNAL_EMOJIS: u64 = 1 << 18;
    pub(crate) const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
    pub(crate) const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;
    /// Every bit that Discord defines today.
    pub(crate) const ALL: u64 = (1 << 53) - 1;
    /// What everyone may do.
    pub(crate) const EVERYONE: u64 = VIEW_CHANNEL
        | SEND_MESSAGES
        | EMBED_LINKS
        | ATTACH_FILES
        | READ_MESSAGE_HISTORY
        | ADD_REACTIONS
        | USE_EXTERNAL_EMOJIS
        | USE_APPLICATION_COMMANDS
        | SEND_MESSAGES_IN_THREADS;
}

/// What a person is in both guilds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    Owner,
    Moderator,
    Member,
}

/// A person of the sandbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) id: Id,
    pub(crate) name: &'static str,
    pub(crate) rank: Rank,
    /// The channel of their direct messages with the bot.
    pub(crate) dm_channel: Id,
}

/// A guild with its text channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guild {
    pub(crate) id: Id,
    pub(crate) name: &'static str,
    pub(crate) channels: &'static [(Id, &'static str)],
}

/// A channel: one of a guild's, or somebody's direct messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Channel {
    Guild(&'static Guild, Id, &'static str),
    Dm(&'static Person),
}

pub(crate) static PEOPLE: [Person; 3] = [
    Person { id: 1_000_000_000_000_000_011, name: "ada", rank: Rank::Owner, dm_channel: 1_000_000_000_000_000_021 },
    Person { id: 1_000_000_000_000_000_012, name: "grace", rank: Rank::Moderator, dm_channel: 1_000_000_000_000_000_022 },
    Person { id: 1_000_000_000_000_000_013, name: "linus", rank: Rank::Member, dm_channel: 1_000_000_000_000_000_023 },
];

pub(crate) static GUILDS: [Guild; 2] = [
    Guild {
        id: 1_000_000_000_000_000_100,
        name: "Atelier sandbox",
        channels: &[(1_000_000_000_000_000_110, "general"), (1_000_000_000_000_000_111, "gallery")],
    },
    Guild { id: 1_000_000_000_000_000_200, name: "Second studio", channels: &[(1_000_000_000_000_000_210, "general")] },
];

pub(crate) fn person(id: Id) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}

pub(crate) fn guild(id: Id) -> Option<&'static Guild> {
    GUILDS.iter().find(|guild| guild.id == id)
}

pub(crate) fn channel(id: Id) -> Option<Channel> {
    let in_guild = GUILDS.iter().find_map(|guild| {
        let (_, name) = guild.channels.iter().find(|(channel_id, _)| *channel_id == id)?;
        Some(Channel::Guild(guild, id, name))
    });
    in_guild.or_else(|| PEOPLE.iter().find(|person| person.dm_channel == id).map(Channel::Dm))
}

/// The person or the bot behind an id.
pub(crate) fn user(id: Id) -> Option<Value> {
    if id == APPLICATION {
        return Some(bot_user());
    }
    person(id).map(Person::user)
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

fn role(guild: &Guild, offset: Id, name: &str, permissions: u64) -> Value {
    // The role of everyone has the guild's own id.
    let id = if name == "@everyone" { guild.id } else { guild.id + 1 + offset };
    json!({
        "id": id.to_string(), "name": name, "color": 0,
        "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
        "hoist": false, "icon": null, "unicode_emoji": null, "position": if id == guild.id { 0 } else { 1 + offset },
        "permissions": permissions.to_string(), "managed": offset == BOT_ROLE_OFFSET && id != guild.id, "mentionable": false, "flags": 0,
    })
}

impl Rank {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Moderator => "moderator",
            Self::Member => "member",
        }
    }

    fn role_offset(self) -> Option<Id> {
        match self {
            Self::Owner => Some(OWNER_ROLE_OFFSET),
            Self::Moderator => Some(MODERATOR_ROLE_OFFSET),
            Self::Member => None,
        }
    }
}

impl Person {
    pub(crate) fn user(&self) -> Value {
        let mut shown = self.name.to_owned();
        shown[..1].make_ascii_uppercase();
        user_object(self.id, self.name, &shown, false)
    }

    /// What this person may do in a guild's channels: the sum of their roles, and everything for the owner.
    pub(crate) fn permissions(&self) -> u64 {
        match self.rank {
            Rank::Owner => permission::ALL,
            Rank::Moderator => permission::EVERYONE | permission::MANAGE_MESSAGES,
            Rank::Member => permission::EVERYONE,
        }
    }

    /// Whether this person has every bit of `required`.
    pub(crate) fn may(&self, required: u64) -> bool {
        self.permissions() & required == required
    }

    pub(crate) fn member(&self, guild: &Guild) -> Value {
        let roles: Vec<String> = self.rank.role_offset().iter().map(|offset| (guild.id + 1 + offset).to_string()).collect();
        json!({
            "user": self.user(), "nick": null, "avatar": null, "banner": null, "roles": roles,
            "joined_at": "2026-01-01T00:00:00.000000+00:00", "premium_since": null, "deaf": false, "mute": false, "flags": 0,
            "pending": false, "permissions": self.permissions().to_string(), "communication_disabled_until": null,
        })
    }
}

impl Guild {
    fn bot_member(&self) -> Value {
        json!({
            "user": bot_user(), "nick": null, "avatar": null, "banner": null, "roles": [(self.id + 1 + BOT_ROLE_OFFSET).to_string()],
            "joined_at": "2026-01-01T00:00:00.000000+00:00", "premium_since": null, "deaf": false, "mute": false, "flags": 0,
            "pending": false, "communication_disabled_until": null,
        })
    }

    /// The bot's or a person's member object.
    pub(crate) fn member(&self, id: Id) -> Option<Value> {
        if id == APPLICATION { Some(self.bot_member()) } else { person(id).map(|person| person.member(self)) }
    }

    /// The guild as `GET /guilds/{id}` shows it.
    pub(crate) fn object(&self) -> Value {
        json!({
            "id": self.id.to_string(), "name": self.name, "icon": null, "splash": null, "discovery_splash": null, "banner": null,
            "owner_id": PEOPLE[0].id.to_string(), "afk_channel_id": null, "afk_timeout": 300, "verification_level": 0,
            "default_message_notifications": 0, "explicit_content_filter": 0, "mfa_level": 0, "nsfw_level": 0, "nsfw": false,
            "roles": [
                role(self, 0, "@everyone", permission::EVERYONE),
                role(self, OWNER_ROLE_OFFSET, "Owner", permission::ADMINISTRATOR | permission::MANAGE_GUILD),
                role(self, MODERATOR_ROLE_OFFSET, "Moderator", permission::MANAGE_MESSAGES),
                role(self, BOT_ROLE_OFFSET, "Atelier", permission::EVERYONE),
            ],
            "emojis": [], "stickers": [], "features": [], "application_id": null, "system_channel_id": null, "system_channel_flags": 0,
            "rules_channel_id": null, "public_updates_channel_id": null, "safety_alerts_channel_id": null, "vanity_url_code": null,
            "description": null, "premium_tier": 0, "premium_subscription_count": 0, "premium_progress_bar_enabled": false,
            "preferred_locale": "en-US", "max_members": 500_000, "widget_enabled": false, "incidents_data": null,
        })
    }

    /// The guild as the gateway's GUILD_CREATE carries it.
    pub(crate) fn create_event(&self) -> Value {
        let mut event = self.object();
        let mut members: Vec<Value> = PEOPLE.iter().map(|person| person.member(self)).collect();
        members.push(self.bot_member());
        let channels: Vec<Value> = self.channels.iter().filter_map(|(id, _)| channel(*id)).map(|channel| channel.object(None)).collect();
        let extra = json!({
            "joined_at": "2026-01-01T00:00:00.000000+00:00", "large": false, "unavailable": false, "member_count": members.len(),
            "voice_states": [], "members": members, "channels": channels, "threads": [], "presences": [], "stage_instances": [],
            "guild_scheduled_events": [], "soundboard_sounds": [],
        });
        if let (Some(event), Value::Object(extra)) = (event.as_object_mut(), extra) {
            event.extend(extra);
        }
        event
    }
}

impl Channel {
    pub(crate) fn id(&self) -> Id {
        match self {
            Self::Guild(_, id, _) => *id,
            Self::Dm(person) => person.dm_channel,
        }
    }

    pub(crate) fn guild(&self) -> Option<&'static Guild> {
        match self {
            Self::Guild(guild, ..) => Some(guild),
            Self::Dm(_) => None,
        }
    }

    /// Whether this person can see the channel.
    pub(crate) fn is_open_to(&self, id: Id) -> bool {
        match self {
            Self::Guild(..) => true,
            Self::Dm(person) => person.id == id,
        }
    }

    /// What the bot may do here.
    pub(crate) fn app_permissions(&self) -> u64 {
        permission::EVERYONE
    }

    /// The channel object; `last_message_id` as the store knows it.
    pub(crate) fn object(&self, last_message_id: Option<Id>) -> Value {
        let last_message_id = last_message_id.map(|id| id.to_string());
        match self {
            Self::Guild(guild, id, name) => json!({
                "id": id.to_string(), "type": 0, "guild_id": guild.id.to_string(), "name": name, "position": id % 10, "topic": null,
                "permission_overwrites": [], "nsfw": false, "rate_limit_per_user": 0, "last_message_id": last_message_id,
                "last_pin_timestamp": null, "parent_id": null, "flags": 0,
            }),
            Self::Dm(person) => json!({
                "id": person.dm_channel.to_string(), "type": 1, "last_message_id": last_message_id, "recipients": [person.user()], "flags": 0,
            }),
        }
    }
}
