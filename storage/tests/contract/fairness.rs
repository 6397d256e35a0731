//! Whose turn it is.

use storage::{Cancelled, JobId, NewJob, Queue, RunningLimits, Tier};

use super::support::*;

/// Claims and completes until nothing waits; the guild or user of each job in turn.
async fn serve(store: &dyn Queue, n: usize, who: impl Fn(&storage::Job) -> u64) -> Vec<u64> {
    let mut served = Vec::new();
    for _ in 0..n {
        let lease = claimed(store).await;
        store.complete(&lease, lease.job.row_megapixels, NOON).await.unwrap();
        served.push(who(&lease.job));
    }
    served
}

/// Where a job stands in the queue, from 1.
async fn place(store: &dyn Queue, id: JobId) -> Option<usize> {
    store.queue(1000).await.unwrap().into_iter().position(|other| other == id).map(|position| position + 1)
}

pub async fn a_hog_does_not_delay_a_small_guild(backend: &impl Backend) {
    let store = backend.open().await;
    for _ in 0..200 {
        created(&*store, job(1, 1)).await;
    }
    for guild in 2..=4 {
        for user in 0..5 {
            created(&*store, job(guild, user)).await;
        }
    }
    serve(&*store, 9, |_| 0).await;
    let small = created(&*store, job(5, 1)).await;
    let place = place(&*store, small).await.unwrap();
    assert!(place <= 5 + 1, "its place among 5 guilds is {place}");
    let served = serve(&*store, 6, |job| job.guild.0).await;
    assert_eq!(served.iter().filter(|guild| **guild == 5).count(), 1, "{served:?}");
    assert_eq!(served.iter().position(|guild| *guild == 5), Some(place - 1), "a place is a promise: {served:?}");
}

pub async fn two_backlogged_guilds_alternate(backend: &impl Backend) {
    let store = backend.open().await;
    for guild in [1, 2] {
        for _ in 0..10 {
            created(&*store, job(guild, guild)).await;
        }
    }
    let served = serve(&*store, 20, |job| job.guild.0).await;
    assert_eq!(served, [1, 2].repeat(10));
}

pub async fn two_users_of_a_guild_alternate(backend: &impl Backend) {
    let store = backend.open().await;
    for user in [1, 2] {
        for _ in 0..10 {
            created(&*store, job(9, user)).await;
        }
    }
    let served = serve(&*store, 20, |job| job.user.0).await;
    assert_eq!(served, [1, 2].repeat(10));
}

pub async fn many_users_do_not_make_a_guild_bigger(backend: &impl Backend) {
    let store = backend.open().await;
    for user in 0..12 {
        created(&*store, job(1, user)).await;
    }
    for _ in 0..12 {
        created(&*store, job(2, 50)).await;
    }
    let served = serve(&*store, 24, |job| job.guild.0).await;
    assert_eq!(served, [1, 2].repeat(12));
}

pub async fn cost_is_shared_not_the_number_of_jobs(backend: &impl Backend) {
    let store = backend.open().await;
    for _ in 0..10 {
        created(&*store, costing(1, 1, 6.0)).await;
    }
    for _ in 0..60 {
        created(&*store, costing(2, 2, 1.0)).await;
    }
    let (mut expensive, mut cheap) = (0.0, 0.0);
    for guild in serve(&*store, 70, |job| job.guild.0).await {
        *(if guild == 1 { &mut expensive } else { &mut cheap }) += if guild == 1 { 6.0 } else { 1.0 };
        // Goyal 1996, theorem 1: two backlogged flows differ by at most their largest jobs.
        assert!(f64::abs(expensive - cheap) <= 6.0 + 1.0, "{expensive} against {cheap}");
    }
}

pub async fn an_underestimated_job_is_paid_for_later(backend: &impl Backend) {
    let store = backend.open().await;
    for guild in [1, 2] {
        for _ in 0..6 {
            created(&*store, job(guild, guild)).await;
        }
    }
    let lease = claimed(&*store).await;
    assert_eq!(lease.job.guild.0, 1);
    store.complete(&lease, 4.0, NOON).await.unwrap();
    let served = serve(&*store, 11, |job| job.guild.0).await;
    assert_eq!(served, [2, 2, 2, 2, 1, 2, 1, 2, 1, 1, 1], "guild 1 sits out three turns");
}

pub async fn idle_time_is_not_saved_up(backend: &impl Backend) {
    // A guild that comes late, then a user who comes late in a guild.
    for (base, late) in [(0, (2, 2)), (10, (11, 12))] {
        let store = backend.open().await;
        for _ in 0..20 {
            created(&*store, job(base + 1, base + 1)).await;
        }
        serve(&*store, 10, |_| 0).await;
        for _ in 0..5 {
            created(&*store, job(late.0, late.1)).await;
        }
        let served = serve(&*store, 15, |job| job.user.0).await;
        assert_eq!(served[..10].iter().filter(|user| **user == late.1).count(), 5, "{served:?}");
        assert!(served.windows(3).all(|three| three != [late.1; 3]), "{served:?}");
    }
}

