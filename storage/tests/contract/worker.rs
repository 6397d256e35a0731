//! Leases, their fences, and how jobs end.

use storage::{Cancelled, Failure, GuildId, History, HistoryFilter, JobStatus, JobStore, Lease, NewImage, QueueStatus, Written};

use super::support::*;

/// Every write of a worker but the claim.
async fn write_all(store: &dyn JobStore, lease: &Lease) -> [Written; 8] {
    [
        store.renew(lease, LEASE, NOON).await.unwrap(),
        store.set_notes(lease, &serde_json::json!([])).await.unwrap(),
        store.record_image(lease, &image(0, blob(1))).await.unwrap(),
        store.keep(lease, &[checkpoint(1, 1, 1)], &ENDLESS).await.unwrap().written,
        store.complete(lease, 1.0, NOON).await.unwrap(),
        store.fail(lease, &Failure::OutOfMemory, NOON).await.unwrap(),
        store.finish_cancel(lease, 1.0, NOON).await.unwrap(),
        store.release(lease, NOON).await.unwrap(),
    ]
}

pub async fn a_stale_lease_writes_nothing(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    let stale = claimed(&*store).await;
    assert_eq!(store.reap(false, at(30_000)).await.unwrap(), 1);
    assert_eq!(write_all(&*store, &stale).await, [Written::Fenced; 8], "while it waits again");
    let fresh = claimed(&*store).await;
    assert_eq!(write_all(&*store, &stale).await, [Written::Fenced; 8], "while another worker has it");
    assert_eq!(status(&*store, id).await, JobStatus::Leased);
    assert_eq!((stale.job.id, fresh.job.id, fresh.job.attempts), (id, id, 2));
    finish(&*store, &fresh, &[image(0, blob(2))], NOON).await;
    assert_eq!(write_all(&*store, &stale).await, [Written::Fenced; 8], "after the end");
    assert_eq!(write_all(&*store, &fresh).await, [Written::Fenced; 8], "an end is an end");
    assert_eq!(store.images(id).await.unwrap()[0].blob, blob(2));
    assert_eq!(n_pending(&*store).await, 1);
}

pub async fn done_has_pictures_and_failed_has_a_reason(backend: &impl Backend) {
    let store = backend.open().await;
    let done = created(&*store, job(1, 1)).await;
    let images = [image(2, blob(3)), image(1, blob(1)), image(0, blob(2))];
    finish(&*store, &claimed(&*store).await, &images, at(5)).await;
    let failed = created(&*store, job(1, 1)).await;
    store.fail(&claimed(&*store).await, &Failure::OutOfMemory, at(6)).await.unwrap();

    let read = store.images(done).await.unwrap();
    let facts: Vec<_> = read.iter().map(|image| (image.index, image.seed, image.width, image.height, image.blob.clone())).collect();
    assert_eq!(facts, [(0, u64::MAX, 512, 768, blob(2)), (1, u64::MAX - 1, 512, 768, blob(1)), (2, u64::MAX - 2, 512, 768, blob(3))]);
    for (read, written) in read.iter().zip(images.iter().rev()) {
        assert_eq!(read.provenance, written.provenance, "none, without a hash, with all");
    }
    let job = store.job(done).await.unwrap().unwrap();
    assert_eq!((job.status, job.failure, job.finished), (JobStatus::Done, None, Some(at(5))));
    let job = store.job(failed).await.unwrap().unwrap();
    assert_eq!((job.status, job.failure, job.finished), (JobStatus::Failed, Some(Failure::OutOfMemory), Some(at(6))));
    assert!(store.images(failed).await.unwrap().is_empty());
}

