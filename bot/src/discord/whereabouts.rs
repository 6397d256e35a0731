//! Where a channel is, and what it is: for whoever asks what is allowed there. Threads that the bot does not see are known from what was asked in
//! them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use poise::serenity_prelude as serenity;
use storage::GuildId;

use crate::policy::decide::Place;

/// More threads than this, and all are forgotten.
const MANY: usize = 10_000;

/// The guild and the channel above a channel in which something was asked.
type Heard = (GuildId, Option<u64>);

/// Knows where channels are. Cheap to clone.
#[derive(Clone, Default)]
pub struct Whereabouts {
    cache: Arc<OnceLock<Arc<serenity::Cache>>>,
    heard: Arc<Mutex<HashMap<u64, Heard>>>,
}

impl Whereabouts {
    /// Gives what the library knows of guilds; before that nothing is known.
    pub fn connect(&self, cache: Arc<serenity::Cache>) {
        let _ = self.cache.set(cache);
    }

    /// Notes where something is asked.
    pub fn hear(&self, interaction: &serenity::Interaction) {
        let (guild, id, channel) = match interaction {
            serenity::Interaction::Command(command) | serenity::Interaction::Autocomplete(command) => {
                (command.guild_id, command.channel_id, command.channel.as_ref())
            }
            serenity::Interaction::Component(press) => (press.guild_id, press.channel_id, press.channel.as_ref()),
            serenity::Interaction::Modal(form) => (form.guild_id, form.channel_id, form.channel.as_ref()),
            _ => return,
        };
        let Some(guild) = guild else { return };
        let parent = channel.filter(|channel| channel.thread_metadata.is_some()).and_then(|thread| thread.parent_id);
        let mut heard = self.heard();
        if heard.len() >= MANY {
            heard.clear();
        }
        heard.insert(id.get(), (GuildId(guild.get()), parent.map(serenity::ChannelId::get)));
    }

    /// Where a channel is. `payer` is the guild that pays for what is asked there, if one does.
    pub fn of(&self, payer: Option<GuildId>, channel: u64) -> Place {
        let heard = self.heard().get(&channel).copied();
        let Some(cache) = self.cache.get() else { return Place { guild: payer, channels: vec![channel], ..Place::default() } };
        let parent = heard.and_then(|(_, parent)| parent).or_else(|| parent_of(cache, payer, channel));
        let found = found(cache, payer.or(heard.map(|(guild, _)| guild)), parent.unwrap_or(channel));
        let is_member = |(guild, _): &Heard| cache.guild(serenity::GuildId::new(guild.0)).is_some();
        let guild = payer.or(found.map(|(guild, _)| guild)).or(heard.filter(is_member).map(|(guild, _)| guild));
        let is_known = guild.is_none() || found.is_some_and(|(of, _)| Some(of) == guild);
        let channels = [Some(channel), parent].into_iter().flatten().collect();
        Place { guild, channels, is_known, is_age_restricted: is_known && found.is_some_and(|(_, is_adult)| is_adult) }
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<u64, Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guild of a channel, which may be this one, and whether Discord shows the channel to adults only.
fn found(cache: &serenity::Cache, guild: Option<GuildId>, channel: u64) -> Option<(GuildId, bool)> {
    let in_guild = |id: serenity::GuildId| {
        let guild = cache.guild(id)?;
        guild.channels.get(&serenity::ChannelId::new(channel)).map(|found| (GuildId(id.get()), found.nsfw))
    };
    match guild {
        Some(guild) => in_guild(serenity::GuildId::new(guild.0)),
        None => cache.guilds().into_iter().find_map(in_guild),
    }
}

/// The channel above a thread that the bot sees.
fn parent_of(cache: &serenity::Cache, guild: Option<GuildId>, channel: u64) -> Option<u64> {
    let guild = cache.guild(serenity::GuildId::new(guild?.0))?;
    guild.threads.iter().find(|thread| thread.id.get() == channel)?.parent_id.map(serenity::ChannelId::get)
}
