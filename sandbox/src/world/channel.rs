use super::{APPLICATION, Guild, Id, Person, PrivateChannel, Thread, permission};
use serde_json::{Value, json};
use std::sync::Arc;

/// A channel: one of a guild's, a thread below one, somebody's direct messages with the bot, or one among people.
#[derive(Clone, Debug)]
pub(crate) enum Channel {
    Guild(Arc<Guild>, GuildChannel),
    /// With the channel that it hangs below.
    Thread(Arc<Guild>, GuildChannel, Box<Thread>),
    Dm(Person),
    /// With the people in it.
    Private(PrivateChannel, Vec<Person>),
}

/// A text channel of a guild.
#[derive(Clone, Debug, Default)]
pub(crate) struct GuildChannel {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) position: usize,
    pub(crate) overwrites: Vec<Overwrite>,
    pub(crate) is_nsfw: bool,
}

/// What a channel allows or denies a role or a member, beyond the guild's roles.
#[derive(Clone, Debug)]
pub(crate) struct Overwrite {
    pub(crate) id: Id,
    pub(crate) is_member: bool,
    pub(crate) allow: u64,
    pub(crate) deny: u64,
}

impl Channel {
    pub(crate) fn id(&self) -> Id {
        match self {
            Self::Guild(_, channel) => channel.id,
            Self::Thread(_, _, thread) => thread.id,
            Self::Dm(person) => person.dm_channel,
            Self::Private(channel, _) => channel.id,
        }
    }

    pub(crate) fn guild(&self) -> Option<&Arc<Guild>> {
        match self {
            Self::Guild(guild, _) | Self::Thread(guild, ..) => Some(guild),
            Self::Dm(_) | Self::Private(..) => None,
        }
    }

    pub(crate) fn guild_id(&self) -> Option<Id> {
        self.guild().map(|guild| guild.id)
    }

    pub(crate) fn thread(&self) -> Option<&Thread> {
        if let Self::Thread(_, _, thread) = self { Some(thread) } else { None }
    }

    pub(crate) fn is_nsfw(&self) -> bool {
        matches!(self, Self::Guild(_, channel) | Self::Thread(_, channel, _) if channel.is_nsfw)
    }

    /// What the bot or a person may do here.
    pub(crate) fn permissions_of(&self, user: Id) -> u64 {
        match self {
            Self::Guild(guild, channel) => permission::in_channel(guild, channel, user, false),
            Self::Thread(guild, parent, thread) => {
                let permissions = permission::in_channel(guild, parent, user, true);
                let is_let_in = !thread.is_private() || thread.has(user) || permissions & permission::MANAGE_THREADS != 0;
                if is_let_in { permissions } else { 0 }
            }
            Self::Dm(person) if person.id == user || user == APPLICATION => permission::DIRECT,
            Self::Private(channel, _) if channel.people.contains(&user) => permission::DIRECT,
            Self::Dm(_) | Self::Private(..) => 0,
        }
    }

    /// Whether this user has every bit of `required` here.
    pub(crate) fn allows(&self, user: Id, required: u64) -> bool {
        self.permissions_of(user) & required == required
    }

    /// Whether this user can see the channel.
    pub(crate) fn is_open_to(&self, user: Id) -> bool {
        self.allows(user, permission::VIEW_CHANNEL)
    }

    /// The bit that writing here needs.
    pub(crate) fn sending(&self) -> u64 {
        if self.thread().is_some() { permission::SEND_MESSAGES_IN_THREADS } else { permission::SEND_MESSAGES }
    }

    /// What an application may do here, as interactions tell it: its own permissions, or in direct messages what an answer
    /// can use. Where it is not a member that is a guess: what an ordinary member may.
    pub(crate) fn app_permissions(&self) -> u64 {
        match (self, self.guild()) {
            (Self::Private(..), _) => permission::DIRECT,
            (_, Some(guild)) if !guild.has_bot() => permission::MEMBER & !permission::CREATE_PUBLIC_THREADS,
            (_, Some(_)) => self.permissions_of(APPLICATION),
            (_, None) => permission::ANSWERING,
        }
    }

    /// What a file may weigh here.
    pub(crate) fn attachment_size_limit(&self) -> usize {
        self.guild().map_or(10 << 20, |guild| guild.attachment_size_limit)
    }

    /// The channel object; `last_message_id` as the store knows it.
    pub(crate) fn object(&self, last_message_id: Option<Id>) -> Value {
        let last_message_id = last_message_id.map(|id| id.to_string());
        match self {
            Self::Guild(guild, channel) => {
                let overwrites: Vec<Value> = channel.overwrites.iter().map(Overwrite::object).collect();
                json!({
                    "id": channel.id.to_string(), "type": 0, "guild_id": guild.id.to_string(), "name": channel.name,
                    "position": channel.position, "topic": null, "permission_overwrites": overwrites, "nsfw": channel.is_nsfw,
                    "rate_limit_per_user": 0, "last_message_id": last_message_id, "last_pin_timestamp": null, "parent_id": null,
                    "flags": 0,
                })
            }
            Self::Thread(_, _, thread) => thread.object(last_message_id.as_deref()),
            Self::Dm(person) => json!({
                "id": person.dm_channel.to_string(), "type": 1, "last_message_id": last_message_id, "recipients": [person.user()], "flags": 0,
            }),
            Self::Private(channel, people) => channel.object_for(people, APPLICATION, last_message_id.as_deref()),
        }
    }

    /// The channel as interactions carry it, with what `user` may do there.
    pub(crate) fn object_for(&self, user: Id) -> Value {
        if let Self::Private(channel, people) = self {
            return channel.object_for(people, user, None);
        }
        let mut object = self.object(None);
        if self.guild().is_some() {
            object["permissions"] = json!(self.permissions_of(user).to_string());
        }
        object
    }
}

impl Overwrite {
    fn object(&self) -> Value {
        let kind = i32::from(self.is_member);
        json!({ "id": self.id.to_string(), "type": kind, "allow": self.allow.to_string(), "deny": self.deny.to_string() })
    }
}