pub async fn a_finished_picture_stays_over_interruptions_and_is_shown_when_its_job_is_done(backend: &impl Backend) {
    let store = backend.open().await;
    let (id, other) = (created(&*store, job(1, 1)).await, created(&*store, job(1, 1)).await);
    let facts = |images: &[NewImage]| images.iter().map(|image| (image.index, image.seed, image.blob.clone())).collect::<Vec<_>>();
    let (first, second) = ((0, u64::MAX, blob(1)), (2, u64::MAX - 2, blob(2)));
    let lost = claimed(&*store).await;
    assert_eq!((lost.job.id, lost.images.len()), (id, 0));
    assert_eq!(store.record_image(&lost, &image(2, blob(2))).await.unwrap(), Written::Done);
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
    let released = claimed(&*store).await;
    assert_eq!((released.job.id, facts(&released.images)), (id, vec![second.clone()]), "after a kill");
    assert_eq!(released.images[0].provenance, image(2, blob(2)).provenance);
    assert_eq!(store.record_image(&lost, &image(0, blob(7))).await.unwrap(), Written::Fenced);
    assert_eq!(store.record_image(&released, &image(2, blob(8))).await.unwrap(), Written::Done, "it is there already");
    assert_eq!(store.record_image(&released, &image(0, blob(1))).await.unwrap(), Written::Done);
    assert!(store.images(id).await.unwrap().is_empty(), "not before its end");
    assert_eq!(store.release(&released, NOON).await.unwrap(), Written::Done);

    let last = claimed(&*store).await;
    assert_eq!(facts(&last.images), [first.clone(), second.clone()], "after an orderly end");
    finish(&*store, &last, &[image(1, blob(3))], NOON).await;
    assert_eq!(facts(&store.images(id).await.unwrap()), [first, (1, u64::MAX - 1, blob(3)), second]);
    assert_eq!(used(&*store, 1, NOON).await, 2.0, "charged once, beside the other");
    assert_eq!(claimed(&*store).await.images.len(), 0, "{other} has none");
}

pub async fn pictures_of_a_job_that_is_never_done_are_shown_to_nobody_and_go_with_it(backend: &impl Backend) {
    for end in 0..4 {
        let store = backend.open().await;
        let id = created(&*store, job(1, 1)).await;
        let mut lease = claimed(&*store).await;
        for (index, key) in [(0, 1), (1, 2)] {
            assert_eq!(store.record_image(&lease, &image(index, blob(key))).await.unwrap(), Written::Done);
        }
        let shown = created(&*store, job(1, 1)).await;
        finish(&*store, &claimed(&*store).await, &[image(0, blob(2))], NOON).await;
        assert!(store.delete(shown, NOON).await.unwrap().is_empty(), "a live job needs its picture");
        match end {
            0 => drop(store.fail(&lease, &Failure::OutOfMemory, NOON).await.unwrap()),
            1 => {
                store.request_cancel(id, NOON).await.unwrap();
                store.finish_cancel(&lease, 0.5, NOON).await.unwrap();
            }
            2 => {
                store.release(&lease, NOON).await.unwrap();
                assert_eq!(store.request_cancel(id, NOON).await.unwrap(), Cancelled::Now);
            }
            _ => {
                while store.reap(true, NOON).await.unwrap() == 1 && !status(&*store, id).await.is_final() {
                    lease = claimed(&*store).await;
                    assert_eq!(lease.images.len(), 2);
                }
            }
        }
        assert!(status(&*store, id).await.is_final());
        assert!(store.images(id).await.unwrap().is_empty(), "as before its pictures were recorded one by one");
        let shown = created(&*store, job(1, 1)).await;
        finish(&*store, &claimed(&*store).await, &[image(0, blob(2))], NOON).await;
        assert_eq!(store.delete(shown, NOON).await.unwrap(), [blob(2)], "nobody sees the other one");
        assert_eq!(store.delete(id, NOON).await.unwrap(), [blob(1), blob(2)]);
    }
}

pub async fn notes_stay_with_their_job(backend: &impl Backend) {
    let store = backend.open().await;
    let (id, other) = (created(&*store, job(1, 1)).await, created(&*store, job(1, 1)).await);
    let notes_of = async |store: &dyn History, id| store.job(id).await.unwrap().unwrap().notes;
    let lease = claimed(&*store).await;
    assert_eq!(notes_of(&*store, id).await, None);
    for notes in [serde_json::json!(["half of it"]), serde_json::json!([{ "kind": "adapter_in_part", "name": "ink \"🐸\"" }])] {
        assert_eq!(store.set_notes(&lease, &notes).await.unwrap(), Written::Done);
        assert_eq!(notes_of(&*store, id).await, Some(notes), "the newest replace those before");
    }
    let newest = notes_of(&*store, id).await;
    finish(&*store, &lease, &[image(0, blob(1))], at(5)).await;
    drop(store);
    let store = backend.open().await;
    assert_eq!(notes_of(&*store, id).await, newest, "also after the end and a restart");
    let filter = HistoryFilter { guild: GuildId(1), user: None, channels: None };
    assert_eq!(store.history(filter, 0, 1).await.unwrap().0[0].notes, newest);
    assert_eq!(notes_of(&*store, other).await, None);
}

