//! Who may run how many jobs, and who may spend how much.

use std::collections::HashMap;

use storage::{Enqueued, Failure, Lease, Limits, NewJob, Queue, QuotaOf, Refusal, RunningLimits, Spender, Subject};

use super::support::*;

const FEW: RunningLimits = RunningLimits { max_running: 4, max_running_per_user: 2, max_running_per_guild: 6 };

/// Claims until nothing may run any more; (guild, user) of each.
async fn claim_all(store: &dyn Queue, limits: &RunningLimits) -> Vec<Lease> {
    let mut leases = Vec::new();
    while let Some(lease) = store.claim(LEASE, limits, &[], NOON).await.unwrap() {
        leases.push(lease);
    }
    leases
}

fn whose(leases: &[Lease]) -> Vec<(u64, u64)> {
    leases.iter().map(|lease| (lease.job.guild.0, lease.job.user.0)).collect()
}

pub async fn nobody_waits_for_the_long_jobs_of_others(backend: &impl Backend) {
    let store = backend.open().await;
    for user in [1, 1, 1, 2, 2] {
        created(&*store, costing(1, user, 1000.0)).await;
    }
    assert_eq!(whose(&claim_all(&*store, &FEW).await), [(1, 1), (1, 2), (1, 1), (1, 2)], "two each, and the third waits");
    created(&*store, costing(1, 3, 0.1)).await;
    created(&*store, costing(2, 4, 0.1)).await;
    created(&*store, costing(2, 4, 0.1)).await;
    let taken = whose(&claim_all(&*store, &FEW).await);
    assert_eq!(taken.len(), 2, "{taken:?}: of each newcomer one");
    assert!(taken.contains(&(1, 3)) && taken.contains(&(2, 4)), "{taken:?}");
    for user in 10..20 {
        created(&*store, costing(1, user, 1000.0)).await;
    }
    assert_eq!(whose(&claim_all(&*store, &FEW).await), [(1, 10)], "a guild runs six");
    created(&*store, costing(3, 5, 0.1)).await;
    assert_eq!(whose(&claim_all(&*store, &FEW).await), [(3, 5)], "and leaves a slot to others");
    created(&*store, costing(4, 6, 0.1)).await;
    assert!(claim_all(&*store, &FEW).await.is_empty(), "twice as many are the most");
}

pub async fn a_waiting_job_is_taken_as_soon_as_its_person_may_run_one(backend: &impl Backend) {
    let store = backend.open().await;
    let mut running = Vec::new();
    for _ in 0..3 {
        created(&*store, costing(1, 1, 5.0)).await;
    }
    running.extend(claim_all(&*store, &FEW).await);
    assert_eq!(running.len(), 2);
    // Newcomers are served meanwhile, at last more than the one who was passed over and keeps the turn.
    for user in 2..30 {
        created(&*store, costing(2, user, 1.0)).await;
    }
    for _ in 0..10 {
        let lease = store.claim(LEASE, &FEW, &[], NOON).await.unwrap().expect("a newcomer");
        assert_eq!(lease.job.guild.0, 2);
        store.complete(&lease, 1.0, NOON).await.unwrap();
    }
    store.complete(&running[0], 5.0, NOON).await.unwrap();
    assert_eq!(whose(&claim_all(&*store, &FEW).await)[0], (1, 1));
}

