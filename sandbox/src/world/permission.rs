//! Discord's permission bits, and how roles and overwrites become what somebody may do.
//! Source: discord-api-docs, topics/permissions.

use super::{Guild, GuildChannel, Id, Member, Overwrite};

macro_rules! permissions {
    ($($name:ident = $bit:literal,)*) => {
        $(#[allow(dead_code, reason = "the whole table is kept, so that every name can be read")] pub(crate) const $name: u64 = 1 << $bit;)*
        /// Every bit by its name.
        const NAMED: &[(&str, u64)] = &[$((stringify!($name), 1 << $bit)),*];
    };
}

permissions! {
    CREATE_INSTANT_INVITE = 0, KICK_MEMBERS = 1, BAN_MEMBERS = 2, ADMINISTRATOR = 3, MANAGE_CHANNELS = 4, MANAGE_GUILD = 5,
    ADD_REACTIONS = 6, VIEW_AUDIT_LOG = 7, PRIORITY_SPEAKER = 8, STREAM = 9, VIEW_CHANNEL = 10, SEND_MESSAGES = 11,
    SEND_TTS_MESSAGES = 12, MANAGE_MESSAGES = 13, EMBED_LINKS = 14, ATTACH_FILES = 15, READ_MESSAGE_HISTORY = 16,
    MENTION_EVERYONE = 17, USE_EXTERNAL_EMOJIS = 18, VIEW_GUILD_INSIGHTS = 19, CONNECT = 20, SPEAK = 21, MUTE_MEMBERS = 22,
    DEAFEN_MEMBERS = 23, MOVE_MEMBERS = 24, USE_VAD = 25, CHANGE_NICKNAME = 26, MANAGE_NICKNAMES = 27, MANAGE_ROLES = 28,
    MANAGE_WEBHOOKS = 29, MANAGE_GUILD_EXPRESSIONS = 30, USE_APPLICATION_COMMANDS = 31, REQUEST_TO_SPEAK = 32, MANAGE_EVENTS = 33,
    MANAGE_THREADS = 34, CREATE_PUBLIC_THREADS = 35, CREATE_PRIVATE_THREADS = 36, USE_EXTERNAL_STICKERS = 37,
    SEND_MESSAGES_IN_THREADS = 38, USE_EMBEDDED_ACTIVITIES = 39, MODERATE_MEMBERS = 40, VIEW_CREATOR_MONETIZATION_ANALYTICS = 41,
    USE_SOUNDBOARD = 42, CREATE_GUILD_EXPRESSIONS = 43, CREATE_EVENTS = 44, USE_EXTERNAL_SOUNDS = 45, SEND_VOICE_MESSAGES = 46,
    SET_VOICE_CHANNEL_STATUS = 48, SEND_POLLS = 49, USE_EXTERNAL_APPS = 50, PIN_MESSAGES = 51, BYPASS_SLOWMODE = 52,
}

/// Every bit that Discord defines.
pub(crate) const ALL: u64 = {
    let (mut all, mut n) = (0, 0);
    while n < NAMED.len() {
        all |= NAMED[n].1;
        n += 1;
    }
    all
};

/// What an ordinary member may do.
pub(crate) const MEMBER: u64 = VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | ADD_REACTIONS
    | USE_EXTERNAL_EMOJIS
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | SEND_MESSAGES_IN_THREADS
    | USE_EXTERNAL_APPS;

/// What both sides may do in direct messages.
pub(crate) const DIRECT: u64 =
    VIEW_CHANNEL | SEND_MESSAGES | EMBED_LINKS | ATTACH_FILES | READ_MESSAGE_HISTORY | ADD_REACTIONS | USE_EXTERNAL_EMOJIS | PIN_MESSAGES;

/// What an answer to an interaction can use, and all that `app_permissions` tells of in direct messages.
pub(crate) const ANSWERING: u64 = ATTACH_FILES | EMBED_LINKS | MENTION_EVERYONE | USE_EXTERNAL_EMOJIS;

/// What cannot be done without writing.
const NEEDS_SENDING: u64 = MENTION_EVERYONE | SEND_TTS_MESSAGES | ATTACH_FILES | EMBED_LINKS;

/// What a timeout leaves.
const TIMED_OUT: u64 = VIEW_CHANNEL | READ_MESSAGE_HISTORY;

/// The bit of a name such as `ATTACH_FILES`.
pub(crate) fn named(name: &str) -> Option<u64> {
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit)
}