pub async fn a_cancel_is_told_to_the_worker(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    let lease = claimed(&*store).await;
    assert_eq!(store.renew(&lease, LEASE, NOON).await.unwrap(), Written::Done);
    assert_eq!(store.request_cancel(id, NOON).await.unwrap(), Cancelled::Requested);
    assert!(store.job(id).await.unwrap().unwrap().is_cancel_requested);
    assert_eq!(store.renew(&lease, LEASE, NOON).await.unwrap(), Written::CancelRequested);
    assert_eq!(store.release(&lease, NOON).await.unwrap(), Written::CancelRequested);
    assert_eq!(store.record_image(&lease, &image(0, blob(1))).await.unwrap(), Written::CancelRequested);
    assert_eq!(store.complete(&lease, 1.0, NOON).await.unwrap(), Written::CancelRequested);
    assert_eq!((status(&*store, id).await, n_pending(&*store).await), (JobStatus::Leased, 0));
    assert_eq!(store.finish_cancel(&lease, 0.25, NOON).await.unwrap(), Written::Done);
    assert_eq!((status(&*store, id).await, n_pending(&*store).await), (JobStatus::Cancelled, 1));
    assert_eq!(store.request_cancel(id, NOON).await.unwrap(), Cancelled::Already(JobStatus::Cancelled));
    assert!(store.images(id).await.unwrap().is_empty());
    assert_eq!(used(&*store, 1, NOON).await, 0.25);
}

pub async fn a_queued_job_is_cancelled_at_once(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    assert_eq!(store.request_cancel(id, at(3)).await.unwrap(), Cancelled::Now);
    let job = store.job(id).await.unwrap().unwrap();
    assert_eq!((job.status, job.finished), (JobStatus::Cancelled, Some(at(3))));
    assert_eq!((used(&*store, 1, NOON).await, n_pending(&*store).await), (0.0, 1));
    assert!(store.claim(LEASE, &MANY, &[], NOON).await.unwrap().is_none());
    let unknown = store.request_cancel(storage::JobId::new(), NOON).await.unwrap_err();
    assert!(matches!(unknown, storage::StorageError::MissingJob(_)), "{unknown:?}");
}

pub async fn a_race_of_cancel_and_complete_is_decided_once(backend: &impl Backend) {
    let store = backend.open().await;
    for round in 0..30 {
        let id = created(&*store, job(1, 1)).await;
        let lease = claimed(&*store).await;
        let (a, b) = (store.clone(), store.clone());
        let complete = tokio::spawn(async move { (a.complete(&lease, 1.0, NOON).await.unwrap(), lease) });
        let cancel = tokio::spawn(async move { b.request_cancel(id, NOON).await.unwrap() });
        let (written, lease) = complete.await.unwrap();
        match (written, cancel.await.unwrap()) {
            (Written::Done, Cancelled::Already(JobStatus::Done)) => {}
            (Written::CancelRequested, Cancelled::Requested) => {
                assert_eq!(store.finish_cancel(&lease, 0.0, NOON).await.unwrap(), Written::Done);
            }
            both => panic!("{both:?}"),
        }
        assert!(status(&*store, id).await.is_final());
        assert_eq!(n_pending(&*store).await, round + 1);
    }
}

pub async fn three_interruptions_fail_the_job_and_refund_it(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    for attempt in 1..=3 {
        assert_eq!(claimed(&*store).await.job.attempts, attempt);
        assert_eq!(n_pending(&*store).await, 0);
        assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
    }
    let job = store.job(id).await.unwrap().unwrap();
    assert_eq!((job.status, job.failure), (JobStatus::Failed, Some(Failure::OutOfAttempts { attempts: 3 })));
    assert_eq!((used(&*store, 1, NOON).await, n_pending(&*store).await), (0.0, 1));
    assert_eq!(store.reap(true, NOON).await.unwrap(), 0);
}

