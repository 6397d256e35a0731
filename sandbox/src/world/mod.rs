//! The world that the stand-in shows: people, guilds, channels and threads, and what each may do where.
//! Readers take a snapshot; whoever changes the world replaces it.

mod channel;
mod faults;
mod guild;
mod handle;
mod people;
pub(crate) mod permission;
mod private;
mod start;
mod thread;

pub(crate) use channel::{Channel, GuildChannel, Overwrite};
pub(crate) use guild::{Emoji, Guild, Member, Role};
pub use handle::WorldFaults;
pub use people::BotProfile;
pub(crate) use people::Person;
pub(crate) use private::PrivateChannel;
pub(crate) use thread::{N_THREADS, Thread};

use crate::clock::Clock;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

/// A snowflake. Discord's ids are below 2^63.
pub(crate) type Id = i64;

pub(crate) const APPLICATION: Id = 1_000_000_000_000_000_001;

/// The world as it is now.
pub(crate) struct World {
    scene: Mutex<Arc<Scene>>,
    /// Tells [`crate::archive::keep`] that a thread may be due at another time.
    pub(crate) are_threads_changed: Notify,
    clock: Clock,
}

/// The world at one moment.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) bot: Arc<BotProfile>,
    pub(crate) people: Vec<Person>,
    pub(crate) guilds: Vec<Arc<Guild>>,
    pub(crate) threads: BTreeMap<Id, Thread>,
    /// What people have among themselves.
    pub(crate) private: Vec<PrivateChannel>,
    /// Words that AutoMod refuses, in lower case, each with how often it still does; `None` is for ever.
    blocked: Vec<(String, Option<u64>)>,
    /// When the next timeout of a member ends; `i64::MAX` when nobody has one.
    timeout_ends_ms: i64,
}

impl World {
    /// The world as it begins, with the threads of an earlier process.
    pub(crate) fn new(clock: Clock, threads: Vec<Thread>, bot: BotProfile, guild_name: String) -> Self {
        let mut scene = start::scene(Arc::new(bot), guild_name);
        scene.threads.extend(threads.into_iter().map(|thread| (thread.id, thread)));
        Self { scene: Mutex::new(Arc::new(scene)), are_threads_changed: Notify::new(), clock }
    }

    /// A snapshot that no change touches.
    pub(crate) fn now(&self) -> Arc<Scene> {
        let mut scene = self.scene.lock().unwrap_or_else(PoisonError::into_inner);
        if scene.timeout_ends_ms <= self.clock.now_ms() {
            Arc::make_mut(&mut scene).end_timeouts(self.clock.now_ms());
        }
        Arc::clone(&scene)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Scene) -> T) -> T {
        change(Arc::make_mut(&mut self.scene.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Whether this person takes direct messages; `false` when there is no such person.
    pub(crate) fn accept_dms(&self, person: Id, accepts: bool) -> bool {
        self.change(|scene| {
            let found = scene.people.iter_mut().find(|found| found.id == person);
            found.map(|found| found.accepts_dms = accepts).is_some()
        })
    }

    /// Times a member out until a moment, or ends their timeout; `false` when there is no such member.
    pub(crate) fn time_out(&self, guild: Id, user: Id, until_ms: Option<i64>) -> bool {
        self.change(|scene| {
            let guild = scene.guilds.iter_mut().find(|known| known.id == guild).map(Arc::make_mut);
            let Some(member) = guild.and_then(|guild| guild.members.iter_mut().find(|member| member.user == user)) else { return false };
            member.timed_out_until_ms = until_ms;
            scene.timeout_ends_ms = scene.timeout_ends_ms.min(until_ms.unwrap_or(i64::MAX));
            true
        })
    }

    /// Creates a thread, or replaces the one with its id.
    pub(crate) fn put_thread(&self, thread: Thread) {
        self.change(|scene| scene.threads.insert(thread.id, thread));
        self.are_threads_changed.notify_one();
    }

    /// Forgets a thread.
    pub(crate) fn drop_thread(&self, id: Id) {
        self.change(|scene| scene.threads.remove(&id));
    }

    /// Counts down the words that a text contains; `true` when AutoMod refuses it.
    pub(crate) fn blocks(&self, text: &str) -> bool {
        if self.now().blocked.is_empty() {
            return false;
        }
        let text = text.to_lowercase();
        self.change(|scene| {
            let Some((_, n_left)) = scene.blocked.iter_mut().find(|(word, _)| text.contains(word.as_str())) else { return false };
            if let Some(n) = n_left {
                *n = n.saturating_sub(1);
            }
            scene.blocked.retain(|(_, n_left)| *n_left != Some(0));
            true
        })
    }
}

impl Scene {
    fn end_timeouts(&mut self, now_ms: i64) {
        let mut next_ms = i64::MAX;
        for guild in &mut self.guilds {
            if guild.members.iter().all(|member| member.timed_out_until_ms.is_none()) {
                continue;
            }
            for member in &mut Arc::make_mut(guild).members {
                member.timed_out_until_ms = member.timed_out_until_ms.filter(|until_ms| *until_ms > now_ms);
                next_ms = next_ms.min(member.timed_out_until_ms.unwrap_or(i64::MAX));
            }
        }
        self.timeout_ends_ms = next_ms;
    }

    pub(crate) fn person(&self, id: Id) -> Option<Person> {
        self.people.iter().find(|person| person.id == id).cloned()
    }

    /// Any guild, with or without the bot.
    pub(crate) fn guild(&self, id: Id) -> Option<Arc<Guild>> {
        self.guilds.iter().find(|guild| guild.id == id).cloned()
    }

    /// The guilds that the bot is a member of.
    pub(crate) fn bot_guilds(&self) -> impl Iterator<Item = &Arc<Guild>> {
        self.guilds.iter().filter(|guild| guild.has_bot())
    }

    pub(crate) fn channel(&self, id: Id) -> Option<Channel> {
        if let Some(person) = self.people.iter().find(|person| person.dm_channel == id) {
            return Some(Channel::Dm(person.clone()));
        }
        if let Some(private) = self.private.iter().find(|private| private.id == id) {
            return Some(Channel::Private(private.clone(), private.recipients(self)));
        }
        if let Some(thread) = self.threads.get(&id) {
            let guild = self.guild(thread.guild)?;
            let parent = guild.channel(thread.parent)?.clone();
            return Some(Channel::Thread(guild, parent, Box::new(thread.clone())));
        }
        self.guilds.iter().find_map(|guild| Some(Channel::Guild(Arc::clone(guild), guild.channel(id)?.clone())))
    }

    /// The threads of a guild, oldest first.
    pub(crate) fn threads_of(&self, guild: Id) -> impl Iterator<Item = &Thread> {
        self.threads.values().filter(move |thread| thread.guild == guild)
    }

    /// The person or the bot behind an id.
    pub(crate) fn user(&self, id: Id) -> Option<Value> {
        if id == APPLICATION { Some(self.bot.user()) } else { self.person(id).map(|person| person.user()) }
    }

    /// The people who see a channel.
    pub(crate) fn audience(&self, channel: &Channel) -> Vec<Id> {
        self.people.iter().map(|person| person.id).filter(|id| channel.is_open_to(*id)).collect()
    }
}
