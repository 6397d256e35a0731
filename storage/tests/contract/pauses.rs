//! Guilds that are paused, what waits and runs of a guild or a person, and what is for one person alone.

use storage::{Beside, Delivery, Enqueued, GuildId, HistoryFilter, JobId, NewJob, UserId};

use super::support::*;

async fn put(store: &dyn storage::JobStore, job: NewJob) -> JobId {
    match store.enqueue(job, &ROOMY, NOON).await.unwrap() {
        Enqueued::Created(id) => id,
        other => panic!("{other:?}"),
    }
}

pub async fn a_paused_guild_waits_and_others_go_on<B: Backend>(backend: &B) {
    let store = backend.open().await;
    let running = put(&*store, job(1, 1)).await;
    let lease = store.claim(LEASE, &MANY, &[], NOON).await.unwrap().expect("it may run");
    assert_eq!(lease.job.id, running);
    let (held, free) = (put(&*store, job(1, 1)).await, put(&*store, job(2, 2)).await);
    assert!(store.pause(GuildId(1), Some(UserId(9)), NOON).await.unwrap());
    assert!(!store.pause(GuildId(1), Some(UserId(8)), NOON).await.unwrap(), "it is paused already");
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.paused().await.unwrap(), [(GuildId(1), UserId(9))], "as whoever did it first, also after a restart");
    assert_eq!((store.queue(10).await.unwrap(), store.waiting().await.unwrap()), (vec![free], vec![held, free]));
    assert_eq!(store.claim(LEASE, &MANY, &[], NOON).await.unwrap().map(|lease| lease.job.id), Some(free));
    assert!(store.claim(LEASE, &MANY, &[], NOON).await.unwrap().is_none());
    // What runs goes on and ends.
    assert_eq!(store.complete(&lease, 1.0, NOON).await.unwrap(), storage::Written::Done);
    assert!(store.pause(GuildId(1), None, NOON).await.unwrap());
    assert!(!store.pause(GuildId(1), None, NOON).await.unwrap());
    assert_eq!((store.paused().await.unwrap(), store.queue(10).await.unwrap()), (vec![], vec![held]));
    assert_eq!(store.claim(LEASE, &MANY, &[], NOON).await.unwrap().map(|lease| lease.job.id), Some(held));
}

pub async fn unfinished_jobs_are_those_that_run_and_those_that_wait(backend: &impl Backend) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for (guild, user) in [(1, 1), (1, 2), (2, 1), (2, 2), (1, 1)] {
        ids.push(put(&*store, job(guild, user)).await);
    }
    let lease = store.claim(LEASE, &MANY, &[], NOON).await.unwrap().expect("one may run");
    assert_eq!(lease.job.id, ids[0]);
    store.request_cancel(ids[3], NOON).await.unwrap();
    let found = async |guild: Option<u64>, user: Option<u64>, n| {
        let jobs = store.unfinished(guild.map(GuildId), user.map(UserId), n).await.unwrap();
        jobs.into_iter().map(|job| ids.iter().position(|id| *id == job.id).expect("one of ours")).collect::<Vec<_>>()
    };
    assert_eq!(found(None, None, 10).await, [0, 1, 2, 4]);
    assert_eq!(found(Some(1), None, 10).await, [0, 1, 4]);
    assert_eq!(found(None, Some(1), 10).await, [0, 2, 4]);
    assert_eq!(found(Some(1), Some(1), 1).await, [0]);
    assert_eq!(found(Some(2), Some(2), 10).await, Vec::<usize>::new());
}

pub async fn a_private_job_stays_so_and_is_in_no_history_of_others<B: Backend>(backend: &B) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for is_private in [false, true, false] {
        let plain = job(1, 1);
        let delivery = Delivery { channel: 7, is_private, ..plain.delivery.clone() };
        ids.push(put(&*store, NewJob { delivery, ..plain }).await);
        let lease = store.claim(LEASE, &MANY, &[], NOON).await.unwrap().expect("it may run");
        assert_eq!(lease.job.delivery.is_private, is_private);
        store.complete(&lease, 1.0, NOON).await.unwrap();
    }
    drop(store);
    let store = backend.open().await;
    assert!(store.job(ids[1]).await.unwrap().is_some_and(|job| job.delivery.is_private));
    let filter = |user: Option<u64>, channels: Option<Vec<u64>>| HistoryFilter { guild: GuildId(1), user: user.map(UserId), channels };
    for (filter, n) in
        [(filter(None, None), 2), (filter(None, Some(vec![7])), 2), (filter(Some(1), None), 3), (filter(Some(1), Some(vec![7])), 3)]
    {
        let (jobs, _) = store.history(filter.clone(), 0, 10).await.unwrap();
        assert_eq!(jobs.len(), n, "{filter:?}");
        assert_eq!(jobs.iter().any(|job| job.id == ids[1]), n == 3, "{filter:?}");
        let beside = store.history_beside(filter.clone(), Beside::Older(ids[2]), 10).await.unwrap();
        assert_eq!(beside.jobs.len(), n - 1, "{filter:?}");
    }
}
