//! What a test takes from the bot, and gives back. Each change returns the events that tell of it.

use super::{APPLICATION, Channel, Guild, Id, Member, Overwrite, World};
use crate::gateway::{Dispatch, INTENT_GUILDS, guild_created};
use serde_json::{Value, json};
use std::sync::Arc;

/// AutoMod knows this many words; the oldest go first.
const N_BLOCKED: usize = 1000;

impl World {
    /// The guild throws the bot out. Nothing happens where it is not a member.
    pub(crate) fn remove_guild(&self, id: Id) -> Vec<Dispatch> {
        let was_there = self.change_guild(id, |guild| {
            let n_members = guild.members.len();
            guild.members.retain(|member| member.user != APPLICATION);
            guild.members.len() < n_members
        });
        // `unavailable` is absent: that would be an outage.
        let gone = was_there == Some(true);
        gone.then(|| event("GUILD_DELETE", id, json!({ "id": id.to_string() }))).into_iter().collect()
    }

    /// The guild lets the bot in again, with the role that it had.
    pub(crate) fn restore_guild(&self, id: Id) -> Vec<Dispatch> {
        let was_away = self.change_guild(id, |guild| {
            let role = guild.roles.iter().find(|role| role.is_managed).map(|role| role.id);
            let Some(role) = role.filter(|_| !guild.has_bot()) else { return false };
            guild.members.push(Member { user: APPLICATION, roles: vec![role], timed_out_until_ms: None });
            true
        });
        let scene = self.now();
        let back = scene.guild(id).filter(|_| was_away == Some(true));
        back.map(|guild| guild_created(&scene, &guild)).into_iter().collect()
    }

    /// Takes permissions from the bot's role in a guild, or from the bot in one channel.
    pub(crate) fn remove_permission(&self, guild: Id, channel: Option<Id>, bits: u64) -> Vec<Dispatch> {
        match channel {
            Some(channel) => self.overwrite(guild, channel, |own| {
                own.deny |= bits;
                own.allow &= !bits;
            }),
            None => self.change_role(guild, |permissions, taken| {
                *taken |= *permissions & bits;
                *permissions &= !bits;
            }),
        }
    }

    /// Undoes [`World::remove_permission`]: gives back what the bot had.
    pub(crate) fn restore_permission(&self, guild: Id, channel: Option<Id>, bits: u64) -> Vec<Dispatch> {
        match channel {
            Some(channel) => self.overwrite(guild, channel, |own| own.deny &= !bits),
            None => self.change_role(guild, |permissions, taken| {
                *permissions |= *taken & bits;
                *taken &= !bits;
            }),
        }
    }

    /// AutoMod refuses messages with this word, `n` times or for ever. Nobody is told by the gateway.
    pub(crate) fn block_word(&self, word: &str, n: Option<u64>) -> Vec<Dispatch> {
        let word = word.trim().to_lowercase();
        if !word.is_empty() && n != Some(0) {
            self.change(|scene| {
                scene.blocked.retain(|(known, _)| *known != word);
                if scene.blocked.len() == N_BLOCKED {
                    scene.blocked.remove(0);
                }
                scene.blocked.push((word, n));
            });
        }
        Vec::new()
    }

    /// Undoes [`World::block_word`].
    pub(crate) fn unblock_word(&self, word: &str) {
        let word = word.trim().to_lowercase();
        self.change(|scene| scene.blocked.retain(|(known, _)| *known != word));
    }

    /// AutoMod refuses nothing any more.
    pub(crate) fn unblock_words(&self) {
        self.change(|scene| scene.blocked.clear());
    }

    fn change_guild<T>(&self, id: Id, change: impl FnOnce(&mut Guild) -> T) -> Option<T> {
        self.change(|scene| scene.guilds.iter_mut().find(|guild| guild.id == id).map(|guild| change(Arc::make_mut(guild))))
    }

    fn change_role(&self, id: Id, change: impl FnOnce(&mut u64, &mut u64)) -> Vec<Dispatch> {
        let changed = self.change_guild(id, |guild| {
            let role = guild.roles.iter_mut().find(|role| role.is_managed)?;
            let before = role.permissions;
            change(&mut role.permissions, &mut guild.taken_permissions);
            (role.permissions != before).then(|| role.object())
        });
        let told = |role: Value| event("GUILD_ROLE_UPDATE", id, json!({ "guild_id": id.to_string(), "role": role }));
        changed.flatten().map(told).into_iter().collect()
    }

