//! The rule of turns alone, without a database: a thousand random crowds, and what start-time fair queueing promises them.

use std::collections::HashMap;

use storage::{
    GuildId, Tier, UserId,
    turns::{Tags, Turn, Turns, Weight},
};

use crate::contract::support::Dice;

const N_SEEDS: u64 = 1000;
const N_SERVED: usize = 400;
/// Virtual time is whole: a job may take one more than it should, which is a sixteenth of a row-pixel by weight.
const ROUNDING: f64 = N_SERVED as f64 / 16.0;

fn roll(dice: &mut Dice, sides: i64) -> i64 {
    dice.roll(sides as u64) as i64
}

/// Service by weight of everybody on one level, and by how much it may differ.
#[derive(Default)]
struct Service {
    /// Row-pixels over weight, and the largest single job in the same unit.
    of: HashMap<u64, (f64, f64)>,
    /// Of two, the least and the most that one was ahead of the other.
    ahead: HashMap<(u64, u64), (f64, f64)>,
}

impl Service {
    fn begin(all: impl Iterator<Item = u64>) -> Self {
        Self { of: all.map(|one| (one, (0.0, 0.0))).collect(), ahead: HashMap::new() }
    }

    fn add(&mut self, one: u64, row_pixels: i64, weight: f64) {
        let (sum, most) = self.of.get_mut(&one).expect("it is counted");
        *sum += row_pixels as f64 / weight;
        *most = most.max(row_pixels as f64 / weight);
        let sum = *sum;
        for (&other, &(of_other, _)) in &self.of {
            let (least, most) = self.ahead.entry((one.min(other), one.max(other))).or_default();
            let by = if one < other { sum - of_other } else { of_other - sum };
            (*least, *most) = (least.min(by), most.max(by));
        }
    }

    /// Goyal 1996, theorem 1: in any interval in which both wait, their service by weight differs by their largest jobs at most; for `n_slots`
    /// that are served at once and corrected later, so many times as much (Jin, Chase and Kaur 2004, "Interposed Proportional Sharing").
    fn check(&self, n_slots: usize, seed: u64) {
        for (&(one, other), &(least, most)) in &self.ahead {
            let bound = (self.of[&one].1 + self.of[&other].1) * n_slots as f64 + ROUNDING;
            assert!(most - least <= bound, "seed {seed}: {one} and {other} differ by {} of {bound}", most - least);
        }
    }

    /// Jain's index: 1 where everybody got the same.
    fn jain(&self) -> f64 {
        let sums: Vec<f64> = self.of.values().map(|(sum, _)| *sum).collect();
        let (sum, squares) = (sums.iter().sum::<f64>(), sums.iter().map(|one| one * one).sum::<f64>());
        sum * sum / (sums.len() as f64 * squares)
    }
}

/// A crowd in which everybody always waits.
struct Crowd {
    turns: Turns,
    dice: Dice,
    seq: i64,
    /// Of each guild its weight in sixteenths, and its largest job in thousands of row-pixels.
    guilds: Vec<(u32, i64)>,
    n_users: u64,
    waiting: Vec<Turn>,
}

impl Crowd {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let n_guilds = 2 + roll(&mut dice, 5);
        let guilds = (0..n_guilds).map(|_| (1 + roll(&mut dice, 16) as u32, 1 + roll(&mut dice, 60))).collect();
        let n_users = 1 + roll(&mut dice, 4) as u64;
        let mut crowd = Self { turns: Turns::default(), dice, seq: 0, guilds, n_users, waiting: Vec::new() };
        for guild in 0..crowd.guilds.len() as u64 {
            for user in 0..n_users {
                crowd.arrive(guild, user);
                crowd.arrive(guild, user);
            }
        }
        crowd
    }

    fn arrive(&mut self, guild: u64, user: u64) {
        let (weight, largest) = self.guilds[guild as usize];
        let row_pixels = 1000 * (1 + roll(&mut self.dice, largest));
        let job =
            Turn { guild: GuildId(guild), tier: Tier::Fast, weight: Weight::new(weight), user: UserId(user), seq: self.seq, row_pixels };
        self.seq += 1;
        self.turns.arrive(job);
        self.waiting.push(job);
    }

    /// Cancels one of those of whose user another one waits.
    fn cancel(&mut self) {
        let i = roll(&mut self.dice, self.waiting.len() as i64) as usize;
        let job = self.waiting[i];
        let whose = |job: &Turn| (job.guild.0, job.user.0);
        if self.waiting.iter().filter(|other| whose(other) == whose(&job)).count() > 1 {
            self.waiting.swap_remove(i);
            self.turns.cancel(&job);
        }
    }

    fn serve(&mut self) -> Turn {
        let job = self.turns.next().expect("everybody waits");
        // Before the last one of somebody is taken, so that they never pause.
        self.arrive(job.guild.0, job.user.0);
        self.turns.serve(&job);
        self.waiting.retain(|other| other.seq != job.seq);
        job
    }
}

