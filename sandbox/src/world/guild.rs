use super::{APPLICATION, BotProfile, Channel, GuildChannel, Id, Scene, permission};
use crate::clock::timestamp;
use serde_json::{Value, json};
use std::{borrow::Cow, sync::Arc};

const JOINED_AT: &str = "2026-01-01T00:00:00.000000+00:00";

/// A guild with its roles, members and channels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guild {
    pub(crate) id: Id,
    pub(crate) name: Cow<'static, str>,
    /// Who made its emojis.
    pub(crate) bot: Arc<BotProfile>,
    pub(crate) owner: Id,
    /// The first one is everyone's and has the guild's own id.
    pub(crate) roles: Vec<Role>,
    pub(crate) members: Vec<Member>,
    pub(crate) channels: Vec<GuildChannel>,
    pub(crate) emojis: Vec<Emoji>,
    /// What a file may weigh, by the guild's boosts.
    pub(crate) attachment_size_limit: usize,
    pub(crate) premium_tier: u8,
    /// What faults took from the bot's role.
    pub(crate) taken_permissions: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) id: Id,
    pub(crate) name: Cow<'static, str>,
    pub(crate) permissions: u64,
    pub(crate) position: i64,
    /// Whether it is the bot's own.
    pub(crate) is_managed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) user: Id,
    pub(crate) roles: Vec<Id>,
    /// When their timeout ends, in milliseconds since 1970. The world forgets it then.
    pub(crate) timed_out_until_ms: Option<i64>,
}

/// An emoji of a guild's own.
#[derive(Clone, Debug)]
pub(crate) struct Emoji {
    pub(crate) id: Id,
    pub(crate) name: &'static str,
}

impl Guild {
    pub(crate) fn member(&self, user: Id) -> Option<&Member> {
        self.members.iter().find(|member| member.user == user)
    }

    pub(crate) fn channel(&self, id: Id) -> Option<&GuildChannel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// Whether the bot is a member, not merely used by people who installed it for themselves.
    pub(crate) fn has_bot(&self) -> bool {
        self.member(APPLICATION).is_some()
    }

    /// `owner`, `moderator` or `member`; `None` for somebody who is not in the guild.
    pub(crate) fn rank(&self, user: Id) -> Option<&'static str> {
        let permissions = permission::in_guild(self, user);
        self.member(user)?;
        Some(match user == self.owner {
            true => "owner",
            false if permissions & permission::MANAGE_MESSAGES != 0 => "moderator",
            false => "member",
        })
    }

    /// The bot's or a person's member object.
    pub(crate) fn member_object(&self, scene: &Scene, user: Id) -> Option<Value> {
        let member = self.member(user)?;
        let roles: Vec<String> = member.roles.iter().map(Id::to_string).collect();
        Some(json!({
            "user": scene.user(user)?, "nick": null, "avatar": null, "banner": null, "roles": roles, "joined_at": JOINED_AT,
            "premium_since": null, "deaf": false, "mute": false, "flags": 0, "pending": false,
            "communication_disabled_until": member.timed_out_until_ms.map(timestamp),
        }))
    }

    pub(crate) fn members(&self, scene: &Scene) -> Vec<Value> {
        self.members.iter().filter_map(|member| self.member_object(scene, member.user)).collect()
    }

    pub(crate) fn emojis(&self) -> Vec<Value> {
        self.emojis.iter().map(|emoji| emoji.object(&self.bot)).collect()
    }

    /// The guild as `GET /guilds/{id}` shows it.
    pub(crate) fn object(&self) -> Value {
        json!({
            "id": self.id.to_string(), "name": self.name, "icon": null, "splash": null, "discovery_splash": null, "banner": null,
            "home_header": null, "region": "deprecated", "owner_id": self.owner.to_string(), "afk_channel_id": null, "afk_timeout": 300,
            "verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0, "mfa_level": 0, "nsfw_level": 0,
            "nsfw": false, "roles": self.roles.iter().map(|role| role.object()).collect::<Vec<_>>(), "emojis": self.emojis(),
            "stickers": [], "features": [], "application_id": null, "system_channel_id": null, "system_channel_flags": 0,
            "rules_channel_id": null, "public_updates_channel_id": null, "safety_alerts_channel_id": null, "vanity_url_code": null,
            "description": null, "premium_tier": self.premium_tier, "premium_subscription_count": 0, "premium_progress_bar_enabled": false,
            "preferred_locale": "en-US", "max_presences": null, "max_members": 500_000, "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25, "widget_enabled": false, "widget_channel_id": null, "incidents_data": null,
        })
    }

    /// The guild as the gateway's GUILD_CREATE carries it.
    pub(crate) fn create_event(self: &Arc<Self>, scene: &Scene) -> Value {
        let mut event = self.object();
        let members = self.members(scene);
        let channels = self.channels.iter().map(|channel| Channel::Guild(Arc::clone(self), channel.clone()).object(None));
        let threads = scene.threads_of(self.id).filter(|thread| !thread.is_archived).filter_map(|thread| scene.channel(thread.id));
        let threads = threads.filter(|thread| thread.permissions_of(APPLICATION) & permission::VIEW_CHANNEL != 0);
        let extra = json!({
            "joined_at": JOINED_AT, "large": false, "unavailable": false, "member_count": members.len(), "voice_states": [],
            "members": members, "channels": channels.collect::<Vec<_>>(), "presences": [], "stage_instances": [],
            "threads": threads.map(|thread| thread.object(None)).collect::<Vec<_>>(),
            "guild_scheduled_events": [], "soundboard_sounds": [],
        });
        if let (Some(event), Value::Object(extra)) = (event.as_object_mut(), extra) {
            event.extend(extra);
        }
        event
    }
}

impl Role {
    pub(crate) fn object(&self) -> Value {
        let mut object = json!({
            "id": self.id.to_string(), "name": self.name, "color": 0,
            "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
            "hoist": false, "icon": null, "unicode_emoji": null, "position": self.position, "permissions": self.permissions.to_string(),
            "managed": self.is_managed, "mentionable": false, "flags": 0,
        });
        if self.is_managed {
            object["tags"] = json!({ "bot_id": APPLICATION.to_string() });
        }
        object
    }
}

impl Emoji {
    fn object(&self, maker: &BotProfile) -> Value {
        json!({
            "id": self.id.to_string(), "name": self.name, "roles": [], "user": maker.user(), "require_colons": true, "managed": false,
            "animated": false, "available": true,
        })
    }
}
