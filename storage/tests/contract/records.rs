//! Quota, deliveries, history, settings.

use std::time::Duration;

use storage::{
    Backlog, Beside, Enqueued, Failure, GuildId, GuildSettings, HistoryFilter, JobInput, JobStatus, Limits, NewJob, Refusal, StorageError,
    UserId,
};

use super::support::*;

pub async fn a_job_is_charged_for_what_it_made(backend: &impl Backend) {
    let store = backend.open().await;
    let mut expected = 0.0;
    for i in 0..12_u32 {
        let estimate = 1.0 + f64::from(i) / 8.0;
        let id = created(&*store, costing(1, 1, estimate)).await;
        assert_eq!(used(&*store, 1, NOON).await, expected + estimate, "reserved");
        if i % 4 == 3 {
            store.request_cancel(id, NOON).await.unwrap();
        } else {
            let lease = claimed(&*store).await;
            match i % 4 {
                0 => {
                    store.complete(&lease, 2.5, NOON).await.unwrap();
                    expected += 2.5;
                }
                1 => drop(store.fail(&lease, &Failure::OutOfMemory, NOON).await.unwrap()),
                _ => {
                    store.request_cancel(id, NOON).await.unwrap();
                    store.finish_cancel(&lease, 0.5, NOON).await.unwrap();
                    expected += 0.5;
                }
            }
        }
        assert_eq!(used(&*store, 1, NOON).await, expected, "after {i}");
    }
    assert_eq!(used(&*store, 2, NOON).await, 0.0, "guilds pay apart");
}

pub async fn a_correction_goes_to_the_day_of_the_debit(backend: &impl Backend) {
    let store = backend.open().await;
    let limits = Limits { daily_row_megapixels: 3.0, ..ROOMY };
    let (evening, morning) = (at(DAY_MS / 2 - 1), at(DAY_MS / 2));
    let ask = async |now| store.enqueue(costing(1, 1, 3.0), &limits, now).await.unwrap();
    assert!(matches!(ask(evening).await, Enqueued::Created(_)));
    let Enqueued::Refused(Refusal::Quota { quota, .. }) = ask(evening).await else { panic!("the quota is used up") };
    assert_eq!(quota.resets, morning);
    assert!(matches!(ask(morning).await, Enqueued::Created(_)), "a new day");

    store.complete(&claimed(&*store).await, 1.0, morning).await.unwrap();
    assert_eq!((used(&*store, 1, evening).await, used(&*store, 1, morning).await), (1.0, 3.0));
    assert_eq!(
        store.quotas(&storage::Spender::new(GuildId(1), UserId(1)), &limits, morning).await.unwrap()[0].1.resets,
        at(DAY_MS / 2 + DAY_MS)
    );
}

pub async fn a_delivery_is_tried_until_it_arrives(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    assert!(store.outbox(NOON, 10).await.unwrap().is_empty());
    store.complete(&claimed(&*store).await, 1.0, at(100)).await.unwrap();
    for attempt in 0..3 {
        let due = at(100 + 1000 * attempt);
        let items = store.outbox(due, 10).await.unwrap();
        assert_eq!(items.iter().map(|item| (item.job, item.attempts)).collect::<Vec<_>>(), [(id, attempt as u32)]);
        assert_eq!(store.outbox_due(due).await.unwrap(), None, "nothing is to come");
        store.delivery_failed(id, "503", due, Duration::from_secs(1)).await.unwrap();
        assert!(store.outbox(due, 10).await.unwrap().is_empty());
        assert_eq!(store.outbox_due(due).await.unwrap(), Some(Duration::from_secs(1)));
    }
    assert_eq!(store.job(id).await.unwrap().unwrap().delivery.token, "secret");
    store.delivered(id, Some(u64::MAX)).await.unwrap();
    store.delivered(id, None).await.unwrap();
    let delivery = store.job(id).await.unwrap().unwrap().delivery;
    assert_eq!((delivery.token.as_str(), delivery.message), ("", Some(u64::MAX)));
    store.delivery_failed(id, "late news", at(0), Duration::ZERO).await.unwrap();
    store.posting(id, 5).await.unwrap();
    assert_eq!((store.outbox_due(at(0)).await.unwrap(), n_pending(&*store).await), (None, 0));
}

