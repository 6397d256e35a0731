//! Which channels of a guild somebody may look back into, as far as the library's cache tells.

use poise::serenity_prelude::{self as serenity, Permissions};

use crate::{intake::NotTaken, messages::UserError};

/// Seeing a channel without reading back in it shows nothing of what was posted before.
const LOOKS_BACK: Permissions = Permissions::VIEW_CHANNEL.union(Permissions::READ_MESSAGE_HISTORY);

/// Where an interaction comes from.
pub struct Place<'a> {
    /// The guild.
    pub guild: serenity::GuildId,
    /// The channel or thread.
    pub channel: serenity::ChannelId,
    /// The channel that the thread hangs below, if it is one.
    pub parent: Option<serenity::ChannelId>,
    /// Who asks there.
    pub member: &'a serenity::Member,
}

impl<'a> Place<'a> {
    /// The place of an interaction with these fields; `None` in direct messages.
    pub fn of(
        guild: Option<serenity::GuildId>,
        channel: serenity::ChannelId,
        details: Option<&serenity::PartialChannel>,
        member: Option<&'a serenity::Member>,
    ) -> Option<Self> {
        let parent = details.filter(|details| details.thread_metadata.is_some()).and_then(|thread| thread.parent_id);
        Some(Self { guild: guild?, channel, parent, member: member? })
    }
}

/// Whether somebody may look back into channels from here: all of a guild's that are open to them there, and elsewhere only this one.
///
/// # Errors
/// A refusal, if there is one that they may not look back into.
pub fn check_open(
    cache: &serenity::Cache,
    here: serenity::ChannelId,
    place: Option<&Place<'_>>,
    mut channels: impl Iterator<Item = u64>,
) -> Result<(), UserError> {
    let mut open = None;
    let is_open = |channel: u64| match place {
        Some(place) => open.get_or_insert_with(|| open_to(cache, place)).contains(&channel),
        None => channel == here.get(),
    };
    if channels.all(is_open) { Ok(()) } else { Err(UserError::Picture(NotTaken::ChannelClosed)) }
}

/// The channels and threads whose past the member may see from here. Age-restricted ones are among them only where this one is age-restricted.
/// A private thread is among them for those who manage threads, and where it is this one: who else is in it is not known.
pub fn open_to(cache: &serenity::Cache, place: &Place<'_>) -> Vec<u64> {
    // The caller is here; what they may do here the interaction itself tells.
    let looks_back_here =
        place.member.permissions.is_some_and(|own| own.intersects(Permissions::ADMINISTRATOR) || own.contains(LOOKS_BACK));
    let mut open: Vec<u64> = looks_back_here.then(|| place.channel.get()).into_iter().collect();
    let Some(guild) = cache.guild(place.guild) else { return open };
    let is_adult_here = guild.channels.get(&place.parent.unwrap_or(place.channel)).is_some_and(|channel| channel.nsfw);
    let permissions_in = |channel: &serenity::GuildChannel| {
        let own = guild.user_permissions_in(channel, place.member);
        let is_heard = matches!(channel.kind, serenity::ChannelType::Voice | serenity::ChannelType::Stage);
        let needed = if is_heard { LOOKS_BACK | Permissions::CONNECT } else { LOOKS_BACK };
        (own.contains(needed) && (is_adult_here || !channel.nsfw)).then_some(own)
    };
    open.extend(guild.channels.values().filter(|channel| permissions_in(channel).is_some()).map(|channel| channel.id.get()));
    let threads = guild.threads.iter().filter(|thread| {
        let own = thread.parent_id.and_then(|parent| guild.channels.get(&parent)).and_then(permissions_in);
        own.is_some_and(|own| thread.kind != serenity::ChannelType::PrivateThread || own.contains(Permissions::MANAGE_THREADS))
    });
    open.extend(threads.map(|thread| thread.id.get()));
    open
}