pub async fn cancelled_jobs_cost_their_guild_no_turn(backend: &impl Backend) {
    let store = backend.open().await;
    let mut hasty = Vec::new();
    for _ in 0..10 {
        hasty.push(created(&*store, job(1, 1)).await);
    }
    for _ in 0..3 {
        created(&*store, job(2, 2)).await;
    }
    for id in &hasty[..9] {
        assert_eq!(store.request_cancel(*id, NOON).await.unwrap(), Cancelled::Now);
    }
    assert_eq!(place(&*store, hasty[9]).await, Some(1));
    let served = serve(&*store, 4, |job| job.guild.0).await;
    assert_eq!(served.iter().position(|guild| *guild == 1), Some(0), "{served:?}");
}

pub async fn claims_follow_the_queue_as_it_was_shown(backend: &impl Backend) {
    let store = backend.open().await;
    let mut dice = Dice(3);
    for _ in 0..40 {
        created(&*store, costing(dice.roll(4), dice.roll(3), dice.roll(5) as f64)).await;
    }
    let queue = store.queue(100).await.unwrap();
    assert_eq!(queue.len(), 40);
    for n in [0, 1, 7, 39] {
        assert_eq!(store.queue(n).await.unwrap(), queue[..n as usize], "the first turns are the same however many are asked for");
    }
    for id in queue {
        let lease = claimed(&*store).await;
        assert_eq!(lease.job.id, id);
        assert_eq!(place(&*store, id).await, None);
        store.complete(&lease, lease.job.row_megapixels, NOON).await.unwrap();
    }
}

pub async fn relaxed_jobs_have_a_sixteenth_of_the_turns(backend: &impl Backend) {
    let store = backend.open().await;
    for _ in 0..4 {
        created(&*store, relaxed(job(1, 1))).await;
    }
    // Of the same person, in the same guild: the tiers take turns like two guilds.
    for _ in 0..48 {
        created(&*store, job(1, 1)).await;
    }
    let served = serve(&*store, 52, |job| u64::from(job.tier == Tier::Relax)).await;
    let places: Vec<usize> = (0..).zip(&served).filter(|(_, is_relaxed)| **is_relaxed == 1).map(|(place, _)| place).collect();
    assert_eq!(places, [0, 17, 34, 51], "{served:?}");
}

pub async fn relaxed_jobs_run_in_a_quarter_of_the_slots_while_others_wait(backend: &impl Backend) {
    let store = backend.open().await;
    let limits = RunningLimits { max_running: 8, max_running_per_user: 8, max_running_per_guild: 8 };
    let next = async || store.claim(LEASE, &limits, &[], NOON).await.unwrap().expect("a job waits");
    for user in 0..6 {
        created(&*store, relaxed(job(1, user))).await;
    }
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(next().await);
    }
    for user in 0..60 {
        created(&*store, job(2, 10 + user)).await;
    }
    for _ in 0..50 {
        let fast = next().await;
        assert_eq!(fast.job.tier, Tier::Fast, "three of eight slots are taken");
        store.complete(&fast, 1.0, NOON).await.unwrap();
    }
    for slow in running.drain(..2) {
        store.complete(&slow, 1.0, NOON).await.unwrap();
    }
    assert_eq!(next().await.job.tier, Tier::Relax, "it is their turn by far");
    for _ in 0..10 {
        let fast = next().await;
        assert_eq!(fast.job.tier, Tier::Fast);
        store.complete(&fast, 1.0, NOON).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(next().await.job.tier, Tier::Relax, "nobody else waits");
    }
}

pub async fn a_fast_job_that_may_not_run_keeps_no_slot_from_relaxed_ones(backend: &impl Backend) {
    let store = backend.open().await;
    let limits = RunningLimits { max_running: 4, max_running_per_user: 1, max_running_per_guild: 4 };
    for user in [1, 1] {
        created(&*store, job(1, user)).await;
    }
    for user in 2..4 {
        created(&*store, relaxed(job(2, user))).await;
    }
    let mut tiers = Vec::new();
    while let Some(lease) = store.claim(LEASE, &limits, &[], NOON).await.unwrap() {
        tiers.push(lease.job.tier);
    }
    assert_eq!(tiers, [Tier::Fast, Tier::Relax, Tier::Relax]);
}

pub async fn a_model_in_memory_goes_first_and_passes_the_head_four_times(backend: &impl Backend) {
    let store = backend.open().await;
    let drawn_with = |user: u64, model: &str| NewJob { model: Some(model.into()), ..job(1, user) };
    for user in 0..2 {
        created(&*store, drawn_with(user, "far")).await;
    }
    for user in 2..14 {
        created(&*store, drawn_with(user, "near")).await;
    }
    let resident = ["near".to_owned(), "other".to_owned()];
    let mut models = Vec::new();
    while let Some(lease) = store.claim(LEASE, &MANY, &resident, NOON).await.unwrap() {
        models.push(lease.job.model.unwrap());
    }
    let far: Vec<usize> = (0..).zip(&models).filter(|(_, model)| *model == "far").map(|(place, _)| place).collect();
    assert_eq!((models.len(), far), (14, vec![4, 9]), "{models:?}");
}

fn relaxed(job: NewJob) -> NewJob {
    NewJob { tier: Tier::Relax, ..job }
}