pub async fn a_clock_that_jumps_holds_no_delivery(backend: &impl Backend) {
    let store = backend.open().await;
    let new = created(&*store, job(1, 1)).await;
    store.complete(&claimed(&*store).await, 1.0, at(0)).await.unwrap();
    let tried = created(&*store, job(1, 1)).await;
    store.complete(&claimed(&*store).await, 1.0, at(0)).await.unwrap();
    store.delivery_failed(tried, "503", at(0), Duration::from_secs(60)).await.unwrap();
    let due = async |now| store.outbox(now, 10).await.unwrap().into_iter().map(|item| item.job).collect::<Vec<_>>();
    for (moved, expected) in [
        (-30 * DAY_MS, vec![new, tried]),
        (-1, vec![new, tried]),
        (0, vec![new]),
        (59_999, vec![new]),
        (60_000, vec![new, tried]),
        (30 * DAY_MS, vec![new, tried]),
    ] {
        assert_eq!(due(at(moved)).await, expected, "moved by {moved} ms");
    }
    // Tried by a clock that is ahead, and then set right: never longer than the pause that was asked for.
    store.delivery_failed(tried, "503", at(DAY_MS), Duration::from_secs(60)).await.unwrap();
    assert_eq!(due(at(DAY_MS)).await, [new]);
    assert_eq!(due(at(10)).await, [new, tried]);
    assert_eq!(store.outbox(at(10), 1).await.unwrap()[0].job, new, "no more than were asked for");
}

pub async fn where_a_message_was_tried_is_remembered(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    store.complete(&claimed(&*store).await, 1.0, NOON).await.unwrap();
    let posting = async || store.outbox(at(DAY_MS), 10).await.unwrap()[0].posting;
    assert_eq!(posting().await, None);
    for channel in [7, u64::MAX] {
        store.posting(id, channel).await.unwrap();
        assert_eq!(posting().await, Some(channel));
        store.delivery_failed(id, "no answer", NOON, Duration::from_secs(1)).await.unwrap();
        assert_eq!(posting().await, Some(channel), "nobody knows yet whether it is there");
    }
}

pub async fn what_cannot_be_delivered_is_not_tried_again(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    store.complete(&claimed(&*store).await, 1.0, NOON).await.unwrap();
    store.undeliverable(id, "the channel is gone").await.unwrap();
    assert_eq!((store.outbox_due(NOON).await.unwrap(), n_pending(&*store).await), (None, 0));
    assert_eq!(store.job(id).await.unwrap().unwrap().delivery.token, "");
    let filter = HistoryFilter { guild: GuildId(1), user: None, channels: None };
    assert_eq!(store.history(filter, 0, 10).await.unwrap().0[0].id, id);
}

pub async fn a_job_whose_pictures_are_lost_fails_and_is_paid_back_once(backend: &impl Backend) {
    let store = backend.open().await;
    let drawn = created(&*store, pressing("v1", true)).await;
    store.complete(&claimed(&*store).await, 0.75, NOON).await.unwrap();
    let other = created(&*store, job(1, 1)).await;
    store.complete(&claimed(&*store).await, 0.5, NOON).await.unwrap();
    store.delivered(other, None).await.unwrap();
    let waiting = created(&*store, job(1, 1)).await;
    assert_eq!(used(&*store, 1, NOON).await, 0.75 + 0.5 + 1.0);
    for _ in 0..2 {
        for id in [drawn, other, waiting] {
            store.lose(id, &Failure::PicturesLost).await.unwrap();
        }
        assert_eq!(used(&*store, 1, NOON).await, 0.5 + 1.0, "what was seen stays charged");
    }
    let found = store.job(drawn).await.unwrap().unwrap();
    assert_eq!((found.status, found.failure), (JobStatus::Failed, Some(Failure::PicturesLost)));
    assert_eq!(store.pressed("v1").await.unwrap(), None, "it can be asked for again");
    assert_eq!((status(&*store, other).await, status(&*store, waiting).await), (JobStatus::Done, JobStatus::Queued));
    assert_eq!(n_pending(&*store).await, 1, "it is still to be told");
}

