//! Which blobs something names, and what is forgotten.

use std::collections::BTreeSet;

use storage::{Beside, Failure, GuildId, HistoryFilter, JobId, JobStatus, JobStore, NewJob, PressKey, Timestamp, UserId};

use super::support::*;

/// Which of the blobs 1 to 9 nothing names.
async fn unnamed(store: &dyn JobStore) -> Vec<u8> {
    let all: Vec<_> = (1..10).map(blob).collect();
    let unnamed = store.unnamed(&all).await.unwrap();
    (1..10).filter(|number| unnamed.contains(&blob(*number))).collect()
}

async fn drawn(store: &dyn JobStore, new: NewJob, number: u8) -> JobId {
    let id = created(store, new).await;
    finish(store, &claimed(store).await, &[image(0, blob(number))], NOON).await;
    id
}

fn made_from(number: u8) -> NewJob {
    NewJob { inputs: vec![input("init", number)], ..job(1, 1) }
}

pub async fn a_blob_is_named_by_what_may_still_be_shown_or_drawn_from(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(unnamed(&*store).await, (1..10).collect::<Vec<_>>());
    assert!(store.unnamed(&[]).await.unwrap().is_empty());
    // 1: a picture; 2: of a job that runs; 3: of one that failed; 4: an upload; 5: a small picture.
    let first = drawn(&*store, job(1, 1), 1).await;
    let running = created(&*store, job(1, 1)).await;
    let lease = claimed(&*store).await;
    store.record_image(&lease, &image(0, blob(2))).await.unwrap();
    let failed = created(&*store, job(1, 1)).await;
    let of_failed = claimed(&*store).await;
    store.record_image(&of_failed, &image(0, blob(3))).await.unwrap();
    assert!(!unnamed(&*store).await.contains(&3));
    store.fail(&of_failed, &Failure::OutOfMemory, NOON).await.unwrap();
    let uploaded = drawn(&*store, made_from(4), 6).await;
    store.set_thumbnail(first, &blob(5)).await.unwrap();
    assert_eq!(unnamed(&*store).await, [3, 7, 8, 9]);

    store.release(&lease, NOON).await.unwrap();
    assert_eq!(unnamed(&*store).await, [3, 7, 8, 9], "it waits again");
    store.request_cancel(running, NOON).await.unwrap();
    assert_eq!(unnamed(&*store).await, [2, 3, 7, 8, 9]);
    store.delete(first, NOON).await.unwrap();
    assert_eq!(unnamed(&*store).await, [1, 2, 3, 5, 7, 8, 9]);
    let again = drawn(&*store, made_from(4), 1).await;
    assert_eq!(unnamed(&*store).await, [2, 3, 5, 7, 8, 9], "the same picture once more");
    store.delete(uploaded, NOON).await.unwrap();
    assert_eq!(unnamed(&*store).await, [2, 3, 5, 6, 7, 8, 9], "another job used the upload");
    store.delete(again, NOON).await.unwrap();
    assert_eq!(unnamed(&*store).await, (1..10).collect::<Vec<_>>());
    store.delete(failed, NOON).await.unwrap();
}

pub async fn a_deleted_picture_goes_when_what_was_made_from_it_has_ended(backend: &impl Backend) {
    let store = backend.open().await;
    let first = drawn(&*store, job(1, 1), 1).await;
    let variation = created(&*store, made_from(1)).await;
    assert!(store.delete(first, NOON).await.unwrap().is_empty(), "the variation waits");
    assert!(!unnamed(&*store).await.contains(&1));
    let lease = claimed(&*store).await;
    assert!(!unnamed(&*store).await.contains(&1), "and runs");
    finish(&*store, &lease, &[image(0, blob(2))], NOON).await;
    assert!(unnamed(&*store).await.contains(&1), "nobody deleted the variation");
    assert_eq!(store.images(variation).await.unwrap().len(), 1);
}