/// Random arrivals, ends and claims: nobody exceeds a limit, and a claim that finds nothing leaves only jobs that may not run.
pub async fn claims_keep_to_the_limits_and_leave_nothing_that_may_run(backend: &impl Backend) {
    let store = backend.open().await;
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let limits = RunningLimits {
            max_running: 1 + dice.roll(5) as u32,
            max_running_per_user: 1 + dice.roll(3) as u32,
            max_running_per_guild: 1 + dice.roll(6) as u32,
        };
        let mut running: Vec<Lease> = Vec::new();
        let mut waiting: Vec<(u64, u64)> = Vec::new();
        for _ in 0..30 {
            for _ in 0..dice.roll(4) {
                let (guild, user) = (dice.roll(3), dice.roll(5));
                created(&*store, costing(guild, user, 1.0 + dice.roll(9) as f64)).await;
                waiting.push((guild, user));
            }
            for lease in claim_all(&*store, &limits).await {
                let (guild, user) = (lease.job.guild.0, lease.job.user.0);
                let i = waiting.iter().position(|waiting| *waiting == (guild, user)).expect("it waited");
                waiting.swap_remove(i);
                running.push(lease);
            }
            let count = |is_counted: &dyn Fn(&Lease) -> bool| running.iter().filter(|lease| is_counted(lease)).count() as u32;
            let of_user = |user: u64| count(&|lease| lease.job.user.0 == user);
            let of_guild = |guild: u64| count(&|lease| lease.job.guild.0 == guild);
            let n_running = running.len() as u32;
            let in_guild = limits.max_running_per_guild.min(2 * limits.max_running - 1);
            assert!(n_running <= 2 * limits.max_running, "seed {seed}");
            assert!((0..5).all(|user| of_user(user) <= limits.max_running_per_user), "seed {seed}");
            assert!((0..3).all(|guild| of_guild(guild) <= in_guild), "seed {seed}");
            let may_run = |&(guild, user): &(u64, u64)| {
                let most = if n_running < limits.max_running { limits.max_running_per_user } else { 1 };
                n_running < 2 * limits.max_running && of_user(user) < most && of_guild(guild) < in_guild
            };
            assert!(!waiting.iter().any(may_run), "seed {seed}: {waiting:?} wait while {:?} run", whose(&running));
            for _ in 0..dice.roll(4).min(running.len() as u64) {
                let lease = running.swap_remove(dice.roll(running.len() as u64) as usize);
                store.complete(&lease, lease.job.row_megapixels, NOON).await.unwrap();
            }
        }
        store.reap(true, NOON).await.unwrap();
        while let Some(lease) = store.claim(LEASE, &MANY, &[], NOON).await.unwrap() {
            store.complete(&lease, 0.0, NOON).await.unwrap();
        }
    }
}

