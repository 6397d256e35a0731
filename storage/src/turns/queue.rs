//! All turns in memory: what a database keeps as rows.

use std::collections::BTreeMap;

use super::{Tags, Tier, Weight};
use crate::ids::{GuildId, UserId};

/// A job as the rule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whose flow it is in.
    pub guild: GuildId,
    /// In which tier.
    pub tier: Tier,
    /// The weight of that flow; [`Tier::weight`] in the store.
    pub weight: Weight,
    /// Whose job it is.
    pub user: UserId,
    /// Order of arrival.
    pub seq: i64,
    /// What it costs.
    pub row_pixels: i64,
}

/// Everything that waits, in the order of its turns.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    time: i64,
    flows: BTreeMap<(u64, Tier), Flow>,
}

#[derive(Clone, Debug)]
struct Flow {
    start_tag: i64,
    time: i64,
    users: BTreeMap<u64, User>,
}

#[derive(Clone, Debug)]
struct User {
    start_tag: i64,
    waiting: BTreeMap<i64, Turn>,
}

impl User {
    fn head(&self) -> Option<(i64, Turn)> {
        self.waiting.first_key_value().map(|(_, job)| (self.start_tag, *job))
    }
}

impl Flow {
    /// Of each user who waits the tag and the oldest job, in the order of their turns.
    fn heads(&self) -> Vec<(i64, Turn)> {
        let mut heads: Vec<_> = self.users.values().filter_map(User::head).collect();
        heads.sort_unstable_by_key(|(tag, job)| (*tag, job.seq));
        heads
    }
}

impl Turns {
    /// A job comes in.
    pub fn arrive(&mut self, job: Turn) {
        let mut tags = self.tags(&job);
        let flow = self.flows.get(&(job.guild.0, job.tier));
        let flow_waits = flow.is_some_and(|flow| !flow.heads().is_empty());
        let user_waits = flow.and_then(|flow| flow.users.get(&job.user.0)).is_some_and(|user| !user.waiting.is_empty());
        tags.arrive(flow_waits, user_waits);
        self.put(job, tags);
    }

    /// A job waits, with tags that are known.
    pub fn put(&mut self, job: Turn, tags: Tags) {
        self.set(&job, tags).waiting.insert(job.seq, job);
    }

    /// The oldest job of everybody who waits, in the order of their turns: of these is the next one that may run.
    pub fn heads(&self) -> Vec<Turn> {
        let mut flows: Vec<_> = self.flows.values().map(|flow| (flow.start_tag, flow.heads())).collect();
        flows.retain(|(_, heads)| !heads.is_empty());
        flows.sort_unstable_by_key(|(tag, heads)| (*tag, heads[0].1.seq));
        flows.into_iter().flat_map(|(_, heads)| heads).map(|(_, job)| job).collect()
    }

    /// The next job.
    pub fn next(&self) -> Option<Turn> {
        let first = |flow: &Flow| {
            let head = flow.users.values().filter_map(User::head).min_by_key(|(tag, job)| (*tag, job.seq));
            head.map(|(_, job)| (flow.start_tag, job))
        };
        self.flows.values().filter_map(first).min_by_key(|(tag, job)| (*tag, job.seq)).map(|(_, job)| job)
    }

    /// A waiting job is served.
    pub fn serve(&mut self, job: &Turn) {
        let mut tags = self.tags(job);
        tags.serve(job.weight, job.row_pixels);
        self.set(job, tags).waiting.remove(&job.seq);
    }

    /// A waiting job goes without being served.
    pub fn cancel(&mut self, job: &Turn) {
        let tags = self.tags(job);
        self.set(job, tags).waiting.remove(&job.seq);
    }

    /// A job that was served waits again, in its old place.
    pub fn give_back(&mut self, job: Turn) {
        let mut tags = self.tags(&job);
        tags.give_back(job.weight, job.row_pixels);
        self.put(job, tags);
    }

    /// A job that was served cost so many row-pixels.
    pub fn correct(&mut self, job: &Turn, actual: i64) {
        let mut tags = self.tags(job);
        tags.correct(job.weight, job.row_pixels, actual);
        self.set(job, tags);
    }

    /// Whether the user of a job has another one waiting in its flow.
    pub fn waits(&self, job: &Turn) -> bool {
        let flow = self.flows.get(&(job.guild.0, job.tier));
        flow.and_then(|flow| flow.users.get(&job.user.0)).is_some_and(|user| !user.waiting.is_empty())
    }