pub async fn pictures_that_were_lost_are_forgotten_and_paid_back_once(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    let lease = claimed(&*store).await;
    for index in 0..4 {
        store.record_image(&lease, &image(index, blob(1))).await.unwrap();
    }
    store.complete(&lease, 0.8, NOON).await.unwrap();
    let indices = async || store.images(id).await.unwrap().iter().map(|image| image.index).collect::<Vec<_>>();
    // Of picture 9 nothing is known.
    for lost in [[1, 3, 9], [0, 1, 2]] {
        store.delivered_without(id, &lost, Some(7)).await.unwrap();
        assert_eq!(indices().await, [0, 2], "what was delivered stays as it is");
        assert_eq!(used(&*store, 1, NOON).await, 0.4);
    }
    let told = store.job(id).await.unwrap().unwrap();
    assert_eq!((told.status, told.delivery.message, told.delivery.token.as_str()), (JobStatus::Done, Some(7), ""));
    assert_eq!(n_pending(&*store).await, 0);
}

pub async fn deliveries_come_oldest_first(backend: &impl Backend) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for i in 0..5 {
        ids.push(created(&*store, job(1, 1)).await);
        store.complete(&claimed(&*store).await, 1.0, at(i)).await.unwrap();
    }
    store.delivery_failed(ids[0], "503", at(0), Duration::from_millis(3)).await.unwrap();
    let order: Vec<_> = store.outbox(at(4), 4).await.unwrap().into_iter().map(|item| item.job).collect();
    assert_eq!(order, [ids[1], ids[2], ids[0], ids[3]]);
}

pub async fn a_backlog_is_as_old_as_the_oldest_that_waits(backend: &impl Backend) {
    let store = backend.open().await;
    let backlog = async || store.backlog().await.unwrap();
    assert_eq!(backlog().await, Backlog::default());
    for arrival in [30, 10, 20] {
        store.enqueue(job(arrival, 1), &ROOMY, at(arrival as i64)).await.unwrap();
    }
    assert_eq!(backlog().await, Backlog { oldest: Some(at(10)), undelivered: 0 });
    let mut leases = Vec::new();
    while let Some(lease) = store.claim(LEASE, &MANY, &[], NOON).await.unwrap() {
        leases.push(lease);
    }
    assert_eq!(backlog().await, Backlog::default(), "what is drawn does not wait");
    let ids: Vec<_> = leases.iter().map(|lease| lease.job.id).collect();
    store.complete(&leases[0], 1.0, NOON).await.unwrap();
    store.fail(&leases[1], &Failure::Internal, NOON).await.unwrap();
    assert_eq!(backlog().await.undelivered, 2);
    store.delivered(ids[0], None).await.unwrap();
    store.delivery_failed(ids[1], "503", NOON, Duration::from_secs(1)).await.unwrap();
    assert_eq!(backlog().await.undelivered, 1, "it is tried again");
    store.undeliverable(ids[1], "gone").await.unwrap();
    assert_eq!(backlog().await, Backlog::default());
}

pub async fn a_message_is_remembered(backend: &impl Backend) {
    let store = backend.open().await;
    let id = created(&*store, job(1, 1)).await;
    store.set_message(id, 42).await.unwrap();
    assert_eq!(claimed(&*store).await.job.delivery.message, Some(42));
    let unknown = store.set_message(storage::JobId::new(), 42).await.unwrap_err();
    assert!(matches!(unknown, StorageError::MissingJob(_)), "{unknown:?}");
}