/// What a member may do in the guild: nothing for somebody who is not one.
pub(crate) fn in_guild(guild: &Guild, user: Id) -> u64 {
    let Some(member) = guild.member(user) else { return 0 };
    if guild.owner == user {
        return ALL;
    }
    let held = |role: &&super::Role| role.id == guild.id || member.roles.contains(&role.id);
    let base = guild.roles.iter().filter(held).fold(0, |base, role| base | role.permissions);
    if base & ADMINISTRATOR != 0 { ALL } else { base & left_to(member) }
}

/// The bits that the member's timeout, if there is one, leaves.
fn left_to(member: &Member) -> u64 {
    if member.timed_out_until_ms.is_some() { TIMED_OUT } else { ALL }
}

/// What a member may do in a channel, or in a thread below it.
pub(crate) fn in_channel(guild: &Guild, channel: &GuildChannel, user: Id, is_thread: bool) -> u64 {
    let base = in_guild(guild, user);
    if base & ADMINISTRATOR != 0 {
        return ALL;
    }
    let Some(member) = guild.member(user) else { return 0 };
    let apply = |permissions: u64, overwrite: &Overwrite| permissions & !overwrite.deny | overwrite.allow;
    let of = |id: Id| channel.overwrites.iter().find(|overwrite| overwrite.id == id);
    let mut permissions = of(guild.id).map_or(base, |overwrite| apply(base, overwrite));
    // All roles together: one role's allowance beats another's denial.
    let roles = channel.overwrites.iter().filter(|overwrite| member.roles.contains(&overwrite.id));
    let (allow, deny) = roles.fold((0, 0), |(allow, deny), overwrite| (allow | overwrite.allow, deny | overwrite.deny));
    permissions = permissions & !deny | allow;
    if let Some(own) = of(user) {
        permissions = apply(permissions, own);
    }
    if permissions & VIEW_CHANNEL == 0 {
        return 0;
    }
    let sending = if is_thread { SEND_MESSAGES_IN_THREADS } else { SEND_MESSAGES };
    let permissions = if permissions & sending == 0 { permissions & !NEEDS_SENDING } else { permissions };
    permissions & left_to(member)
}

#[cfg(test)]
mod tests {
    use super::{super::Role, *};

    const OWNER: Id = 1;
    const USER: Id = 2;
    const EVERYONE: Id = 100;
    const RED: Id = 101;
    const BLUE: Id = 102;

    fn guild(everyone: u64, red: u64) -> Guild {
        let role = |id, permissions| Role { id, name: "a role".into(), permissions, position: 0, is_managed: false };
        let member = |user, roles| Member { user, roles, timed_out_until_ms: None };
        let members = vec![member(OWNER, vec![]), member(USER, vec![RED, BLUE])];
        Guild {
            id: EVERYONE,
            owner: OWNER,
            roles: vec![role(EVERYONE, everyone), role(RED, red), role(BLUE, 0)],
            members,
            ..Guild::default()
        }
    }

    fn on(id: Id, allow: u64, deny: u64) -> Overwrite {
        Overwrite { id, is_member: id == USER, allow, deny }
    }