pub async fn what_is_too_old_is_forgotten_but_not_that_it_was(backend: &impl Backend) {
    let store = backend.open().await;
    let upload = NewJob {
        press: Some(PressKey { key: "upscale:1:0".into(), keep: true }),
        notes: Some(serde_json::json!(["a word"])),
        ..made_from(4)
    };
    let mut ids = Vec::new();
    for (n, new) in [upload, job(1, 1), job(1, 2), job(1, 1)].into_iter().enumerate() {
        let id = created(&*store, new).await;
        let lease = claimed(&*store).await;
        store.record_image(&lease, &image(0, blob(1 + n as u8))).await.unwrap();
        store.complete(&lease, 1.0, at(n as i64)).await.unwrap();
        store.delivered(id, Some(7)).await.unwrap();
        ids.push(id);
    }
    store.set_thumbnail(ids[0], &blob(9)).await.unwrap();
    let waiting = created(&*store, job(1, 1)).await;
    let undelivered = created(&*store, job(1, 1)).await;
    store.request_cancel(undelivered, at(0)).await.unwrap();
    let spent = used(&*store, 1, NOON).await;
    assert_eq!(store.forget(at(0), 10, NOON).await.unwrap(), 0, "nothing is that old");

    assert_eq!(store.forget(at(3), 2, at(100)).await.unwrap(), 2, "so many at once, the oldest first");
    assert!(!store.job(ids[2]).await.unwrap().unwrap().is_forgotten);
    assert_eq!(store.forget(at(3), 2, at(100)).await.unwrap(), 1);
    assert_eq!(store.forget(at(3), 2, at(100)).await.unwrap(), 0, "once");
    let forgotten: BTreeSet<JobId> = ids[..3].iter().copied().collect();
    for id in ids.iter().chain([&waiting, &undelivered]) {
        let (job, is_forgotten) = (store.job(*id).await.unwrap().unwrap(), forgotten.contains(id));
        assert_eq!((job.is_forgotten, job.task.is_null()), (is_forgotten, is_forgotten), "{id}");
        assert!(!is_forgotten || (job.notes.is_none() && store.images(*id).await.unwrap().is_empty()));
    }
    assert_eq!(store.images(ids[3]).await.unwrap().len(), 1);
    assert_eq!(store.thumbnail(ids[0]).await.unwrap(), None);
    assert!(!store.set_thumbnail(ids[0], &blob(9)).await.unwrap(), "and gets none any more");
    assert_eq!(store.pressed("upscale:1:0").await.unwrap(), None);
    assert_eq!(unnamed(&*store).await, [1, 2, 3, 5, 6, 7, 8, 9], "4 is a picture that is kept; the upload of the same bytes is not");
    assert_eq!(used(&*store, 1, NOON).await, spent, "what it cost stays");
    let filter = HistoryFilter { guild: GuildId(1), user: Some(UserId(1)), channels: None };
    let shown = store.history_beside(filter, Beside::Newer(ids[0]), 10).await.unwrap().jobs;
    let shown: Vec<_> = shown.iter().map(|job| (job.id, job.status, job.is_forgotten)).collect();
    let done = JobStatus::Done;
    let expected = [(ids[3], done, false), (ids[1], done, true), (undelivered, JobStatus::Cancelled, false), (ids[0], done, true)];
    assert_eq!(shown, expected);
}

pub async fn every_picture_that_is_shown_is_listed_once(backend: &impl Backend) {
    let store = backend.open().await;
    assert!(store.shown_pictures(None, 10).await.unwrap().is_empty());
    let mut expected = Vec::new();
    for n in 0..4_u8 {
        let id = created(&*store, job(1, 1)).await;
        let lease = claimed(&*store).await;
        let images: Vec<_> = (0..=u32::from(n)).rev().map(|index| image(index, blob(n))).collect();
        if n == 1 {
            store.record_image(&lease, &images[0]).await.unwrap();
            store.fail(&lease, &Failure::OutOfMemory, NOON).await.unwrap();
            continue;
        }
        finish(&*store, &lease, &images, NOON).await;
        if n == 2 {
            store.delete(id, NOON).await.unwrap();
        } else {
            expected.extend((0..=u32::from(n)).map(|index| (id, index, blob(n))));
        }
    }
    for n in 1..=6 {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let some = store.shown_pictures(after, n).await.unwrap();
            let Some((id, index, _)) = some.last() else { break };
            after = Some((*id, *index));
            listed.extend(some);
        }
        assert_eq!(listed, expected, "{n} at once");
    }
}

pub async fn nothing_is_old_at_once_because_a_clock_leaps(backend: &impl Backend) {
    const HOUR: i64 = 3_600_000;
    let store = backend.open().await;
    let day = 24 * HOUR;
    // What the clock says, and what is reckoned with.
    for (clock, reckoned) in [
        (0, 0),
        (6 * HOUR, 6 * HOUR),
        (30 * HOUR, 30 * HOUR),
        (100_000 * day, 30 * HOUR + day),
        (100_000 * day, 30 * HOUR + 2 * day),
        (31 * HOUR, 31 * HOUR),
        (i64::MAX - NOON.0, 31 * HOUR + day),
        (-day, -day),
        (0, 0),
    ] {
        assert_eq!(store.sweeping(Timestamp(NOON.0 + clock)).await.unwrap().0 - NOON.0, reckoned, "{clock}");
    }
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.sweeping(Timestamp(NOON.0 + 10 * day)).await.unwrap().0 - NOON.0, day, "a new start knows it too");
}