pub async fn a_history_of_some_channels_has_full_pages(backend: &impl Backend) {
    let store = backend.open().await;
    let channels = [7, u64::MAX, 8, 7, 9, u64::MAX, 7];
    let mut ids = Vec::new();
    for (i, channel) in channels.into_iter().enumerate() {
        let mut asked = job(1, 1);
        asked.delivery.channel = channel;
        ids.push(created(&*store, asked).await);
        store.complete(&claimed(&*store).await, 1.0, at(i as i64)).await.unwrap();
    }
    let check = async |open: &[u64], offset, expected: &[usize], has_more| {
        let filter = HistoryFilter { guild: GuildId(1), user: None, channels: Some(open.to_vec()) };
        let (jobs, more) = store.history(filter, offset, 2).await.unwrap();
        let expected: Vec<_> = expected.iter().map(|n| ids[*n]).collect();
        assert_eq!((jobs.into_iter().map(|job| job.id).collect::<Vec<_>>(), more), (expected, has_more), "{open:?} from {offset}");
    };
    check(&[], 0, &[], false).await;
    check(&[7], 0, &[6, 3], true).await;
    check(&[7], 2, &[0], false).await;
    check(&[u64::MAX, 8], 0, &[5, 2], true).await;
    check(&[u64::MAX, 8], 2, &[1], false).await;
    check(&[10], 0, &[], false).await;
}

pub async fn history_pages_are_newest_first(backend: &impl Backend) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for i in 0..7 {
        ids.push(created(&*store, job(1, i % 2)).await);
        store.complete(&claimed(&*store).await, 1.0, at(i as i64 / 2)).await.unwrap();
    }
    created(&*store, job(1, 1)).await;
    created(&*store, job(2, 1)).await;
    ids.reverse();
    let page = async |user: Option<u64>, offset, n| {
        let (jobs, has_more) =
            store.history(HistoryFilter { guild: GuildId(1), user: user.map(UserId), channels: None }, offset, n).await.unwrap();
        (jobs.into_iter().map(|job| job.id).collect::<Vec<_>>(), has_more)
    };
    assert_eq!(page(None, 0, 3).await, (ids[0..3].to_vec(), true));
    assert_eq!(page(None, 3, 3).await, (ids[3..6].to_vec(), true));
    assert_eq!(page(None, 6, 3).await, (ids[6..7].to_vec(), false));
    assert_eq!(page(None, 0, 7).await, (ids.clone(), false));
    assert_eq!(page(None, 7, 3).await, (vec![], false));
    assert_eq!(page(Some(1), 0, 2).await, (vec![ids[1], ids[3]], true));
    store.delete(ids[0], NOON).await.unwrap();
    assert_eq!(page(None, 0, 2).await, (ids[1..3].to_vec(), true));
}

