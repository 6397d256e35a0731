//! Clocks that jump: every table with a time in it, before and after.

use std::time::Duration;

use storage::{Cancelled, Enqueued, Failure, GuildId, Limits, Refusal, Timestamp, UserId};

use super::support::*;

const DAY: i64 = DAY_MS;
/// Both ways: by a moment, by an hour, by days and by what a clock without a battery shows.
const JUMPS: [i64; 9] = [-20_000 * DAY, -30 * DAY, -3_600_000, -1, 0, 1, 3_600_000, 30 * DAY, 20_000 * DAY];

/// However the clock jumps, a lease is held for as long as it was given for at most, from the jump on.
pub async fn a_clock_that_jumps_holds_no_lease(backend: &impl Backend) {
    for jump in JUMPS {
        let store = backend.open().await;
        for _ in 0..2 {
            created(&*store, job(1, 1)).await;
        }
        let (lost, renewed) = (claimed(&*store).await, claimed(&*store).await);
        store.renew(&renewed, LEASE, at(1)).await.unwrap();
        let length = LEASE.as_millis() as i64;
        let n = store.reap(false, at(jump)).await.unwrap();
        let expired = [length, length + 1].into_iter().filter(|until| *until <= jump).count() as u32;
        assert_eq!(n, expired, "moved by {jump} ms");
        // Set back or not, who goes on renews, and who is gone is found after the same time.
        let now = at(jump.min(0));
        if expired == 0 {
            assert_eq!(store.renew(&renewed, LEASE, now).await.unwrap(), storage::Written::Done, "moved by {jump} ms");
            assert_eq!(store.reap(false, Timestamp(now.0 + length - 1)).await.unwrap(), 0, "moved by {jump} ms");
            store.renew(&renewed, LEASE, Timestamp(now.0 + length - 1)).await.unwrap();
            assert_eq!(store.reap(false, Timestamp(now.0 + length)).await.unwrap(), 1, "moved by {jump} ms");
            assert_eq!(store.renew(&lost, LEASE, now).await.unwrap(), storage::Written::Fenced);
            assert_eq!(store.complete(&renewed, 1.0, now).await.unwrap(), storage::Written::Done);
        }
        assert_eq!(store.reap(true, at(jump)).await.unwrap(), 0, "moved by {jump} ms: those that wait are in no lease");
        for id in store.queue(10).await.unwrap() {
            assert_eq!(store.request_cancel(id, NOON).await.unwrap(), Cancelled::Now);
        }
    }
}

