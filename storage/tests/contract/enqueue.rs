//! How jobs come in.

use storage::{Cancelled, Delivery, Enqueued, Failure, JobStatus, Limits, NewJob, Refusal, Tier, Written};

use super::support::*;

pub async fn the_same_key_a_hundred_times_is_one_job_and_one_debit(backend: &impl Backend) {
    let store = backend.open().await;
    let job = job(1, 1);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (store, job) = (store.clone(), job.clone());
            tokio::spawn(async move { store.enqueue(job, &ROOMY, NOON).await.unwrap() })
        })
        .collect();
    let mut made = Vec::new();
    let mut known = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Enqueued::Created(id) => made.push(id),
            Enqueued::SameKey(id) => known.push(id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(made.len(), 1);
    assert_eq!(known, vec![made[0]; 99]);
    assert_eq!(store.queue(100).await.unwrap(), made);
    assert_eq!(used(&*store, 1, NOON).await, 1.0);
}

pub async fn the_same_press_a_hundred_times_is_one_job(backend: &impl Backend) {
    let store = backend.open().await;
    let press = |_| {
        let store = store.clone();
        tokio::spawn(async move { store.enqueue(pressing("upscale:1:0", false), &ROOMY, NOON).await.unwrap() })
    };
    let tasks: Vec<_> = (0..100).map(press).collect();
    let mut made = Vec::new();
    let mut known = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Enqueued::Created(id) => made.push(id),
            Enqueued::Pressed(id, JobStatus::Queued) => known.push(id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(made.len(), 1);
    assert_eq!(known, vec![made[0]; 99]);
    assert_eq!(used(&*store, 1, NOON).await, 1.0);
}

pub async fn a_press_is_held_while_the_job_lives_and_kept_when_done_if_asked(backend: &impl Backend) {
    let store = backend.open().await;
    for (i, keep) in [true, false].into_iter().enumerate() {
        let key = format!("upscale:{i}");
        let id = created(&*store, pressing(&key, keep)).await;
        let pressed = async || store.enqueue(pressing(&key, keep), &ROOMY, NOON).await.unwrap();
        assert_eq!(pressed().await, Enqueued::Pressed(id, JobStatus::Queued));
        let lease = claimed(&*store).await;
        assert_eq!(pressed().await, Enqueued::Pressed(id, JobStatus::Leased));
        assert_eq!(store.complete(&lease, 1.0, NOON).await.unwrap(), Written::Done);
        if keep {
            assert_eq!(pressed().await, Enqueued::Pressed(id, JobStatus::Done));
            store.delete(id, NOON).await.unwrap();
        }
        assert!(matches!(pressed().await, Enqueued::Created(_)), "keep: {keep}");
        store.fail(&claimed(&*store).await, &Failure::OutOfMemory, NOON).await.unwrap();
    }
}

pub async fn a_press_is_released_when_its_job_fails_or_is_cancelled(backend: &impl Backend) {
    let store = backend.open().await;
    created(&*store, pressing("reroll:1", true)).await;
    store.fail(&claimed(&*store).await, &Failure::OutOfMemory, NOON).await.unwrap();
    let second = created(&*store, pressing("reroll:1", true)).await;
    assert_eq!(store.request_cancel(second, NOON).await.unwrap(), Cancelled::Now);
    let third = created(&*store, pressing("reroll:1", true)).await;
    let lease = claimed(&*store).await;
    assert_eq!(store.request_cancel(third, NOON).await.unwrap(), Cancelled::Requested);
    store.finish_cancel(&lease, 0.0, NOON).await.unwrap();
    created(&*store, pressing("reroll:1", true)).await;
}

pub async fn a_press_is_known_as_long_as_it_is_held(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.pressed("upscale:1:0").await.unwrap(), None);
    let id = created(&*store, pressing("upscale:1:0", true)).await;
    assert_eq!(store.pressed("upscale:1:0").await.unwrap(), Some((id, JobStatus::Queued)));
    store.complete(&claimed(&*store).await, 1.0, NOON).await.unwrap();
    assert_eq!(store.pressed("upscale:1:0").await.unwrap(), Some((id, JobStatus::Done)));
    assert_eq!(store.pressed("upscale:1:1").await.unwrap(), None);
    store.delete(id, NOON).await.unwrap();
    assert_eq!(store.pressed("upscale:1:0").await.unwrap(), None);
}