    /// The tags of a job's flow and user; those of somebody new are behind all virtual time.
    pub fn tags(&self, job: &Turn) -> Tags {
        let flow = self.flows.get(&(job.guild.0, job.tier));
        let user = flow.and_then(|flow| flow.users.get(&job.user.0));
        Tags {
            time: self.time,
            flow: flow.map_or(i64::MIN, |flow| flow.start_tag),
            flow_time: flow.map_or(0, |flow| flow.time),
            user: user.map_or(i64::MIN, |user| user.start_tag),
        }
    }

    fn set(&mut self, job: &Turn, tags: Tags) -> &mut User {
        self.time = tags.time;
        let new = || Flow { start_tag: 0, time: 0, users: BTreeMap::new() };
        let flow = self.flows.entry((job.guild.0, job.tier)).or_insert_with(new);
        (flow.start_tag, flow.time) = (tags.flow, tags.flow_time);
        let user = flow.users.entry(job.user.0).or_insert_with(|| User { start_tag: 0, waiting: BTreeMap::new() });
        user.start_tag = tags.user;
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs as (guild, user, cost) in the order of their arrival; their turns by arrival.
    fn check(jobs: &[(u64, u64, i64)], expected: &[i64]) {
        let mut turns = Turns::default();
        for (seq, &(guild, user, row_pixels)) in (0..).zip(jobs) {
            turns.arrive(turn(guild, user, seq, row_pixels));
        }
        let mut served = Vec::new();
        while let Some(job) = turns.next() {
            turns.serve(&job);
            served.push(job.seq);
        }
        assert_eq!(served, expected, "{jobs:?}");
    }

    fn turn(guild: u64, user: u64, seq: i64, row_pixels: i64) -> Turn {
        Turn { guild: GuildId(guild), tier: Tier::Fast, weight: Weight::FULL, user: UserId(user), seq, row_pixels }
    }

    #[test]
    fn one_user_goes_by_arrival() {
        check(&[(1, 1, 5), (1, 1, 7), (1, 1, 1)], &[0, 1, 2]);
    }

    #[test]
    fn two_users_alternate_whoever_came_first() {
        check(&[(1, 1, 5), (1, 1, 5), (1, 2, 5), (1, 2, 5)], &[0, 2, 1, 3]);
    }

    #[test]
    fn a_cheap_user_has_more_turns_of_the_same_sum() {
        check(&[(1, 1, 6), (1, 1, 6), (1, 2, 3), (1, 2, 3), (1, 2, 3)], &[0, 2, 3, 1, 4]);
    }

    #[test]
    fn guilds_alternate_however_many_users_they_have() {
        check(&[(1, 1, 5), (1, 2, 5), (1, 3, 5), (2, 4, 5), (2, 4, 5)], &[0, 3, 1, 4, 2]);
    }

    #[test]
    fn free_jobs_take_turns_too() {
        check(&[(1, 1, 0), (1, 1, 0), (1, 2, 0), (2, 3, 0)], &[0, 3, 2, 1]);
    }

    #[test]
    fn who_comes_late_starts_at_the_virtual_time() {
        let mut turns = Turns::default();
        for seq in 0..6 {
            turns.arrive(turn(1, 1, seq, 5));
        }
        for _ in 0..3 {
            let next = turns.next().expect("it waits");
            turns.serve(&next);
        }
        for seq in 6..9 {
            turns.arrive(turn(2, 2, seq, 5));
        }
        let mut served = Vec::new();
        while let Some(job) = turns.next() {
            turns.serve(&job);
            served.push(job.guild.0);
        }
        assert_eq!(served, [2, 1, 2, 1, 2, 1]);
    }

    #[test]
    fn who_may_not_run_keeps_the_turn() {
        let mut turns = Turns::default();
        for (guild, seq) in [(1, 0), (1, 1), (2, 2), (2, 3)] {
            turns.arrive(turn(guild, guild, seq, 5));
        }
        let heads = turns.heads();
        assert_eq!(heads.iter().map(|job| job.seq).collect::<Vec<_>>(), [0, 2]);
        turns.serve(&heads[1]);
        assert_eq!(turns.next().map(|job| job.seq), Some(0));
    }
}