#[test]
fn who_waits_gets_a_share_by_weight() {
    for seed in 0..N_SEEDS {
        let mut crowd = Crowd::new(seed);
        let mut of_guilds = Service::begin(0..crowd.guilds.len() as u64);
        let mut of_users: Vec<_> = crowd.guilds.iter().map(|_| Service::begin(0..crowd.n_users)).collect();
        for _ in 0..N_SERVED {
            let job = crowd.serve();
            let (guild, weight) = (job.guild.0, f64::from(crowd.guilds[job.guild.0 as usize].0));
            of_guilds.add(guild, job.row_pixels, weight);
            of_users[guild as usize].add(job.user.0, job.row_pixels, 1.0);
            if roll(&mut crowd.dice, 4) == 0 {
                let (n_guilds, n_users) = (crowd.guilds.len() as i64, crowd.n_users as i64);
                let (guild, user) = (roll(&mut crowd.dice, n_guilds) as u64, roll(&mut crowd.dice, n_users) as u64);
                crowd.arrive(guild, user);
                crowd.cancel();
            }
        }
        of_guilds.check(1, seed);
        of_users.iter().for_each(|users| users.check(1, seed));
    }
}

#[test]
fn over_time_the_shares_are_even() {
    for seed in 0..N_SEEDS / 10 {
        let mut crowd = Crowd::new(seed);
        let mut of_guilds = Service::begin(0..crowd.guilds.len() as u64);
        for _ in 0..N_SERVED * 20 {
            let job = crowd.serve();
            of_guilds.add(job.guild.0, job.row_pixels, f64::from(crowd.guilds[job.guild.0 as usize].0));
        }
        assert!(of_guilds.jain() >= 0.98, "seed {seed}: {}", of_guilds.jain());
    }
}

#[test]
fn wrong_estimates_are_made_good() {
    for seed in 0..N_SEEDS {
        let mut crowd = Crowd::new(seed);
        let n_slots = 1 + roll(&mut crowd.dice, 8) as usize;
        let mut of_guilds = Service::begin(0..crowd.guilds.len() as u64);
        let mut running: Vec<Turn> = Vec::new();
        for _ in 0..N_SERVED {
            if running.len() == n_slots {
                let i = roll(&mut crowd.dice, n_slots as i64) as usize;
                let job = running.swap_remove(i);
                let actual = roll(&mut crowd.dice, 2 * job.row_pixels + 1);
                crowd.turns.correct(&job, actual);
                of_guilds.add(job.guild.0, actual, f64::from(crowd.guilds[job.guild.0 as usize].0));
            }
            running.push(crowd.serve());
        }
        of_guilds.check(n_slots + 1, seed);
    }
}

#[test]
fn what_goes_back_to_wait_costs_no_turn() {
    for seed in 0..N_SEEDS / 10 {
        let mut crowd = Crowd::new(seed);
        let order = |turns: &Turns| {
            let mut turns = turns.clone();
            let next = || {
                let next = turns.next()?;
                turns.serve(&next);
                Some(next.seq)
            };
            std::iter::from_fn(next).collect::<Vec<_>>()
        };
        for _ in 0..20 {
            crowd.serve();
            let before = order(&crowd.turns);
            let job = crowd.turns.next().expect("everybody waits");
            crowd.turns.serve(&job);
            crowd.turns.give_back(job);
            assert_eq!(order(&crowd.turns), before, "seed {seed}");
        }
    }
}

#[test]
fn nobody_new_is_ahead_of_the_time() {
    let job = Turn { guild: GuildId(1), tier: Tier::Relax, weight: Tier::Relax.weight(), user: UserId(1), seq: 0, row_pixels: 10 };
    let mut turns = Turns::default();
    turns.put(Turn { guild: GuildId(2), ..job }, Tags { time: 500, flow: 510, flow_time: 7, user: 8 });
    turns.arrive(job);
    assert_eq!(turns.tags(&job), Tags { time: 500, flow: 500, flow_time: 0, user: 0 });
    turns.serve(&job);
    assert_eq!(turns.tags(&job), Tags { time: 500, flow: 660, flow_time: 0, user: 10 }, "slow jobs take sixteen times the turn");
}
