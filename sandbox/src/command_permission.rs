//! Who may use a command in a guild beyond what the bot said when it registered it: what the guild's people chose under "Integrations".
//! Sources: discord-api-docs, interactions/application-commands, "Permissions"; Discord's help, "Updates to Command Permissions" (2023):
//! what is said of a command stands before what is said of the whole application, and what a bot asks of members by default stays where
//! neither says anything.

use crate::{
    error::ApiError,
    gateway::Dispatch,
    message::id_of,
    state::State,
    store,
    world::{APPLICATION, Channel, Guild, Id},
};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use std::{collections::HashSet, sync::Arc};

const ROLE: u64 = 1;
const USER: u64 = 2;
const CHANNEL: u64 = 3;
/// Most permissions of a command.
const N_PERMISSIONS: usize = 100;

/// What a guild says.
#[derive(Default)]
pub(crate) struct Rules(Vec<(Id, Value)>);

/// What the rules say of somebody's use of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Granted,
    Denied,
    /// Nothing: what the command asks of members by default decides.
    Unsaid,
}

impl Rules {
    /// The rules of a place: none outside of guilds, and where the bot is no member.
    pub(crate) async fn at(db: &mut SqliteConnection, channel: &Channel) -> Result<Self, sqlx::Error> {
        match channel.guild().filter(|guild| guild.has_bot()) {
            Some(guild) => Self::of_guild(db, guild).await,
            None => Ok(Self::default()),
        }
    }

    pub(crate) async fn of_guild(db: &mut SqliteConnection, guild: &Guild) -> Result<Self, sqlx::Error> {
        store::command_permissions::of_guild(db, guild.id).await.map(Self)
    }

    /// Those of one command, or of the application.
    pub(crate) fn get(&self, id: Id) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, list)| list)
    }

    /// What they say of a command for a member in a channel, administrators aside.
    pub(crate) fn verdict(&self, command: Id, channel: &Channel, user: Id) -> Verdict {
        let Some(guild) = channel.guild() else { return Verdict::Unsaid };
        let place = channel.thread().map_or(channel.id(), |thread| thread.parent);
        let levels = [command, APPLICATION].map(|id| Level(self.get(id)));
        let place = levels.iter().find_map(|level| level.of(CHANNEL, place).or_else(|| level.of(CHANNEL, guild.id - 1)));
        if place == Some(false) {
            return Verdict::Denied;
        }
        let roles = guild.member(user).map(|member| member.roles.as_slice()).unwrap_or_default();
        let [own, all] = &levels;
        // That everybody may use the application is how it begins; it opens no command that asks for more.
        let everyone = || all.of(ROLE, guild.id).filter(|is_allowed| !is_allowed);
        let said = own.of_member(user, roles).or_else(|| own.of(ROLE, guild.id));
        match said.or_else(|| all.of_member(user, roles)).or_else(everyone) {
            Some(true) => Verdict::Granted,
            Some(false) => Verdict::Denied,
            None => Verdict::Unsaid,
        }
    }

    /// The list that Discord's API shows.
    pub(crate) fn objects(&self, guild: Id) -> Vec<Value> {
        self.0.iter().map(|(id, list)| object(guild, *id, list)).collect()
    }
}

/// What is said of one command, or of all.
struct Level<'a>(Option<&'a Value>);

impl Level<'_> {
    fn of(&self, kind: u64, id: Id) -> Option<bool> {
        let found = self.0?.as_array()?.iter().find(|said| said["type"] == kind && id_of(&said["id"]) == Some(id))?;
        found["permission"].as_bool()
    }

    /// A member's own stands before their roles'; one role's allowance beats another's denial.
    fn of_member(&self, user: Id, roles: &[Id]) -> Option<bool> {
        self.of(USER, user).or_else(|| roles.iter().filter_map(|role| self.of(ROLE, *role)).reduce(|one, other| one || other))
    }
}

/// What a guild says of one command as Discord shows it.
pub(crate) fn object(guild: Id, id: Id, list: &Value) -> Value {
    json!({ "id": id.to_string(), "application_id": APPLICATION.to_string(), "guild_id": guild.to_string(), "permissions": list })
}

/// Replaces what a guild says of a command, or of the application, and tells bot and people.
///
/// # Errors
/// One sentence, when the permissions do not fit the guild.
pub(crate) async fn replace(state: &State, guild: &Arc<Guild>, id: Id, list: &Value) -> Result<Value, ReplaceError> {
    check(state, guild, list).map_err(ReplaceError::Unfit)?;
    let mut db = state.store.connect().await.map_err(ApiError::from)?;
    if id != APPLICATION {
        let command = store::commands::get(&mut db, id).await.map_err(ApiError::from)?.ok_or_else(ApiError::unknown_command)?;
        if id_of(&command["guild_id"]).is_some_and(|of| of != guild.id) {
            return Err(ApiError::unknown_command().into());
        }
    }
    store::command_permissions::save(&mut db, guild.id, id, list).await.map_err(ApiError::from)?;
    let told = object(guild.id, id, list);
    let kind = "APPLICATION_COMMAND_PERMISSIONS_UPDATE";
    state.hub.dispatch(&Dispatch { kind, data: told.clone(), intent: 0, guild: Some(guild.id), is_private: false });
    state.events.push("command_permissions", None, told.clone());
    Ok(told)
}