/// A process that works on all it gets; one of the jobs kills it, before the others get any further.
pub async fn a_poison_job_takes_none_of_those_beside_it_along(backend: &impl Backend) {
    let mut spent = 0.0;
    for poisons in [vec![0], vec![2], vec![3], vec![0, 3], vec![1, 2], vec![0, 1, 2, 3]] {
        let store = backend.open().await;
        let mut ids = Vec::new();
        for user in 0..4 {
            ids.push(created(&*store, job(1, user)).await);
        }
        let is_poison = |id| poisons.iter().any(|n| ids[*n] == id);
        let mut n_claims = [0; 4];
        for _process in 0..20 {
            store.reap(true, NOON).await.unwrap();
            let mut running = Vec::new();
            loop {
                while let Some(lease) = store.claim(LEASE, &MANY, &[], NOON).await.unwrap() {
                    n_claims[ids.iter().position(|id| *id == lease.job.id).unwrap()] += 1;
                    running.push(lease);
                }
                if running.is_empty() || running.iter().any(|lease| is_poison(lease.job.id)) {
                    break;
                }
                finish(&*store, &running.remove(0), &[image(0, blob(1))], NOON).await;
            }
        }
        for (n, id) in ids.iter().enumerate() {
            let job = store.job(*id).await.unwrap().unwrap();
            let expected = if is_poison(*id) { JobStatus::Failed } else { JobStatus::Done };
            assert_eq!(job.status, expected, "{n} beside {poisons:?}");
            assert!(n_claims[n] <= 3, "{n} beside {poisons:?}: {n_claims:?}");
            store.delete(*id, NOON).await.unwrap();
        }
        spent += (4 - poisons.len()) as f64;
        assert_eq!(used(&*store, 1, NOON).await, spent, "beside {poisons:?}");
    }
}

pub async fn jobs_that_were_interrupted_together_begin_one_after_another(backend: &impl Backend) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for user in 0..4 {
        ids.push(created(&*store, job(1, user)).await);
    }
    let fresh = created(&*store, job(1, 9)).await;
    for _ in 0..4 {
        claimed(&*store).await;
    }
    assert_eq!(store.reap(true, NOON).await.unwrap(), 4);
    let none = async || store.claim(LEASE, &MANY, &[], NOON).await.unwrap().is_none();
    let begun = async |place: usize, attempts| {
        let lease = claimed(&*store).await;
        assert_eq!((lease.job.id, lease.job.attempts), (ids[place], attempts));
        assert!(none().await, "it has not got any further");
        lease
    };
    let first = begun(0, 2).await;
    store.keep(&first, &[checkpoint(0, 1, 1)], &ENDLESS).await.unwrap();
    let second = begun(1, 2).await;
    assert_eq!(store.record_image(&second, &image(0, blob(1))).await.unwrap(), Written::Done);
    begun(2, 2).await;
    // Of those that ran, that one alone can have been the reason.
    assert_eq!(store.reap(true, NOON).await.unwrap(), 3);
    let (first, second) = (claimed(&*store).await, claimed(&*store).await);
    assert_eq!([&first, &second].map(|lease| (lease.job.id, lease.job.attempts)), [(ids[0], 1), (ids[1], 1)], "both had got further");
    assert!(none().await, "the next one must be alone");
    finish(&*store, &first, &[image(0, blob(1))], NOON).await;
    assert_eq!(store.release(&second, NOON).await.unwrap(), Written::Done);
    assert_eq!(store.request_cancel(ids[1], NOON).await.unwrap(), Cancelled::Now);
    let third = begun(2, 3).await;
    finish(&*store, &third, &[image(0, blob(1))], NOON).await;
    let last = begun(3, 2).await;
    store.keep(&last, &[checkpoint(0, 1, 1)], &ENDLESS).await.unwrap();
    assert_eq!(claimed(&*store).await.job.id, fresh);
}