pub async fn pages_beside_a_job_are_the_pages_by_count(backend: &impl Backend) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for i in 0..23_u64 {
        let mut asked = job(1, i % 2);
        asked.delivery.channel = if i % 3 == 0 { u64::MAX } else { i % 3 };
        ids.push(created(&*store, asked).await);
        store.complete(&claimed(&*store).await, 1.0, at(i as i64 / 4)).await.unwrap();
    }
    store.delete(ids[11], NOON).await.unwrap();
    let filters = [
        HistoryFilter { guild: GuildId(1), user: None, channels: None },
        HistoryFilter { guild: GuildId(1), user: Some(UserId(1)), channels: None },
        HistoryFilter { guild: GuildId(1), user: None, channels: Some(vec![u64::MAX, 2, 2]) },
        HistoryFilter { guild: GuildId(1), user: Some(UserId(0)), channels: Some(vec![1, u64::MAX]) },
        HistoryFilter { guild: GuildId(1), user: None, channels: Some(vec![]) },
        HistoryFilter { guild: GuildId(2), user: None, channels: None },
    ];
    for filter in filters {
        let ids_of = |jobs: Vec<storage::Job>| jobs.into_iter().map(|job| job.id).collect::<Vec<_>>();
        let all = ids_of(store.history(filter.clone(), 0, 100).await.unwrap().0);
        for n in 1..=5 {
            for (place, id) in all.iter().enumerate() {
                let older = store.history_beside(filter.clone(), Beside::Older(*id), n).await.unwrap();
                let (expected, has_older) = store.history(filter.clone(), place as u32 + 1, n).await.unwrap();
                assert_eq!((older.has_newer, older.has_older), (true, has_older), "{filter:?} after {place}");
                assert_eq!(ids_of(older.jobs), ids_of(expected), "{filter:?} after {place}");

                let newer = store.history_beside(filter.clone(), Beside::Newer(*id), n).await.unwrap();
                // At the newest end a page begins with the newest job, so that it is full.
                let from = place.saturating_sub(n as usize);
                let (expected, has_older) = store.history(filter.clone(), from as u32, n).await.unwrap();
                assert_eq!((newer.has_newer, newer.has_older), (from > 0, has_older), "{filter:?} before {place}");
                assert_eq!(ids_of(newer.jobs), ids_of(expected), "{filter:?} before {place}");
            }
        }
        let unknown = store.history_beside(filter.clone(), Beside::Older(storage::JobId::new()), 3).await.unwrap();
        assert_eq!(ids_of(unknown.jobs), all[..all.len().min(3)], "{filter:?}");
    }
    let everybody = HistoryFilter { guild: GuildId(1), user: None, channels: None };
    let gap = store.history_beside(everybody, Beside::Older(ids[11]), 1).await.unwrap();
    assert_eq!(gap.jobs[0].id, ids[10], "a page goes on where a job was that is deleted now");
}

pub async fn delete_forgets_pictures_and_names_blobs_that_nobody_needs(backend: &impl Backend) {
    let store = backend.open().await;
    let upload = NewJob { inputs: vec![input("init", 9)], ..job(1, 1) };
    let first = created(&*store, upload.clone()).await;
    let not_final = store.delete(first, NOON).await.unwrap_err();
    assert!(matches!(not_final, StorageError::NotFinal(_)), "{not_final:?}");
    finish(&*store, &claimed(&*store).await, &[image(0, blob(1)), image(1, blob(2)), image(2, blob(3))], NOON).await;
    let second = created(&*store, NewJob { key: "again".into(), ..upload }).await;
    finish(&*store, &claimed(&*store).await, &[image(0, blob(2))], NOON).await;
    let live = created(&*store, NewJob { inputs: vec![input("init", 3)], ..job(1, 1) }).await;

    assert_eq!(store.delete(first, NOON).await.unwrap(), [blob(1)], "2 is a picture of another job, 3 and 9 are inputs");
    assert!(store.images(first).await.unwrap().is_empty());
    let job = store.job(first).await.unwrap().unwrap();
    assert_eq!((job.is_deleted, job.status), (true, JobStatus::Done));
    assert_eq!(store.delete(first, NOON).await.unwrap(), [blob(1)], "once more, what was to be marked may not have been");
    assert_eq!(store.delete(second, NOON).await.unwrap(), [blob(2), blob(9)]);
    store.request_cancel(live, NOON).await.unwrap();
    assert_eq!(store.delete(live, NOON).await.unwrap(), [blob(3)]);
    let unknown = store.delete(storage::JobId::new(), NOON).await.unwrap_err();
    assert!(matches!(unknown, StorageError::MissingJob(_)), "{unknown:?}");
}