/// What was heard has no time to wait for: it is there, in the order of its arrival, whatever the clock shows.
pub async fn a_clock_that_jumps_hides_nothing_that_was_heard(backend: &impl Backend) {
    let store = backend.open().await;
    for (n, jump) in JUMPS.into_iter().enumerate() {
        let delivery = job(1, 1).delivery;
        let wish = serde_json::json!({});
        let heard = storage::Received { key: n.to_string(), guild: GuildId(1), user: UserId(1), delivery, wish, created: at(jump) };
        assert_eq!(store.receive(&[heard]).await.unwrap(), [true]);
    }
    let keys: Vec<String> = store.received(100).await.unwrap().into_iter().map(|received| received.key).collect();
    assert_eq!(keys, (0..JUMPS.len()).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// A job is on the books of the day on which it came in, and of no other, wherever the clock is when it ends.
pub async fn a_clock_that_jumps_moves_no_debt_to_another_day(backend: &impl Backend) {
    let store = backend.open().await;
    // Of a guild of its own each.
    let mut guild = 0;
    for jump in JUMPS {
        for ending in ["done", "failed", "cancelled", "lost"] {
            guild += 1;
            let limits = Limits { daily_row_megapixels: 3.0, ..ROOMY };
            let Enqueued::Created(id) = store.enqueue(costing(guild, guild, 2.0), &limits, NOON).await.unwrap() else { panic!("new") };
            let lease = claimed(&*store).await;
            let is_same_day = (NOON.0 + jump).div_euclid(DAY) == NOON.0.div_euclid(DAY);
            let there = at(jump);
            assert_eq!(used(&*store, guild, there).await, if is_same_day { 2.0 } else { 0.0 }, "moved by {jump} ms");
            let again = store.enqueue(costing(guild, guild, 2.0), &limits, there).await.unwrap();
            match again {
                Enqueued::Refused(Refusal::Quota { quota, .. }) => {
                    assert!(is_same_day && quota.resets > there && quota.resets.0 - there.0 <= DAY, "moved by {jump} ms: {quota:?}");
                }
                Enqueued::Created(second) => {
                    assert!(!is_same_day, "moved by {jump} ms");
                    store.request_cancel(second, there).await.unwrap();
                }
                other => panic!("{other:?}"),
            }
            let price = match ending {
                "done" => {
                    store.complete(&lease, 0.5, there).await.unwrap();
                    0.5
                }
                "failed" => {
                    store.fail(&lease, &Failure::OutOfMemory, there).await.unwrap();
                    0.0
                }
                "cancelled" => {
                    store.request_cancel(id, there).await.unwrap();
                    store.finish_cancel(&lease, 0.25, there).await.unwrap();
                    0.25
                }
                _ => {
                    store.complete(&lease, 0.5, there).await.unwrap();
                    store.lose(id, &Failure::PicturesLost).await.unwrap();
                    0.0
                }
            };
            assert_eq!(used(&*store, guild, NOON).await, price, "{ending}, moved by {jump} ms");
            assert_eq!(used(&*store, guild, there).await, if is_same_day { price } else { 0.0 }, "{ending}, moved by {jump} ms");
        }
    }
}

/// What is kept for a time is counted from when it ended, by the clock of then: a clock that was ahead keeps it longer, never shorter.
pub async fn a_clock_that_jumps_forgets_nothing_too_soon(backend: &impl Backend) {
    for jump in JUMPS {
        let store = backend.open().await;
        let id = created(&*store, job(1, 1)).await;
        store.complete(&claimed(&*store).await, 1.0, at(jump)).await.unwrap();
        let keep = 7 * DAY;
        let is_forgotten = async |now: Timestamp| {
            store.forget(Timestamp(now.0 - keep), 10, now).await.unwrap();
            store.job(id).await.unwrap().unwrap().is_forgotten
        };
        assert!(!is_forgotten(Timestamp(i64::MAX)).await, "moved by {jump} ms: nobody was told yet");
        store.delivered(id, None).await.unwrap();
        assert!(!is_forgotten(at(jump)).await && !is_forgotten(at(jump + keep)).await, "moved by {jump} ms");
        assert!(is_forgotten(at(jump + keep + 1)).await, "moved by {jump} ms");
    }
}

/// A draft and a delivery wait for no clock to come round again.
pub async fn a_clock_that_jumps_holds_no_try_and_keeps_the_newest_draft(backend: &impl Backend) {
    for jump in JUMPS {
        let store = backend.open().await;
        let id = created(&*store, job(1, 1)).await;
        store.complete(&claimed(&*store).await, 1.0, NOON).await.unwrap();
        store.delivery_failed(id, "503", at(jump), Duration::from_secs(60)).await.unwrap();
        let is_due = async |now| store.outbox(now, 10).await.unwrap().iter().any(|item| item.job == id);
        assert!(!is_due(at(jump)).await, "moved by {jump} ms");
        assert!(is_due(at(jump + 60_000)).await && is_due(at(jump - 1)).await, "moved by {jump} ms");
        store.delivered(id, None).await.unwrap();
        let draft = storage::Draft { id: storage::DraftId::new(), user: UserId(jump.unsigned_abs()), content: 7.into(), created: at(jump) };
        store.keep_draft(&draft).await.unwrap();
        assert_eq!(store.draft(draft.id).await.unwrap(), Some(draft));
    }
}