    #[test]
    fn permissions_follow_discords_order() {
        const VIEW: u64 = VIEW_CHANNEL;
        const FULL: u64 = VIEW | SEND_MESSAGES | ATTACH_FILES | EMBED_LINKS | MENTION_EVERYONE;
        let check = |what, everyone, red, overwrites: &[Overwrite], expected| {
            let channel = GuildChannel { id: 7, name: "x".into(), overwrites: overwrites.to_vec(), ..GuildChannel::default() };
            assert_eq!(in_channel(&guild(everyone, red), &channel, USER, false), expected, "{what}");
        };
        check("base is everyone and roles", VIEW, ADD_REACTIONS, &[], VIEW | ADD_REACTIONS);
        check("an administrator has everything", 0, ADMINISTRATOR, &[on(EVERYONE, 0, VIEW)], ALL);
        check("everyone is denied", FULL, 0, &[on(EVERYONE, 0, ATTACH_FILES)], FULL & !ATTACH_FILES);
        check("a role allows what everyone is denied", FULL, 0, &[on(EVERYONE, 0, ATTACH_FILES), on(RED, ATTACH_FILES, 0)], FULL);
        check("one role's allowance beats another's denial", FULL, 0, &[on(BLUE, EMBED_LINKS, 0), on(RED, 0, EMBED_LINKS)], FULL);
        check("a member's own comes last", FULL, 0, &[on(USER, 0, EMBED_LINKS), on(RED, EMBED_LINKS, 0)], FULL & !EMBED_LINKS);
        check("a member's own allows", VIEW, 0, &[on(USER, SEND_MESSAGES, 0), on(RED, 0, SEND_MESSAGES)], VIEW | SEND_MESSAGES);
        check("an unheld role does nothing", FULL, 0, &[on(999, 0, VIEW)], FULL);
        check("without sight there is nothing", FULL, 0, &[on(EVERYONE, 0, VIEW)], 0);
        check("without writing no files, embeds or mentions", FULL, 0, &[on(EVERYONE, 0, SEND_MESSAGES)], VIEW);
    }

    #[test]
    fn threads_have_a_bit_of_their_own_for_writing() {
        let channel = GuildChannel::default();
        let check = |bits, expected| assert_eq!(in_channel(&guild(bits, 0), &channel, USER, true), expected);
        check(VIEW_CHANNEL | SEND_MESSAGES | ATTACH_FILES, VIEW_CHANNEL | SEND_MESSAGES);
        let writes = VIEW_CHANNEL | SEND_MESSAGES_IN_THREADS | ATTACH_FILES;
        check(writes, writes);
    }

    #[test]
    fn owners_have_everything_and_strangers_nothing() {
        let guild = guild(VIEW_CHANNEL, 0);
        assert_eq!((in_guild(&guild, OWNER), in_guild(&guild, 77)), (ALL, 0));
        assert_eq!(in_channel(&guild, &GuildChannel::default(), 77, false), 0);
    }

    #[test]
    fn a_timeout_leaves_sight_and_history_to_all_but_owners_and_administrators() {
        let check = |user, red, expected| {
            let mut guild = guild(VIEW_CHANNEL | READ_MESSAGE_HISTORY | SEND_MESSAGES, red);
            guild.members.iter_mut().for_each(|member| member.timed_out_until_ms = Some(1));
            let overwrites = vec![on(USER, ADD_REACTIONS, 0)];
            let channel = GuildChannel { overwrites, ..GuildChannel::default() };
            assert_eq!(in_channel(&guild, &channel, user, false), expected);
            assert_eq!(in_guild(&guild, user), expected);
        };
        check(USER, ATTACH_FILES, VIEW_CHANNEL | READ_MESSAGE_HISTORY);
        check(USER, ADMINISTRATOR, ALL);
        check(OWNER, 0, ALL);
    }

    #[test]
    fn bits_are_found_by_name() {
        let check = |name, expected| assert_eq!(named(name), expected, "{name}");
        check("ATTACH_FILES", Some(1 << 15));
        check("USE_APPLICATION_COMMANDS", Some(1 << 31));
        check("PIN_MESSAGES", Some(1 << 51));
        check("FLY", None);
        assert_eq!(ALL & 1 << 47, 0, "Discord has no bit 47");
    }
}
