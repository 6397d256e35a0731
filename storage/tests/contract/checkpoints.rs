//! Pictures on their way: kept for the next worker, replaced, bounded, and gone when they are of no use.

use storage::{Cancelled, Checkpoint, CheckpointLimits, Checkpoints, Failure, JobStatus, JobStore, Kept, Lease, Written};

use super::support::*;

/// Keeps states; whether all of them were.
async fn keep(store: &dyn Checkpoints, lease: &Lease, checkpoints: &[Checkpoint]) -> bool {
    let kept = store.keep(lease, checkpoints, &ENDLESS).await.unwrap();
    assert_eq!(kept.written, Written::Done);
    kept.n_left_out == 0
}

pub async fn the_newest_state_of_each_picture_is_there_for_the_next_worker(backend: &impl Backend) {
    let store = backend.open().await;
    let (id, other) = (created(&*store, job(1, 1)).await, created(&*store, job(1, 1)).await);
    let lost = claimed(&*store).await;
    assert_eq!((lost.job.id, lost.checkpoints.len()), (id, 0));
    assert!(keep(&*store, &lost, &[checkpoint(2, 3, 1), checkpoint(0, 3, 2)]).await);
    assert!(keep(&*store, &lost, &[checkpoint(0, 4, 3)]).await);
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
    let released = claimed(&*store).await;
    assert_eq!((released.job.id, &released.checkpoints[..]), (id, &[checkpoint(0, 4, 3), checkpoint(2, 3, 1)][..]), "after a kill");
    assert_eq!(store.keep(&lost, &[checkpoint(0, 9, 9)], &ENDLESS).await.unwrap().written, Written::Fenced);
    // Begun again from its seed: the newest counts, not the one of most steps.
    assert!(keep(&*store, &released, &[checkpoint(0, 1, 7)]).await);
    assert_eq!(store.release(&released, NOON).await.unwrap(), Written::Done);
    assert_eq!(store.keep(&released, &[checkpoint(0, 9, 9)], &ENDLESS).await.unwrap().written, Written::Fenced, "while it waits");

    let last = claimed(&*store).await;
    assert_eq!(
        last.checkpoints.iter().map(|kept| (kept.index, kept.state.clone())).collect::<Vec<_>>(),
        [(0, checkpoint(0, 1, 7).state), (2, checkpoint(2, 3, 1).state)]
    );
    assert_eq!((claimed(&*store).await.checkpoints.len(), other == id), (0, false), "another job has none");
}

pub async fn a_recorded_picture_has_no_state_and_gets_none(backend: &impl Backend) {
    let store = backend.open().await;
    created(&*store, job(1, 1)).await;
    let lease = claimed(&*store).await;
    assert!(keep(&*store, &lease, &[checkpoint(0, 3, 1), checkpoint(1, 3, 2)]).await);
    assert_eq!(store.record_image(&lease, &image(0, blob(1))).await.unwrap(), Written::Done);
    assert!(keep(&*store, &lease, &[checkpoint(0, 4, 3), checkpoint(1, 4, 4)]).await, "a write that came late");
    assert_eq!(store.release(&lease, NOON).await.unwrap(), Written::Done);
    let next = claimed(&*store).await;
    assert_eq!((next.images.len(), &next.checkpoints[..]), (1, &[checkpoint(1, 4, 4)][..]));
}

/// How many bytes are kept of all jobs, by what still fits beside them.
async fn n_bytes(store: &dyn JobStore) -> u64 {
    created(store, job(7, 7)).await;
    let lease = claimed(store).await;
    let one = checkpoint(9, 1, 1).state.len() as u64;
    let mut others = 0;
    loop {
        let limits = CheckpointLimits { max_bytes_in_all: others + one, ..ENDLESS };
        if store.keep(&lease, &[checkpoint(9, 1, 1)], &limits).await.unwrap().n_left_out == 0 {
            break;
        }
        others += 1;
    }
    store.fail(&lease, &Failure::OutOfMemory, NOON).await.unwrap();
    others
}