/// Why permissions are not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    #[error("{0}")]
    Unfit(String),
    #[error("the command cannot be changed")]
    Api(ApiError),
}

impl From<ApiError> for ReplaceError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

fn check(state: &State, guild: &Guild, list: &Value) -> Result<(), String> {
    let list = list.as_array().ok_or("`permissions` must be a list")?;
    if list.len() > N_PERMISSIONS {
        return Err(format!("a command has at most {N_PERMISSIONS} permissions"));
    }
    let mut known = HashSet::new();
    for said in list {
        let (Some(id), Some(kind), true) = (id_of(&said["id"]), said["type"].as_u64(), said["permission"].is_boolean()) else {
            return Err("a permission is {\"id\", \"type\": 1, 2 or 3, \"permission\": true or false}".to_owned());
        };
        let is_there = match kind {
            ROLE => guild.roles.iter().any(|role| role.id == id),
            USER => state.world.now().person(id).is_some(),
            CHANNEL => id == guild.id - 1 || guild.channel(id).is_some(),
            _ => false,
        };
        if !is_there {
            return Err(format!("there is no {id} of kind {kind} in this guild"));
        }
        if !known.insert((kind, id)) {
            return Err(format!("{id} is named twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    const GUILD: Id = 1_000_000_000_000_000_100;
    const GENERAL: Id = GUILD + 10;
    const MODERATOR: Id = GUILD + 2;
    const MEMBER: Id = GUILD + 4;
    const GRACE: Id = 1_000_000_000_000_000_012;
    const COMMAND: Id = 77;

    #[test]
    fn the_nearest_word_decides() {
        use Verdict::{Denied, Granted, Unsaid};
        let scene = World::new(crate::clock::Clock::System, Vec::new(), crate::BotProfile::default(), String::new()).now();
        let channel = scene.channel(GENERAL).expect("general is there");
        type Said<'a> = &'a [(u64, Id, bool)];
        let check = |what: &str, own: Said, all: Said, expected: Verdict| {
            let list = |said: Said| {
                json!(said.iter().map(|(kind, id, is)| json!({ "type": kind, "id": id.to_string(), "permission": is })).collect::<Vec<_>>())
            };
            let rules = Rules(vec![(COMMAND, list(own)), (APPLICATION, list(all))]);
            assert_eq!(rules.verdict(COMMAND, &channel, GRACE), expected, "{what}");
        };
        check("nothing is said", &[], &[], Unsaid);
        check("others are denied", &[(USER, 5, false), (CHANNEL, 6, false), (ROLE, 7, false)], &[], Unsaid);
        check("everybody is denied", &[(ROLE, GUILD, false)], &[], Denied);
        check("a role stands before everybody", &[(ROLE, GUILD, false), (ROLE, MEMBER, true)], &[], Granted);
        check("one role's allowance beats another's denial", &[(ROLE, MODERATOR, false), (ROLE, MEMBER, true)], &[], Granted);
        check("a person stands before their roles", &[(USER, GRACE, false), (ROLE, MEMBER, true)], &[], Denied);
        check("the channel is denied", &[(CHANNEL, GENERAL, false), (USER, GRACE, true)], &[], Denied);
        check("all channels are denied", &[(CHANNEL, GUILD - 1, false)], &[], Denied);
        check("a channel stands before all channels", &[(CHANNEL, GUILD - 1, false), (CHANNEL, GENERAL, true)], &[], Unsaid);
        check("the application is denied", &[], &[(ROLE, GUILD, false)], Denied);
        check("the application is allowed as it begins", &[], &[(ROLE, GUILD, true)], Unsaid);
        check("a role has the application", &[], &[(ROLE, GUILD, false), (ROLE, MEMBER, true)], Granted);
        check("the command stands before the application", &[(ROLE, MEMBER, true)], &[(USER, GRACE, false)], Granted);
        check("so does its denial", &[(ROLE, GUILD, false)], &[(USER, GRACE, true)], Denied);
        check("so do its channels", &[(CHANNEL, GENERAL, true)], &[(CHANNEL, GUILD - 1, false)], Unsaid);
        check("the application's other words stay", &[(USER, 5, true)], &[(ROLE, MODERATOR, false)], Denied);
    }
}
