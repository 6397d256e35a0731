//! What guilds say of `/imagine`, as it was read: a bounded memory that the gateway's events keep true.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use storage::Timestamp;

use super::permissions::Rules;

/// Guilds that are remembered; the oldest goes first.
const N_GUILDS: usize = 1000;
/// Read again after so long, should an event have been lost.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);

/// The command that the rules are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: u64,
    /// What it asks of members by default.
    pub default_permissions: Option<u64>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Permits(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    guilds: HashMap<u64, (Arc<Rules>, Timestamp)>,
    command: Option<Command>,
    /// Counts what made something untrue.
    n_changes: u64,
}

/// A moment: what is read after it may be kept unless something changed meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u64);

impl Permits {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, before something is read.
    pub fn moment(&self) -> Moment {
        Moment(self.inner().n_changes)
    }

    /// The rules of a guild, if they are known and not too old.
    pub fn rules(&self, guild: u64, now: Timestamp) -> Option<Arc<Rules>> {
        let inner = self.inner();
        let (rules, read) = inner.guilds.get(&guild)?;
        (now < read.after(GOOD_FOR)).then(|| rules.clone())
    }

    /// The command, if it is known.
    pub fn command(&self) -> Option<Command> {
        self.inner().command
    }

    /// Remembers the command.
    pub fn keep_command(&self, since: Moment, command: Command) {
        let mut inner = self.inner();
        if inner.n_changes == since.0 {
            inner.command = Some(command);
        }
    }

    /// Remembers the rules of a guild, read since a moment.
    pub fn keep(&self, since: Moment, guild: u64, rules: Arc<Rules>, now: Timestamp) {
        let mut inner = self.inner();
        if inner.n_changes != since.0 {
            return;
        }
        if inner.guilds.len() >= N_GUILDS && !inner.guilds.contains_key(&guild) {
            let oldest = inner.guilds.iter().min_by_key(|(_, (_, read))| *read).map(|(guild, _)| *guild);
            oldest.map(|oldest| inner.guilds.remove(&oldest));
        }
        inner.guilds.insert(guild, (rules, now));
    }

    /// A guild says something else now.
    pub fn forget(&self, guild: u64) {
        let mut inner = self.inner();
        inner.n_changes += 1;
        inner.guilds.remove(&guild);
    }

    /// Anything may be other than before: events were missed, or commands registered.
    pub fn forget_all(&self) {
        let mut inner = self.inner();
        *inner = Inner { n_changes: inner.n_changes + 1, ..Inner::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn rules(bits: u64) -> Arc<Rules> {
        Arc::new(Rules { default_permissions: Some(bits), ..Rules::default() })
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let permits = Permits::default();
        let before = permits.moment();
        permits.forget(2);
        permits.keep(before, 1, rules(1), NOW);
        permits.keep_command(before, Command { id: 7, default_permissions: None });
        assert!(permits.rules(1, NOW).is_none() && permits.command().is_none());
        let after = permits.moment();
        permits.keep(after, 1, rules(1), NOW);
        permits.keep(after, 2, rules(2), NOW);
        assert_eq!(permits.rules(1, NOW), Some(rules(1)));
        permits.forget(1);
        assert!(permits.rules(1, NOW).is_none() && permits.rules(2, NOW).is_some());
        permits.forget_all();
        assert!(permits.rules(2, NOW).is_none());
    }

    #[test]
    fn what_is_old_is_read_again_and_the_oldest_goes_first() {
        let permits = Permits::default();
        let moment = permits.moment();
        for guild in 0..=N_GUILDS as u64 {
            permits.keep(moment, guild, rules(guild), Timestamp(NOW.0 + guild as i64));
        }
        assert!(permits.rules(0, NOW).is_none(), "there is no room for it");
        assert_eq!(permits.rules(1, NOW), Some(rules(1)));
        assert_eq!(permits.inner().guilds.len(), N_GUILDS);
        assert!(permits.rules(1, Timestamp(NOW.0 + 1).after(GOOD_FOR)).is_none());
    }
}