pub async fn limits_refuse_in_their_order_and_change_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let first = pressing("upscale:1", false);
    let id = created(&*store, first.clone()).await;
    let mut limits = Limits { daily_row_megapixels: 1.0, max_active_per_user: 1, max_queued_per_guild: 1, max_queued: 1, ..ROOMY };
    let ask = async |job: NewJob, limits: Limits| store.enqueue(job, &limits, NOON).await.unwrap();

    assert_eq!(ask(first, limits).await, Enqueued::SameKey(id));
    assert_eq!(ask(pressing("upscale:1", false), limits).await, Enqueued::Pressed(id, JobStatus::Queued));
    assert_eq!(ask(job(1, 1), limits).await, Enqueued::Refused(Refusal::UserBusy { active: 1, limit: 1 }));
    limits.max_active_per_user = 2;
    assert_eq!(ask(job(1, 1), limits).await, Enqueued::Refused(Refusal::GuildFull { limit: 1, again: None }));
    limits.max_queued_per_guild = 2;
    assert_eq!(ask(job(1, 1), limits).await, Enqueued::Refused(Refusal::QueueFull { limit: 1, again: None }));
    limits.max_queued = 2;
    let Enqueued::Refused(Refusal::Quota { quota, .. }) = ask(job(1, 1), limits).await else { panic!("the quota is used up") };
    assert_eq!((quota.used, quota.limit, quota.resets), (1.0, 1.0, at(DAY_MS / 2)));
    assert_eq!(store.queue(100).await.unwrap(), [id]);
    assert_eq!(used(&*store, 1, NOON).await, 1.0);

    limits.daily_row_megapixels = 2.0;
    assert!(matches!(ask(job(1, 1), limits).await, Enqueued::Created(_)), "exactly the limit is allowed");
}

pub async fn limits_count_what_they_say(backend: &impl Backend) {
    let store = backend.open().await;
    created(&*store, job(1, 1)).await;
    claimed(&*store).await;
    let limits = Limits { max_active_per_user: 1, max_queued_per_guild: 1, max_queued: 1, ..ROOMY };
    let ask = async |job: NewJob| store.enqueue(job, &limits, NOON).await.unwrap();
    let busy = Enqueued::Refused(Refusal::UserBusy { active: 1, limit: 1 });
    assert_eq!(ask(job(2, 1)).await, busy, "a running job counts for its user, in any guild");
    assert!(matches!(ask(job(1, 2)).await, Enqueued::Created(_)), "a running job does not count as queued");
    assert_eq!(ask(job(2, 3)).await, Enqueued::Refused(Refusal::QueueFull { limit: 1, again: None }));
}

pub async fn what_is_enqueued_is_what_is_read(backend: &impl Backend) {
    let store = backend.open().await;
    let parent = created(&*store, job(1, 1)).await;
    let new = NewJob {
        action: "variation".into(),
        tier: Tier::Relax,
        model: Some("sdxl".into()),
        task: serde_json::json!({ "prompt": "‘;DROP TABLE jobs;-- 🎨", "seed": u64::MAX, "images": [1, 2.5, null] }),
        parent: Some((parent, 3)),
        notes: Some(serde_json::json!([{ "kind": "foreign_parameter", "name": "--v" }])),
        row_megapixels: 0.262_144,
        delivery: Delivery { channel: u64::MAX, token: "t".into(), token_expires: at(1), message: Some(u64::MAX - 1), is_private: false },
        ..job(u64::MAX, u64::MAX - 7)
    };
    let id = created(&*store, new.clone()).await;
    let job = store.job(id).await.unwrap().unwrap();
    assert_eq!((job.id, job.status, job.guild, job.user), (id, JobStatus::Queued, new.guild, new.user));
    assert_eq!((job.tier, job.model), (Tier::Relax, new.model));
    assert_eq!((job.action, job.task, job.parent, job.notes), (new.action, new.task, new.parent, new.notes));
    assert_eq!((job.row_megapixels, job.delivery), (new.row_megapixels, new.delivery));
    assert_eq!((job.failure, job.is_deleted, job.is_cancel_requested), (None, false, false));
    assert_eq!((job.attempts, job.created, job.finished), (0, NOON, None));
    assert!(store.job(storage::JobId::new()).await.unwrap().is_none());
}

pub async fn a_full_queue_says_when_there_may_be_a_place(backend: &impl Backend) {
    let store = backend.open().await;
    for user in 0..24 {
        created(&*store, job(1 + user % 3, user)).await;
    }
    let limits = Limits { max_queued: 20, max_queued_per_guild: 8, ..ROOMY };
    let again = async |guild: u64, limits: Limits, now| match store.enqueue(job(guild, 99), &limits, now).await.unwrap() {
        Enqueued::Refused(Refusal::QueueFull { again, .. } | Refusal::GuildFull { again, .. }) => again,
        other => panic!("{other:?}"),
    };
    assert_eq!(again(4, limits, at(0)).await, None, "nothing was claimed yet");
    for second in 0..4 {
        store.claim(LEASE, &MANY, &[], at(second * 5000)).await.unwrap().expect("a job waits");
    }
    assert_eq!(again(4, limits, at(15_000)).await, Some(at(20_000)), "20 wait, and a place is free at the next claim");
    assert_eq!(again(4, Limits { max_queued: 18, ..limits }, at(17_000)).await, Some(at(30_000)), "after three");
    let of_guild = again(2, Limits { max_queued: 1000, max_queued_per_guild: 6, ..limits }, at(15_000)).await;
    let n_in_guild = 7;
    assert_eq!(of_guild, Some(at(15_000 + 5000 * (2 * 20 / n_in_guild))), "two of the guild's, which has 7 of 20");
}
