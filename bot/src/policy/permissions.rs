//! Who may use a command in a guild. A command has been through this on Discord's side; a button has not, so it is computed here.
//!
//! Sources: discord-api-docs, interactions/application-commands, "Permissions" (roles, members, channels; the constants for everybody and for
//! all channels; threads go by their channel; administrators may everything; `default_member_permissions`), and Discord's help, "Updates to
//! Command Permissions" (2023): what a guild says of a command overrides what it says of the whole application only where both say something,
//! and the default stays in force where neither does. In each of the two a member's own entry stands before those of their roles, of which
//! one allowance beats any denial, and those before everybody's. That everybody may use the application is how it begins, and opens no command
//! that asks for more.

/// The bit of members who may everything.
const ADMINISTRATOR: u64 = 1 << 3;
/// The bit of members who may use any application's commands.
const USE_APPLICATION_COMMANDS: u64 = 1 << 31;

/// Whom or what an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A role; the guild's own id is everybody.
    Role(u64),
    /// A member.
    User(u64),
    /// A channel; the guild's id less one is every channel.
    Channel(u64),
}

/// What a guild says of one role, member or channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whom or what it is about.
    pub subject: Subject,
    /// Whether they may, or it may be used there.
    pub is_allowed: bool,
}

/// What holds for one command in one guild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What the guild says of the command.
    pub command: Vec<Entry>,
    /// What it says of all commands of the application.
    pub application: Vec<Entry>,
    /// What the application asks of members where the guild says nothing; 0 leaves it to administrators.
    pub default_permissions: Option<u64>,
}

/// A member who would use the command.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The guild.
    pub guild: u64,
    /// The channel; of a thread, the channel that it hangs below.
    pub channel: u64,
    /// The member.
    pub user: u64,
    /// Their roles, without everybody's.
    pub roles: Vec<u64>,
    /// What they may do in the channel.
    pub permissions: u64,
}

impl Asker {
    /// Whether they need no rule: whatever the guild says, it is not about them.
    pub fn is_administrator(&self) -> bool {
        self.permissions & ADMINISTRATOR != 0
    }

    /// Whether they may use commands at all.
    pub fn uses_commands(&self) -> bool {
        self.is_administrator() || self.permissions & USE_APPLICATION_COMMANDS != 0
    }
}

/// Whether a member may use a command: the channel first, then the member.
pub fn may_use(rules: &Rules, asker: &Asker) -> bool {
    if asker.is_administrator() {
        return true;
    }
    if !asker.uses_commands() {
        return false;
    }
    let levels = [&rules.command, &rules.application];
    let channels = [Subject::Channel(asker.channel), Subject::Channel(asker.guild.saturating_sub(1))];
    let place = levels.iter().find_map(|level| channels.iter().find_map(|channel| said(level, *channel)));
    if place == Some(false) {
        return false;
    }
    let everybody = Subject::Role(asker.guild);
    let member = said_of(&rules.command, asker)
        .or_else(|| said(&rules.command, everybody))
        .or_else(|| said_of(&rules.application, asker))
        .or_else(|| said(&rules.application, everybody).filter(|is_allowed| !is_allowed));
    member.unwrap_or_else(|| rules.default_permissions.is_none_or(|bits| bits != 0 && asker.permissions & bits == bits))
}

fn said(entries: &[Entry], subject: Subject) -> Option<bool> {
    entries.iter().find(|entry| entry.subject == subject).map(|entry| entry.is_allowed)
}

