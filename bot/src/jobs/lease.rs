//! Holds a job's lease while the job is worked on, beside that work: neither waits for the other.

use std::{pin::pin, time::Duration};

use storage::{StorageError, Timestamp, Written};
use tokio_util::sync::CancellationToken;

use crate::system::{clock::Clock, log::chain};

/// A lease lives this long without a renewal.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How often a lease is renewed; also how soon a cancel by another process is seen.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Whoever could not renew for this long has given the job up well before anybody else can have it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(20);
/// A renewal that is asked for late is waited for all the same.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A clock that is this late has leapt, or this machine slept: what seems long may have been short.
const LEAP: Duration = Duration::from_secs(5);

/// Why the work on a job must end without another write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Another worker has the job, or it has ended.
    Fenced,
    /// Nobody could say for too long whether the lease is still ours.
    NotRenewed,
}

/// Renews a lease that was just given until it is lost; `to_stop` is cancelled when somebody asked to stop the job. A renewal counts from when it was asked for.
pub(super) async fn hold<Renewal: Future<Output = Result<Written, StorageError>>>(
    clock: &Clock,
    mut renew: impl FnMut(Timestamp) -> Renewal,
    to_stop: &CancellationToken,
) -> Lost {
    let mut renewed = clock.now();
    let mut next = pin!(clock.sleep(RENEW_EVERY));
    loop {
        next.as_mut().await;
        let now = clock.now();
        let until = renewed.after(GIVE_UP_AFTER).0.clamp(now.after(ANSWER_WITHIN).0, now.after(GIVE_UP_AFTER).0);
        let mut silence = pin!(silence(clock, Timestamp(until)));
        loop {
            next.set(clock.sleep(RENEW_EVERY));
            let asked = clock.now();
            let written = tokio::select! {
                biased;
                () = silence.as_mut() => return Lost::NotRenewed,
                written = renew(asked) => written,
            };
            match written {
                Ok(Written::Done) => {
                    renewed = asked;
                    break;
                }
                Ok(Written::CancelRequested) => to_stop.cancel(),
                Ok(Written::Fenced) => return Lost::Fenced,
                Err(error) => tracing::warn!(error = %chain(&error), "the lease could not be renewed"),
            }
            tokio::select! {
                biased;
                () = silence.as_mut() => return Lost::NotRenewed,
                () = next.as_mut() => {}
            }
        }
    }
}

/// Waits until a time; where the clock leaps over it, for an answer that may be on its way.
async fn silence(clock: &Clock, mut until: Timestamp) {
    loop {
        clock.sleep(between(clock.now(), until)).await;
        let now = clock.now();
        if between(until, now) < LEAP {
            return;
        }
        until = now.after(ANSWER_WITHIN);
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(to.0.saturating_sub(from.0).max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        task::Poll,
    };

    use futures::FutureExt;

    use super::*;

    /// How a renewal goes.
    #[derive(Clone, Copy)]
    enum Renewal {
        Answered(Written),
        /// After so many seconds.
        Slowly(u64),
        Failed,
        /// The database is busy.
        Hangs,
    }

    fn standing() -> (clock::ManualClock, Clock) {
        let hand = clock::ManualClock::new();
        (hand.clone(), Clock::from(clock::Clock::Manual(hand)))
    }

    /// After how many seconds a lease is lost, at most 60, and how; whether the work was told to stop; and when it was asked for a renewal. `how` says how one goes
    /// that is asked for at a second.
    fn lost(how: impl Fn(i64) -> Renewal) -> (Option<(i64, Lost)>, bool, Vec<i64>) {
        let (hand, clock) = standing();
        let (begun, asked, to_stop) = (clock.now(), RefCell::new(Vec::new()), CancellationToken::new());
        let renew = |now: Timestamp| {
            let second = (now.0 - begun.0) / 1000;
            asked.borrow_mut().push(second);
            let (how, clock) = (how(second), &clock);
            async move {
                match how {
                    Renewal::Answered(written) => Ok(written),
                    Renewal::Slowly(seconds) => {
                        clock.sleep(Duration::from_secs(seconds)).await;
                        Ok(Written::Done)
                    }
                    Renewal::Failed => Err(StorageError::DiskFull),
                    Renewal::Hangs => std::future::pending().await,
                }
            }
        };
        let mut holding = Box::pin(hold(&clock, renew, &to_stop));
        let lost = (0..=60).find_map(|second| {
            let lost = holding.as_mut().now_or_never();
            hand.advance(Duration::from_secs(1));
            Some((second, lost?))
        });
        drop(holding);
        (lost, to_stop.is_cancelled(), asked.into_inner())
    }

    #[test]
    fn a_lease_is_held_by_renewals_and_given_up_well_before_it_runs_out() {
        use Renewal::*;
        let every_five: Vec<i64> = (1..=12).map(|n| n * 5).collect();
        assert_eq!(lost(|_| Answered(Written::Done)), (None, false, every_five));
        let fenced = lost(|second| Answered(if second < 12 { Written::Done } else { Written::Fenced }));
        assert_eq!(fenced, (Some((15, Lost::Fenced)), false, vec![5, 10, 15]));
        // A busy database: the lease of the last renewal, asked for at 10, runs out at 40.
        let busy = lost(|second| if second < 12 { Answered(Written::Done) } else { Hangs });
        assert_eq!(busy, (Some((30, Lost::NotRenewed)), false, vec![5, 10, 15]));
        assert_eq!(lost(|_| Hangs), (Some((20, Lost::NotRenewed)), false, vec![5]));
        assert_eq!(lost(|_| Failed).0, Some((20, Lost::NotRenewed)));
        let once = lost(|second| if second == 15 { Answered(Written::Done) } else { Failed });
        assert_eq!(once.0, Some((35, Lost::NotRenewed)));
        // Answered at 19, it counts from 5: the next is asked for at once.
        let slow = lost(|second| if second == 5 { Slowly(14) } else { Hangs });
        assert_eq!(slow, (Some((29, Lost::NotRenewed)), false, vec![5, 19]));
        let (end, is_to_stop, _) = lost(|_| Answered(Written::CancelRequested));
        assert_eq!((end, is_to_stop), (Some((20, Lost::NotRenewed)), true), "who is told to stop does so long before");
    }

    #[test]
    fn after_a_leap_of_the_clock_the_answer_decides() {
        let (hand, clock) = standing();
        let (n_asked, is_answered, to_stop) = (Cell::new(0), Cell::new(true), CancellationToken::new());
        let renew = |_| {
            n_asked.set(n_asked.get() + 1);
            std::future::poll_fn(|_| if is_answered.get() { Poll::Ready(Ok(Written::Done)) } else { Poll::Pending })
        };
        let mut holding = Box::pin(hold(&clock, renew, &to_stop));
        let mut leap = |answers: bool| {
            is_answered.set(answers);
            let lost = holding.as_mut().now_or_never();
            hand.advance(Duration::from_secs(3600));
            (lost, n_asked.get())
        };
        assert_eq!([leap(true), leap(true), leap(true)], [(None, 0), (None, 1), (None, 2)]);
        // One is on its way while the clock leaps twice.
        assert_eq!([leap(false), leap(false), leap(true), leap(true)], [(None, 3), (None, 3), (None, 4), (None, 5)]);
    }
}
