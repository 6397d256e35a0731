//! What may happen to a store, one thing at a time, as proptest makes it up and makes it smaller.

use proptest::{prelude::*, sample::Index};
use storage::{Less, Limits, RunningLimits, Tier};

use super::support::{DAY_MS, MANY, ROOMY};

/// Models of jobs; the first is none.
pub const MODELS: [&str; 3] = ["", "sdxl", "starter"];

/// A while passes, something happens, and then something is looked at.
#[derive(Clone, Debug)]
pub struct Step {
    pub pause_ms: i64,
    pub what: What,
    pub look: Look,
}

#[derive(Clone, Debug)]
pub enum What {
    Enqueue(Wish, Limits),
    Claim(RunningLimits, Vec<String>),
    Work(Worker, Work),
    Reap {
        all: bool,
    },
    Cancel(Index),
    WantLess(Index, Less),
    Deliver(Index, Delivery),
    Delete(Index),
    /// Two interactions are heard: one that is new, and one that may have its job.
    Hear(Index),
    /// The oldest that was heard is answered.
    Answer,
    /// A guild's managers say what each person may spend a day, or say nothing any more.
    SetShare(u64, Option<u32>),
    /// The process ends and another one begins.
    Reopen,
}

/// A job to ask for. Keys and presses of one walk are few, so that they meet.
#[derive(Clone, Debug)]
pub struct Wish {
    pub guild: u64,
    pub user: u64,
    pub halves: u32,
    pub tier: Tier,
    pub model: usize,
    pub key: Key,
    /// Which, and whether it is kept.
    pub press: Option<(u8, bool)>,
}

#[derive(Clone, Debug)]
pub enum Key {
    New,
    OfJob(Index),
    Heard(Index),
}

/// Whose lease is worked with: one of the newest three, or of all that were ever given, most of which are stale.
#[derive(Clone, Debug)]
pub enum Worker {
    Fresh(Index),
    Any(Index),
}

#[derive(Clone, Debug)]
pub enum Work {
    Complete { halves: u32 },
    Record { number: u32 },
    Keep { number: u32, n_steps: u32 },
    KeepState { number: u32 },
    Renew,
    Fail,
    FinishCancel { halves: u32 },
    Release,
    SetNotes(u32),
}

#[derive(Clone, Debug)]
pub enum Delivery {
    Arrived,
    Failed,
    Impossible,
    Lost,
}

/// What is looked at after a step, beside what always is.
#[derive(Clone, Debug)]
pub struct Look {
    /// How far into the queue.
    pub n: u32,
    pub guild: u64,
    pub user: u64,
    pub job: Index,
}

pub fn step() -> BoxedStrategy<Step> {
    let pause = prop_oneof![39 => 0..8000_i64, 1 => 0..DAY_MS];
    let look = (1..31_u32, 0..3_u64, 0..3_u64, any::<Index>()).prop_map(|(n, guild, user, job)| Look { n, guild, user, job });
    (pause, what(), look).prop_map(|(pause_ms, what, look)| Step { pause_ms, what, look }).boxed()
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        350 => (wish(), limits()).prop_map(|(wish, limits)| What::Enqueue(wish, limits)),
        200 => (running(), resident()).prop_map(|(limits, resident)| What::Claim(limits, resident)),
        260 => (worker(), work()).prop_map(|(worker, work)| What::Work(worker, work)),
        50 => any::<bool>().prop_map(|all| What::Reap { all }),
        100 => any::<Index>().prop_map(What::Cancel),
        30 => (any::<Index>(), less()).prop_map(|(job, less)| What::WantLess(job, less)),
        70 => (any::<Index>(), delivery()).prop_map(|(job, how)| What::Deliver(job, how)),
        50 => any::<Index>().prop_map(What::Delete),
        50 => any::<Index>().prop_map(What::Hear),
        20 => Just(What::Answer),
        50 => (0..3_u64, proptest::option::of(1..6_u32)).prop_map(|(guild, share)| What::SetShare(guild, share)),
        4 => Just(What::Reopen),
    ]
}

fn wish() -> impl Strategy<Value = Wish> {
    let key = prop_oneof![6 => Just(Key::New), 1 => any::<Index>().prop_map(Key::OfJob), 1 => any::<Index>().prop_map(Key::Heard)];
    let tier = prop_oneof![2 => Just(Tier::Fast), 1 => Just(Tier::Relax)];
    let press = proptest::option::weighted(0.25, (0..4_u8, any::<bool>()));
    let parts = (0..3_u64, 0..3_u64, 0..6_u32, tier, 0..MODELS.len(), key, press);
    parts.prop_map(|(guild, user, halves, tier, model, key, press)| Wish { guild, user, halves, tier, model, key, press })
}

fn limits() -> impl Strategy<Value = Limits> {
    let tight = |(user, host, month, is_relax_free): (bool, bool, bool, bool)| Limits {
        daily_row_megapixels: 6.0,
        daily_row_megapixels_per_user: user.then_some(5.0),
        daily_row_megapixels_host: host.then_some(9.0),
        monthly_row_megapixels: month.then_some(20.0),
        monthly_row_megapixels_per_user: None,
        monthly_row_megapixels_host: None,
        is_relax_free,
        max_active_per_user: 4,
        max_queued_per_guild: 5,
        max_queued: 8,
    };
    prop_oneof![2 => Just(ROOMY), 1 => any::<(bool, bool, bool, bool)>().prop_map(tight)]
}

fn running() -> impl Strategy<Value = RunningLimits> {
    let tight = |(max_running, max_running_per_user, max_running_per_guild)| RunningLimits {
        max_running,
        max_running_per_user,
        max_running_per_guild,
    };
    prop_oneof![Just(MANY), (1..4_u32, 1..4_u32, 1..5_u32).prop_map(tight)]
}

fn resident() -> impl Strategy<Value = Vec<String>> {
    let named = |are_in: [bool; MODELS.len()]| {
        MODELS.into_iter().zip(are_in).filter(|(_, is_in)| *is_in).map(|(model, _)| model.to_owned()).collect()
    };
    any::<[bool; MODELS.len()]>().prop_map(named)
}

fn worker() -> impl Strategy<Value = Worker> {
    prop_oneof![2 => any::<Index>().prop_map(Worker::Fresh), 1 => any::<Index>().prop_map(Worker::Any)]
}

fn work() -> impl Strategy<Value = Work> {
    prop_oneof![
        4 => (0..8_u32).prop_map(|halves| Work::Complete { halves }),
        4 => (0..3_u32).prop_map(|number| Work::Record { number }),
        3 => (0..3_u32, 1..5_u32).prop_map(|(number, n_steps)| Work::Keep { number, n_steps }),
        1 => (0..3_u32).prop_map(|number| Work::KeepState { number }),
        2 => Just(Work::Renew),
        2 => Just(Work::Fail),
        2 => (0..8_u32).prop_map(|halves| Work::FinishCancel { halves }),
        2 => Just(Work::Release),
        1 => (0..9_u32).prop_map(Work::SetNotes),
    ]
}

fn less() -> impl Strategy<Value = Less> {
    prop_oneof![Just(Less::Stop), (0..4_u32).prop_map(Less::Without)]
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop_oneof![Just(Delivery::Arrived), Just(Delivery::Failed), Just(Delivery::Impossible), Just(Delivery::Lost)]
}
