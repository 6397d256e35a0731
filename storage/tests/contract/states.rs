//! What stopped pictures go on from, and what somebody wants less of a job.

use storage::{BlobKey, JobId, JobStatus, JobStore, KeptState, Lease, Less, NewJob, StorageError, Written};

use super::support::*;

fn state(index: u32, key: u8, n_bytes: u64) -> KeptState {
    KeptState { index, blob: blob(key), n_bytes, done: 3, total: 10 }
}

pub async fn a_state_is_kept_under_its_lease_and_goes_with_its_job(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    let stale = claimed(&*store).await;
    store.reap(true, NOON).await.unwrap();
    let lease = claimed(&*store).await;
    assert_eq!(store.keep_state(&stale, &state(0, 9, 1), NOON).await.unwrap(), Written::Fenced);
    for kept in [state(2, 3, 30), state(0, 5, 50), state(0, 4, 40)] {
        assert_eq!(store.keep_state(&lease, &kept, NOON).await.unwrap(), Written::Done);
    }
    let expected = [state(0, 4, 40), state(2, 3, 30)];
    assert_eq!(store.states(id).await.unwrap(), expected, "the last of each picture");
    finish(&*store, &lease, &[image(0, blob(1)), image(2, blob(2))], NOON).await;
    assert_eq!(store.keep_state(&lease, &state(1, 6, 1), NOON).await.unwrap(), Written::Fenced, "after its end");
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.states(id).await.unwrap(), expected);
    assert!(store.states(JobId::new()).await.unwrap().is_empty());
    let mut unused = store.delete(id, NOON).await.unwrap();
    unused.sort_by_key(BlobKey::to_string);
    let mut all = [1, 2, 3, 4].map(blob);
    all.sort_by_key(BlobKey::to_string);
    assert_eq!(unused, all);
    assert!(store.states(id).await.unwrap().is_empty());

    let cancelled = created(&*store, job(1, 1)).await;
    let lease = claimed(&*store).await;
    store.request_cancel(cancelled, NOON).await.unwrap();
    assert_eq!(store.keep_state(&lease, &state(0, 4, 40), NOON).await.unwrap(), Written::CancelRequested);
}

/// A finished job with a state of so many bytes.
async fn stopped(store: &dyn JobStore, key: u8, n_bytes: u64, ms: i64) -> JobId {
    let id = created(store, job(1, 1)).await;
    let lease: Lease = claimed(store).await;
    assert_eq!(store.keep_state(&lease, &state(0, key, n_bytes), at(ms)).await.unwrap(), Written::Done);
    finish(store, &lease, &[image(0, blob(100 + key))], at(ms)).await;
    id
}

pub async fn states_go_by_age_and_bytes_but_never_under_a_job_that_goes_on_from_them(backend: &impl Backend) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for key in 0..5 {
        ids.push(stopped(&*store, key, 100, i64::from(key) * 10).await);
    }
    let same = stopped(&*store, 4, 100, 50).await;
    let going_on = created(&*store, NewJob { parent: Some((ids[1], 0)), ..job(1, 2) }).await;
    let n_left = async || {
        let mut n = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            n.extend((!store.states(*id).await.unwrap().is_empty()).then_some(place));
        }
        n
    };
    assert!(store.forget_states(at(0), 600).await.unwrap().is_empty());
    assert_eq!(n_left().await, [0, 1, 2, 3, 4]);
    assert_eq!(store.forget_states(at(20), 600).await.unwrap(), [blob(0)], "older than that, but one is gone on from");
    assert_eq!(n_left().await, [1, 2, 3, 4]);
    // Of the newest 300 bytes 100 are those of the other job, which has the bytes of the fifth.
    assert_eq!(store.forget_states(at(0), 300).await.unwrap(), [blob(2)]);
    assert_eq!(n_left().await, [1, 3, 4]);
    let lease = claimed(&*store).await;
    assert_eq!(lease.job.id, going_on);
    assert_eq!(store.forget_states(at(1000), 0).await.unwrap(), [blob(4), blob(3)], "a blob of two goes with the second");
    assert_eq!((n_left().await, store.states(same).await.unwrap().len()), (vec![1], 0));
    finish(&*store, &lease, &[image(0, blob(50))], NOON).await;
    assert_eq!(store.forget_states(at(1000), 0).await.unwrap(), [blob(1)], "nothing goes on from it any more");
}

pub async fn less_is_wanted_of_a_job_until_it_ends(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    let read = async |store: &dyn JobStore| {
        let job = store.job(id).await.unwrap().unwrap();
        (job.is_stop_requested, job.culled)
    };
    assert_eq!(read(&*store).await, (false, 0));
    assert_eq!(store.want_less(id, Less::Without(3)).await.unwrap(), JobStatus::Queued);
    let lease = claimed(&*store).await;
    assert_eq!((lease.job.is_stop_requested, lease.job.culled), (false, 0b1000), "whoever draws it is told");
    assert_eq!(store.want_less(id, Less::Without(0)).await.unwrap(), JobStatus::Leased);
    assert_eq!(store.want_less(id, Less::Without(40)).await.unwrap(), JobStatus::Leased, "no job has so many");
    assert_eq!(store.want_less(id, Less::Stop).await.unwrap(), JobStatus::Leased);
    drop(store);
    let store = backend.open().await;
    store.reap(true, NOON).await.unwrap();
    let lease = claimed(&*store).await;
    assert_eq!((lease.job.is_stop_requested, lease.job.culled), (true, 0b1001), "after a kill too");
    finish(&*store, &lease, &[image(1, blob(1))], NOON).await;
    assert_eq!(store.want_less(id, Less::Without(1)).await.unwrap(), JobStatus::Done);
    assert_eq!(read(&*store).await, (true, 0b1001));
    assert!(matches!(store.want_less(JobId::new(), Less::Stop).await, Err(StorageError::MissingJob(_))));
}