pub async fn every_input_of_a_job_keeps_its_blob(backend: &impl Backend) {
    let store = backend.open().await;
    let made_from = |inputs: Vec<JobInput>| NewJob { inputs, ..job(1, 1) };
    // 1 is a picture that another job draws; 2 and 3 are uploads, one of them in two jobs and in two roles of one.
    let drawn = created(&*store, job(1, 1)).await;
    finish(&*store, &claimed(&*store).await, &[image(0, blob(1))], NOON).await;
    let masked = created(&*store, made_from(vec![input("init", 1), input("mask", 2), input("reference:style", 3)])).await;
    let controlled = created(&*store, made_from(vec![input("control:canny", 3), input("control:depth", 3)])).await;
    assert_eq!(store.delete(drawn, NOON).await.unwrap(), [], "a job that waits is made from it");
    finish(&*store, &claimed(&*store).await, &[image(0, blob(4))], NOON).await;
    let lease = claimed(&*store).await;
    store.fail(&lease, &Failure::Busy, NOON).await.unwrap();
    assert_eq!(
        store.delete(masked, NOON).await.unwrap(),
        [blob(4), blob(1), blob(2)],
        "3 is an input of a job that can still be asked for again"
    );
    assert_eq!(store.delete(controlled, NOON).await.unwrap(), [blob(3)]);
    assert_eq!(store.delete(controlled, NOON).await.unwrap(), [blob(3)], "once more");
}

pub async fn a_thumbnail_goes_with_its_job(backend: &impl Backend) {
    let store = backend.open().await;
    let mut ids = Vec::new();
    for number in [1, 2, 3] {
        let id = created(&*store, job(1, 1)).await;
        let before = store.set_thumbnail(id, &blob(10 + number)).await.unwrap();
        assert!(!before, "not before its end");
        finish(&*store, &claimed(&*store).await, &[image(0, blob(number))], NOON).await;
        assert_eq!(store.thumbnail(id).await.unwrap(), None);
        assert!(store.set_thumbnail(id, &blob(9)).await.unwrap());
        ids.push(id);
    }
    assert_eq!(store.thumbnail(ids[0]).await.unwrap(), Some(blob(9)));
    assert_eq!(store.delete(ids[0], NOON).await.unwrap(), [blob(1)], "other jobs have the same small picture");
    assert_eq!(store.thumbnail(ids[0]).await.unwrap(), None);
    assert!(!store.set_thumbnail(ids[0], &blob(7)).await.unwrap(), "it was deleted");
    assert!(store.set_thumbnail(ids[2], &blob(8)).await.unwrap(), "a new one takes its place");
    assert_eq!(store.delete(ids[1], NOON).await.unwrap(), [blob(2), blob(9)]);
    assert_eq!(store.delete(ids[2], NOON).await.unwrap(), [blob(3), blob(8)]);
}

pub async fn settings_and_notes_are_replaced(backend: &impl Backend) {
    let store = backend.open().await;
    let guild = GuildId(u64::MAX);
    assert_eq!(store.guild_settings(guild).await.unwrap(), GuildSettings::default());
    for settings in [
        GuildSettings { shares_history: Some(true), only_tier: Some(storage::Tier::Relax), ..GuildSettings::default() },
        GuildSettings { only_tier: Some(storage::Tier::Fast), ..GuildSettings::default() },
        GuildSettings { max_active_per_user: Some(3), shares_history: Some(false), ..GuildSettings::default() },
    ] {
        store.set_guild_settings(guild, settings).await.unwrap();
        assert_eq!(store.guild_settings(guild).await.unwrap(), settings);
    }
    assert_eq!(store.guild_settings(GuildId(1)).await.unwrap(), GuildSettings::default());
    assert_eq!(store.note("commands").await.unwrap(), None);
    for value in ["a", "b"] {
        store.set_note("commands", value).await.unwrap();
        assert_eq!(store.note("commands").await.unwrap().as_deref(), Some(value));
    }
}