pub async fn a_suspect_runs_alone_and_waits_for_that_in_its_place(backend: &impl Backend) {
    let store = backend.open().await;
    created(&*store, job(1, 1)).await;
    let long = store.claim(LEASE * 100, &MANY, &[], NOON).await.unwrap().expect("a job waits");
    let suspect = created(&*store, job(2, 2)).await;
    for _ in 0..2 {
        assert_eq!(claimed(&*store).await.job.id, suspect);
        assert_eq!(store.reap(false, at(30_000)).await.unwrap(), 1);
    }
    let next = created(&*store, job(3, 3)).await;
    assert_eq!(store.queue(100).await.unwrap(), [suspect, next]);
    let none = async || store.claim(LEASE, &MANY, &[], NOON).await.unwrap().is_none();
    assert!(none().await, "it waits for those that run, and others for it");
    assert_eq!(store.queue(100).await.unwrap(), [suspect, next]);
    finish(&*store, &long, &[image(0, blob(1))], NOON).await;
    let alone = claimed(&*store).await;
    assert_eq!((alone.job.id, alone.job.attempts), (suspect, 3));
    assert!(none().await, "nothing runs beside it");
    assert_eq!(store.record_image(&alone, &image(0, blob(1))).await.unwrap(), Written::Done);
    assert_eq!(claimed(&*store).await.job.id, next, "it got further");
    finish(&*store, &alone, &[image(1, blob(2))], NOON).await;
    assert_eq!(status(&*store, suspect).await, JobStatus::Done);
}

pub async fn work_that_gets_further_is_no_attempt(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    for number in 0..5 {
        let lease = claimed(&*store).await;
        assert_eq!(lease.job.attempts, 1, "{number}");
        for _twice in 0..2 {
            assert_eq!(store.record_image(&lease, &image(number, blob(1))).await.unwrap(), Written::Done);
        }
        assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
    }
    for attempt in 1..=3 {
        let lease = claimed(&*store).await;
        assert_eq!(lease.job.attempts, attempt);
        assert_eq!(store.record_image(&lease, &image(0, blob(1))).await.unwrap(), Written::Done, "it is there already");
        assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
    }
    assert_eq!(status(&*store, id).await, JobStatus::Failed);
}

pub async fn a_release_keeps_the_place_and_is_not_an_attempt(backend: &impl Backend) {
    let store = backend.open().await;
    let first = created(&*store, job(1, 1)).await;
    for user in 1..4 {
        created(&*store, job(1, user)).await;
    }
    let before = store.queue(100).await.unwrap();
    for _ in 0..5 {
        let lease = claimed(&*store).await;
        assert_eq!((lease.job.id, lease.job.attempts), (first, 1));
        assert_eq!(store.release(&lease, NOON).await.unwrap(), Written::Done);
        assert_eq!(store.queue(100).await.unwrap(), before);
    }
}

pub async fn reap_takes_only_expired_leases_unless_told_all(backend: &impl Backend) {
    let store = backend.open().await;
    for _ in 0..3 {
        created(&*store, job(1, 1)).await;
    }
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(claimed(&*store).await);
    }
    assert_eq!(store.renew(&leases[1], LEASE, at(10_000)).await.unwrap(), Written::Done);
    assert_eq!(store.reap(false, at(29_999)).await.unwrap(), 0);
    assert_eq!(store.reap(false, at(30_000)).await.unwrap(), 2);
    assert_eq!(store.queue_status().await.unwrap(), QueueStatus { queued: 2, running: 1 });
    assert_eq!(store.reap(true, at(30_000)).await.unwrap(), 1);
    assert_eq!(store.queue_status().await.unwrap(), QueueStatus { queued: 3, running: 0 });
}

pub async fn reap_ends_a_job_whose_cancel_was_requested(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    claimed(&*store).await;
    store.request_cancel(id, NOON).await.unwrap();
    assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
    assert_eq!((status(&*store, id).await, n_pending(&*store).await), (JobStatus::Cancelled, 1));
    assert_eq!(used(&*store, 1, NOON).await, 0.0);
}

pub async fn a_store_reopened_in_mid_lease_goes_on(backend: &impl Backend) {
    let store = backend.open().await;
    let first = created(&*store, job(1, 1)).await;
    let second = created(&*store, job(1, 1)).await;
    let lost = claimed(&*store).await;
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.reap(true, NOON).await.unwrap(), 1);
    assert_eq!(store.queue(100).await.unwrap(), [first, second]);
    let lease = claimed(&*store).await;
    assert_eq!((lease.job.id, lease.job.attempts), (first, 2));
    assert_eq!(store.complete(&lost, 1.0, NOON).await.unwrap(), Written::Fenced);
    assert_eq!(store.complete(&lease, 1.0, NOON).await.unwrap(), Written::Done);
    drop(store);
    let store = backend.open().await;
    assert_eq!((status(&*store, first).await, n_pending(&*store).await), (JobStatus::Done, 1));
    assert_eq!(used(&*store, 1, NOON).await, 2.0);
}