pub async fn a_person_has_one_day_over_all_places(backend: &impl Backend) {
    let store = backend.open().await;
    let limits = Limits { daily_row_megapixels_per_user: Some(3.0), ..ROOMY };
    let ask = async |guild, user, cost| store.enqueue(costing(guild, user, cost), &limits, NOON).await.unwrap();
    assert!(matches!(ask(1, 7, 2.0).await, Enqueued::Created(_)));
    let first = claimed(&*store).await;
    // Another guild, the direct messages (the person stands in for the guild), another guild again.
    for (guild, cost, is_taken) in [(2, 1.5, false), (7, 1.5, false), (7, 1.0, true), (3, 0.25, false)] {
        match ask(guild, 7, cost).await {
            Enqueued::Created(_) => assert!(is_taken, "{guild}"),
            Enqueued::Refused(Refusal::Quota { of: QuotaOf::User, quota, cost: wanted }) => {
                assert!(!is_taken, "{guild}");
                assert_eq!((quota.limit, quota.resets, wanted), (3.0, at(DAY_MS / 2), cost));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(ask(2, 8, 3.0).await, Enqueued::Created(_)), "another person is not concerned");
    store.fail(&first, &Failure::OutOfMemory, NOON).await.unwrap();
    assert!(matches!(ask(3, 7, 2.0).await, Enqueued::Created(_)), "what failed is given back");
    assert!(matches!(ask(3, 7, 0.25).await, Enqueued::Refused(_)), "once");
}

pub async fn the_least_of_all_quotas_refuses(backend: &impl Backend) {
    let limits =
        Limits { daily_row_megapixels: 8.0, daily_row_megapixels_per_user: Some(6.0), daily_row_megapixels_host: Some(12.0), ..ROOMY };
    // What was spent where by whom, what the first person asks for in the fifth guild, and which quota refuses with what is used.
    type Case<'a> = (&'a [(u64, u64, f64)], f64, Option<(QuotaOf, f64)>);
    let cases: [Case; 6] = [
        (&[], 5.0, None),
        (&[], 5.5, Some((QuotaOf::Member, 0.0))),
        (&[(5, 1, 4.0)], 1.5, Some((QuotaOf::Member, 4.0))),
        (&[(2, 1, 5.0)], 1.5, Some((QuotaOf::User, 5.0))),
        (&[(5, 2, 5.0), (5, 3, 2.5)], 1.0, Some((QuotaOf::Guild, 7.5))),
        (&[(2, 2, 5.0), (3, 3, 5.0), (4, 4, 1.5)], 1.0, Some((QuotaOf::Host, 11.5))),
    ];
    let store = backend.open().await;
    allow(&*store, 5, daily(Subject::Everyone, 5.0)).await;
    for (day, (before, cost, expected)) in (0..).zip(cases) {
        let now = at(day * DAY_MS);
        for &(guild, user, cost) in before {
            assert!(matches!(store.enqueue(costing(guild, user, cost), &ROOMY, now).await.unwrap(), Enqueued::Created(_)));
        }
        match store.enqueue(costing(5, 1, cost), &limits, now).await.unwrap() {
            Enqueued::Created(_) => assert_eq!(expected, None, "day {day}"),
            Enqueued::Refused(Refusal::Quota { of, quota, .. }) => assert_eq!(Some((of, quota.used)), expected, "day {day}"),
            other => panic!("day {day}: {other:?}"),
        }
    }
}

/// Whatever comes, ends and is asked for again: each sum stays within its limit, and what is left at the end is what was computed.
pub async fn sums_never_exceed_their_limits_and_refunds_restore_them(backend: &impl Backend) {
    let store = backend.open().await;
    let limits =
        Limits { daily_row_megapixels: 9.0, daily_row_megapixels_per_user: Some(7.0), daily_row_megapixels_host: Some(17.0), ..ROOMY };
    for guild in 0..3 {
        allow(&*store, guild, daily(Subject::Everyone, 5.0)).await;
    }
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let now = at(seed as i64 * DAY_MS);
        let mut spent: HashMap<(u64, u64), f64> = HashMap::new();
        let (mut ids, mut n_refused) = (Vec::new(), 0);
        for step in 0..60 {
            let new = |dice: &mut Dice| costing(dice.roll(3), 100 + dice.roll(3), 0.5 * (1 + dice.roll(5)) as f64);
            match dice.roll(5) {
                0..3 => match store.enqueue(new(&mut dice), &limits, now).await.unwrap() {
                    Enqueued::Created(id) => ids.push(id),
                    Enqueued::Refused(Refusal::Quota { .. }) => n_refused += 1,
                    other => panic!("seed {seed}: {other:?}"),
                },
                3 => {
                    if let Some(id) = dice.pick(&ids) {
                        store.request_cancel(id, now).await.unwrap();
                    }
                }
                _ => {
                    let Some(lease) = store.claim(LEASE, &MANY, &[], now).await.unwrap() else { continue };
                    let share = dice.roll(5) as f64 / 4.0 * lease.job.row_megapixels;
                    let charged = match dice.roll(3) {
                        0 => store.fail(&lease, &Failure::OutOfMemory, now).await.map(|_| 0.0),
                        1 => store.complete(&lease, share, now).await.map(|_| share),
                        _ => {
                            store.request_cancel(lease.job.id, now).await.unwrap();
                            store.finish_cancel(&lease, share, now).await.map(|_| share)
                        }
                    };
                    *spent.entry((lease.job.guild.0, lease.job.user.0)).or_default() += charged.unwrap();
                }
            }
            let NewJob { guild, user, .. } = new(&mut dice);
            for (of, quota) in store.quotas(&Spender::new(guild, user), &limits, now).await.unwrap() {
                assert!((0.0..=quota.limit).contains(&quota.used), "seed {seed}, step {step}: {of:?} {quota:?}");
            }
        }
        assert!(n_refused > 0, "seed {seed}: the limits are met");
        while let Some(lease) = store.claim(LEASE, &MANY, &[], now).await.unwrap() {
            store.fail(&lease, &Failure::OutOfMemory, now).await.unwrap();
        }
        let of = |is_counted: &dyn Fn(u64, u64) -> bool| {
            spent.iter().filter(|((guild, user), _)| is_counted(*guild, *user)).map(|(_, sum)| sum).sum::<f64>()
        };
        for (guild, user) in (0..3).flat_map(|guild| (100..103).map(move |user| (guild, user))) {
            for (whose, quota) in store.quotas(&Spender::new(storage::GuildId(guild), storage::UserId(user)), &limits, now).await.unwrap() {
                let expected = match whose {
                    QuotaOf::Guild => of(&|other, _| other == guild),
                    QuotaOf::Member => of(&|place, person| (place, person) == (guild, user)),
                    QuotaOf::User => of(&|_, other| other == user),
                    QuotaOf::Host => of(&|_, _| true),
                };
                assert_eq!(quota.used, expected, "seed {seed}: {whose:?} of {guild} and {user}");
            }
        }
    }
}