fn said_of(entries: &[Entry], asker: &Asker) -> Option<bool> {
    let roles = || asker.roles.iter().filter_map(|role| said(entries, Subject::Role(*role))).reduce(|one, other| one || other);
    said(entries, Subject::User(asker.user)).or_else(roles)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GUILD: u64 = 100;
    const HERE: u64 = 110;
    const ME: u64 = 1;
    const RED: u64 = 101;
    const BLUE: u64 = 102;
    const MANAGE_GUILD: u64 = 1 << 5;

    fn me(permissions: u64) -> Asker {
        Asker { guild: GUILD, channel: HERE, user: ME, roles: vec![RED, BLUE], permissions }
    }

    fn yes(subject: Subject) -> Entry {
        Entry { subject, is_allowed: true }
    }

    fn no(subject: Subject) -> Entry {
        Entry { subject, is_allowed: false }
    }

    #[test]
    fn the_nearest_word_decides() {
        use Subject::{Channel, Role, User};
        let everybody = Role(GUILD);
        let all_channels = Channel(GUILD - 1);
        let check = |what: &str, command: &[Entry], application: &[Entry], expected: bool| {
            let rules = Rules { command: command.to_vec(), application: application.to_vec(), default_permissions: None };
            assert_eq!(may_use(&rules, &me(USE_APPLICATION_COMMANDS)), expected, "{what}");
            assert!(may_use(&rules, &me(ADMINISTRATOR)), "{what}: an administrator may");
            assert!(!may_use(&rules, &me(0)), "{what}: without the permission for commands nobody may");
        };
        check("nothing is said", &[], &[], true);
        check("others are denied", &[no(User(2)), no(Role(103)), no(Channel(111))], &[], true);
        check("everybody is denied", &[no(everybody)], &[], false);
        check("a role stands before everybody", &[no(everybody), yes(Role(RED))], &[], true);
        check("one allowance beats a denial", &[no(Role(RED)), yes(Role(BLUE))], &[], true);
        check("all roles are denied", &[no(Role(RED)), no(Role(BLUE))], &[], false);
        check("a member stands before roles", &[no(User(ME)), yes(Role(RED)), yes(everybody)], &[], false);
        check("a member stands before everybody", &[yes(User(ME)), no(everybody)], &[], true);
        check("the channel is denied", &[no(Channel(HERE)), yes(User(ME))], &[], false);
        check("all channels are denied", &[no(all_channels)], &[], false);
        check("a channel stands before all", &[no(all_channels), yes(Channel(HERE))], &[], true);
        check("a channel is denied though all are allowed", &[yes(all_channels), no(Channel(HERE))], &[], false);
        check("the application is denied", &[], &[no(everybody)], false);
        check("the application is a role's", &[], &[no(everybody), yes(Role(RED))], true);
        check("the application's channel is denied", &[], &[no(Channel(HERE))], false);
        check("the command stands before the application", &[yes(Role(RED))], &[no(User(ME))], true);
        check("so does its denial", &[no(everybody)], &[yes(User(ME))], false);
        check("so do its channels", &[yes(all_channels)], &[no(Channel(HERE))], true);
        check(
            "where the command is silent the application speaks",
            &[yes(User(2)), yes(Channel(111))],
            &[no(Role(RED)), no(Role(BLUE))],
            false,
        );
    }

    #[test]
    fn the_default_holds_where_nothing_is_said() {
        let check = |default, command: &[Entry], application: &[Entry], permissions, expected: bool| {
            let rules = Rules { command: command.to_vec(), application: application.to_vec(), default_permissions: default };
            assert_eq!(may_use(&rules, &me(permissions | USE_APPLICATION_COMMANDS)), expected, "{rules:?} {permissions}");
        };
        let everybody = Subject::Role(GUILD);
        check(Some(MANAGE_GUILD), &[], &[], 0, false);
        check(Some(MANAGE_GUILD), &[], &[], MANAGE_GUILD, true);
        check(Some(MANAGE_GUILD | 1), &[], &[], MANAGE_GUILD, false);
        check(Some(0), &[], &[], MANAGE_GUILD, false);
        check(Some(0), &[yes(everybody)], &[], 0, true);
        check(Some(0), &[], &[yes(Subject::Role(RED))], 0, true);
        check(Some(0), &[], &[yes(everybody)], 0, false);
        check(Some(MANAGE_GUILD), &[yes(Subject::Channel(HERE))], &[], 0, false);
        check(Some(MANAGE_GUILD), &[no(everybody)], &[], MANAGE_GUILD, false);
    }

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let subject = prop_oneof![
            prop::sample::select(vec![GUILD, RED, BLUE, 103]).prop_map(Subject::Role),
            prop::sample::select(vec![ME, 2]).prop_map(Subject::User),
            prop::sample::select(vec![GUILD - 1, HERE, 111]).prop_map(Subject::Channel),
        ];
        prop::collection::vec((subject, any::<bool>()).prop_map(|(subject, is_allowed)| Entry { subject, is_allowed }), 0..8)
    }

    proptest! {
        #[test]
        fn a_channel_that_is_denied_is_denied_to_all_but_administrators(command in entries(), application in entries()) {
            let mut rules = Rules { command, application, default_permissions: None };
            rules.command.insert(0, no(Subject::Channel(HERE)));
            prop_assert!(!may_use(&rules, &me(USE_APPLICATION_COMMANDS)));
            prop_assert!(may_use(&rules, &me(ADMINISTRATOR)));
        }

        #[test]
        fn what_is_said_of_others_changes_nothing(command in entries(), application in entries(), id in 1000u64.., is_allowed: bool) {
            let rules = Rules { command, application, default_permissions: None };
            let before = may_use(&rules, &me(USE_APPLICATION_COMMANDS));
            for subject in [Subject::Role(id), Subject::User(id), Subject::Channel(id)] {
                for is_own in [true, false] {
                    let mut more = rules.clone();
                    let list = if is_own { &mut more.command } else { &mut more.application };
                    list.insert(0, Entry { subject, is_allowed });
                    prop_assert_eq!(may_use(&more, &me(USE_APPLICATION_COMMANDS)), before);
                }
            }
        }

        #[test]
        fn the_order_of_entries_with_different_subjects_says_nothing(command in entries(), application in entries()) {
            let unique = |entries: Vec<Entry>| {
                let mut kept: Vec<Entry> = Vec::new();
                for entry in entries {
                    if kept.iter().all(|known| known.subject != entry.subject) {
                        kept.push(entry);
                    }
                }
                kept
            };
            let rules = Rules { command: unique(command), application: unique(application), default_permissions: None };
            let mut turned = rules.clone();
            turned.command.reverse();
            turned.application.reverse();
            prop_assert_eq!(may_use(&rules, &me(USE_APPLICATION_COMMANDS)), may_use(&turned, &me(USE_APPLICATION_COMMANDS)));
        }
    }
}