    fn overwrite(&self, guild_id: Id, channel_id: Id, change: impl FnOnce(&mut Overwrite)) -> Vec<Dispatch> {
        let changed = self.change_guild(guild_id, |guild| {
            let channel = guild.channels.iter_mut().find(|channel| channel.id == channel_id)?;
            let position = channel.overwrites.iter().position(|own| own.id == APPLICATION);
            let mut own =
                position.map_or(Overwrite { id: APPLICATION, is_member: true, allow: 0, deny: 0 }, |n| channel.overwrites.remove(n));
            change(&mut own);
            if own.allow | own.deny != 0 {
                channel.overwrites.push(own);
            }
            Some(channel.clone())
        });
        let told = |channel| Some(event("CHANNEL_UPDATE", guild_id, Channel::Guild(self.now().guild(guild_id)?, channel).object(None)));
        changed.flatten().and_then(told).into_iter().collect()
    }
}

fn event(kind: &'static str, guild: Id, data: Value) -> Dispatch {
    Dispatch { kind, data, intent: INTENT_GUILDS, guild: Some(guild), is_private: false }
}

#[cfg(test)]
mod tests {
    use super::{super::permission, *};
    use crate::clock::Clock;

    const SANDBOX: Id = 1_000_000_000_000_000_100;
    const GENERAL: Id = 1_000_000_000_000_000_110;

    fn bot_may(world: &World, bits: u64) -> bool {
        world.now().channel(GENERAL).expect("general is there").allows(APPLICATION, bits)
    }

    #[test]
    fn what_is_taken_is_told_and_comes_back() {
        let world = World::new(Clock::System, Vec::new(), crate::BotProfile::default(), String::new());
        let kinds = |events: Vec<Dispatch>| events.iter().map(|event| event.kind).collect::<Vec<_>>();
        let files = permission::ATTACH_FILES;
        assert_eq!(kinds(world.remove_permission(SANDBOX, None, files)), ["GUILD_ROLE_UPDATE"]);
        assert!(!bot_may(&world, files));
        assert!(kinds(world.remove_permission(SANDBOX, None, files)).is_empty(), "it was gone already");
        assert_eq!(kinds(world.restore_permission(SANDBOX, None, files)), ["GUILD_ROLE_UPDATE"]);
        assert!(bot_may(&world, files));
        let never_had = permission::MANAGE_MESSAGES;
        assert!(kinds(world.remove_permission(SANDBOX, None, never_had)).is_empty());
        assert!(kinds(world.restore_permission(SANDBOX, None, never_had)).is_empty() && !bot_may(&world, never_had));
        let told = world.remove_permission(SANDBOX, Some(GENERAL), files);
        assert_eq!(told[0].data["permission_overwrites"][0]["deny"], files.to_string());
        assert!(!bot_may(&world, files));
        world.restore_permission(SANDBOX, Some(GENERAL), files);
        assert!(bot_may(&world, files));
        let gone = world.remove_guild(SANDBOX);
        assert!(gone[0].kind == "GUILD_DELETE" && gone[0].data.get("unavailable").is_none());
        assert!(!bot_may(&world, permission::VIEW_CHANNEL) && world.remove_guild(SANDBOX).is_empty());
        assert_eq!(kinds(world.restore_guild(SANDBOX)), ["GUILD_CREATE"]);
        assert!(bot_may(&world, permission::VIEW_CHANNEL) && world.restore_guild(SANDBOX).is_empty());
    }

    #[test]
    fn a_blocked_word_is_counted_down() {
        let world = World::new(Clock::System, Vec::new(), crate::BotProfile::default(), String::new());
        world.block_word(" Frog ", Some(2));
        let found = ["a FROG", "a cat", "frogs", "frog"].map(|text| world.blocks(text));
        assert_eq!(found, [true, false, true, false]);
        world.block_word("cat", None);
        assert!(world.blocks("cat") && world.blocks("cat"));
        world.unblock_word("cat");
        assert!(!world.blocks("cat"));
    }
}