pub async fn states_go_with_their_job_however_it_ends(backend: &impl Backend) {
    let store = backend.open().await;
    for end in ["done", "failed", "cancelled", "cancelled while it waits", "cancelled and lost", "out of attempts"] {
        let id = created(&*store, job(1, 1)).await;
        let lease = claimed(&*store).await;
        assert!(keep(&*store, &lease, &[checkpoint(0, 3, 1), checkpoint(1, 3, 2)]).await);
        assert_eq!(n_bytes(&*store).await, 3, "{end}");
        match end {
            "done" => drop(store.complete(&lease, 1.0, NOON).await.unwrap()),
            "failed" => drop(store.fail(&lease, &Failure::OutOfMemory, NOON).await.unwrap()),
            "cancelled" => {
                store.request_cancel(id, NOON).await.unwrap();
                store.finish_cancel(&lease, 0.5, NOON).await.unwrap();
            }
            "cancelled while it waits" => {
                store.release(&lease, NOON).await.unwrap();
                assert_eq!(store.request_cancel(id, NOON).await.unwrap(), Cancelled::Now);
            }
            "cancelled and lost" => {
                store.request_cancel(id, NOON).await.unwrap();
                assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
            }
            _ => {
                while store.reap(true, NOON).await.unwrap() == 1 && !status(&*store, id).await.is_final() {
                    assert_eq!(claimed(&*store).await.checkpoints.len(), 2, "they outlive each attempt");
                }
            }
        }
        assert!(status(&*store, id).await.is_final(), "{end}");
        assert_eq!(n_bytes(&*store).await, 0, "{end}");
    }
}

pub async fn a_state_of_more_steps_than_ever_begins_the_count_of_attempts_anew(backend: &impl Backend) {
    let store = backend.open().await;
    created(&*store, job(1, 1)).await;
    let limits = CheckpointLimits { max_bytes: 2, ..ENDLESS };
    // What is kept of picture 0 or 1, and how many attempts count at the next claim.
    let attempts =
        [((0, 3, 1), 1), ((0, 3, 1), 2), ((0, 4, 1), 1), ((1, 1, 1), 1), ((0, 5, 1), 1), ((1, 2, 2), 1), ((0, 2, 1), 2), ((0, 2, 1), 3)];
    for ((index, n_steps, n_bytes), expected) in attempts {
        let lease = claimed(&*store).await;
        for _ in 0..2 {
            store.keep(&lease, &[checkpoint(index, n_steps, n_bytes)], &limits).await.unwrap();
        }
        assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
        let next = claimed(&*store).await;
        assert_eq!(next.job.attempts, expected, "after picture {index} with {n_steps} steps");
        assert_eq!(store.release(&next, NOON).await.unwrap(), Written::Done);
    }
    let lease = claimed(&*store).await;
    let kept = store.keep(&lease, &[checkpoint(0, 9, 3)], &limits).await.unwrap();
    assert_eq!((kept.n_left_out, store.reap(true, NOON).await.unwrap()), (1, 1));
    assert_eq!(status(&*store, lease.job.id).await, JobStatus::Failed, "what was too large to keep is lost");
}

pub async fn one_state_and_all_together_are_bounded(backend: &impl Backend) {
    let store = backend.open().await;
    created(&*store, job(1, 1)).await;
    created(&*store, job(1, 1)).await;
    let (first, second) = (claimed(&*store).await, claimed(&*store).await);
    let n = |bytes: u8| checkpoint(0, 1, bytes).state.len() as u64;
    let limits = CheckpointLimits { max_bytes: n(4), max_bytes_in_all: n(4) + n(3) };
    let keep = async |lease: &Lease, checkpoints: &[Checkpoint]| store.keep(lease, checkpoints, &limits).await.unwrap();
    let left_out = |n_left_out| Kept { written: Written::Done, n_left_out };
    assert_eq!(keep(&first, &[checkpoint(0, 1, 5), checkpoint(1, 1, 4)]).await, left_out(1), "one is too large");
    assert_eq!(keep(&second, &[checkpoint(0, 1, 4)]).await, left_out(1), "there is no room for all");
    assert_eq!(keep(&second, &[checkpoint(0, 1, 3)]).await, left_out(0));
    assert_eq!(keep(&second, &[checkpoint(0, 2, 4), checkpoint(1, 2, 1)]).await, left_out(2), "nor for a larger one in its place");
    assert_eq!(keep(&first, &[checkpoint(1, 2, 4)]).await, left_out(0), "one of the same size replaces it");
    for lease in [first, second] {
        assert_eq!(store.release(&lease, NOON).await.unwrap(), Written::Done);
    }
    assert_eq!(claimed(&*store).await.checkpoints, [checkpoint(1, 2, 4)]);
    assert_eq!(claimed(&*store).await.checkpoints, [checkpoint(0, 1, 3)], "the one from before stays");
}

pub async fn a_job_that_is_to_stop_keeps_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    let lease = claimed(&*store).await;
    store.request_cancel(id, NOON).await.unwrap();
    let kept = store.keep(&lease, &[checkpoint(0, 1, 1)], &ENDLESS).await.unwrap();
    assert_eq!(kept, Kept { written: Written::CancelRequested, n_left_out: 0 });
}
