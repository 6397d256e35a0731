//! How the world begins: four people, three guilds, and two places that people have among themselves. There, as in the third guild, the bot
//! is no member: people use what they installed for themselves.

use super::{APPLICATION, BotProfile, Emoji, Guild, GuildChannel, Id, Member, Overwrite, Person, PrivateChannel, Role, Scene, permission};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

const ADA: Id = 1_000_000_000_000_000_011;
const GRACE: Id = 1_000_000_000_000_000_012;
const LINUS: Id = 1_000_000_000_000_000_013;
const MARGARET: Id = 1_000_000_000_000_000_014;

const SANDBOX: Id = 1_000_000_000_000_000_100;
const STUDIO: Id = 1_000_000_000_000_000_200;
const CLUB: Id = 1_000_000_000_000_000_300;
const GROUP: Id = 1_000_000_000_000_000_401;
const PAIR: Id = 1_000_000_000_000_000_402;

/// Roles of every guild, by their distance from its id.
const OWNER: Id = 1;
const MODERATOR: Id = 2;
const BOT: Id = 3;
const MEMBER: Id = 4;

const MODERATION: u64 = permission::MANAGE_MESSAGES
    | permission::MANAGE_THREADS
    | permission::CREATE_PRIVATE_THREADS
    | permission::PIN_MESSAGES
    | permission::MODERATE_MEMBERS;

pub(super) fn scene(bot: Arc<BotProfile>, guild_name: String) -> Scene {
    let person = |id: Id, name| Person { id, name, dm_channel: id + 10, accepts_dms: true };
    let people = vec![person(ADA, "ada"), person(GRACE, "grace"), person(LINUS, "linus"), person(MARGARET, "margaret")];
    let private = vec![
        PrivateChannel { id: GROUP, name: Some("Weekend plans"), people: vec![ADA, GRACE, LINUS] },
        PrivateChannel { id: PAIR, name: None, people: vec![ADA, GRACE] },
    ];
    let guilds = [sandbox(&bot, guild_name), studio(&bot), club(&bot)].map(Arc::new).to_vec();
    Scene { bot, people, guilds, threads: BTreeMap::new(), private, blocked: Vec::new(), timeout_ends_ms: i64::MAX }
}

fn sandbox(profile: &Arc<BotProfile>, name: String) -> Guild {
    let mut guild = guild(SANDBOX, name, profile, &["general", "gallery", "moderators", "text-only"]);
    guild.owner = ADA;
    guild.members = vec![member(SANDBOX, ADA, &[OWNER]), member(SANDBOX, GRACE, &[MODERATOR]), member(SANDBOX, LINUS, &[]), bot(SANDBOX)];
    guild.channels[2].overwrites = vec![on(SANDBOX, 0, permission::VIEW_CHANNEL), on(SANDBOX + MODERATOR, permission::VIEW_CHANNEL, 0)];
    guild.channels[3].overwrites = vec![on(SANDBOX, 0, permission::ATTACH_FILES)];
    guild.emojis = vec![Emoji { id: SANDBOX + 90, name: "palette" }];
    guild
}

fn studio(profile: &Arc<BotProfile>) -> Guild {
    let mut guild = guild(STUDIO, "Second studio", profile, &["general", "after-dark"]);
    guild.owner = MARGARET;
    let members = [member(STUDIO, MARGARET, &[OWNER]), member(STUDIO, ADA, &[]), member(STUDIO, GRACE, &[MODERATOR])];
    guild.members = members.into_iter().chain([member(STUDIO, LINUS, &[]), bot(STUDIO)]).collect();
    guild.channels[1].is_nsfw = true;
    guild.attachment_size_limit = 25 << 20;
    guild.premium_tier = 2;
    // Here the bot may moderate too.
    guild.roles[BOT as usize].permissions |= MODERATION;
    guild
}

fn club(profile: &Arc<BotProfile>) -> Guild {
    let mut guild = guild(CLUB, "Book club", profile, &["general"]);
    guild.owner = GRACE;
    guild.members = vec![member(CLUB, GRACE, &[OWNER]), member(CLUB, LINUS, &[])];
    guild.roles.retain(|role| !role.is_managed);
    guild
}

/// A guild of these channels, with the roles that all have.
fn guild(id: Id, name: impl Into<Cow<'static, str>>, bot: &Arc<BotProfile>, channels: &[&str]) -> Guild {
    let role = |offset: Id, name: &'static str, permissions| {
        let is_managed = offset == BOT;
        let name = if is_managed { Cow::Owned(bot.name.clone()) } else { Cow::Borrowed(name) };
        Role { id: id + offset, name, permissions, position: offset, is_managed }
    };
    let channel =
        |(n, name): (usize, &&str)| GuildChannel { id: id + 10 + n as Id, name: (*name).to_owned(), position: n, ..Default::default() };
    Guild {
        id,
        name: name.into(),
        bot: Arc::clone(bot),
        roles: vec![
            // What people may do is in a role of their own, so that the bot can lose what they keep.
            role(0, "@everyone", permission::CHANGE_NICKNAME),
            role(OWNER, "Owner", permission::ADMINISTRATOR | permission::MANAGE_GUILD),
            role(MODERATOR, "Moderator", MODERATION),
            role(BOT, "", permission::MEMBER),
            role(MEMBER, "Member", permission::MEMBER),
        ],
        channels: channels.iter().enumerate().map(channel).collect(),
        attachment_size_limit: 10 << 20,
        ..Guild::default()
    }
}

fn member(guild: Id, user: Id, roles: &[Id]) -> Member {
    Member { user, roles: roles.iter().chain([&MEMBER]).map(|offset| guild + offset).collect(), timed_out_until_ms: None }
}

fn bot(guild: Id) -> Member {
    Member { user: APPLICATION, roles: vec![guild + BOT], timed_out_until_ms: None }
}

fn on(id: Id, allow: u64, deny: u64) -> Overwrite {
    Overwrite { id, is_member: false, allow, deny }
}
