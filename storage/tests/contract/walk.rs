//! Random walks: the store and the model do the same things and must say and hold the same. Where they do not, proptest makes the walk as short
//! as it can.

use std::{any::Any, cell::RefCell, sync::Arc, time::Duration};

use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use storage::{
    Delivery as Way, Enqueued, Failure, GuildId, JobId, JobStatus, JobStore, KeptState, Lease, Limits, NewJob, Period, QueueStatus,
    Received, Refusal, Spender, Subject, Timestamp, UserId,
};
use tokio::runtime::Handle;

use super::{
    model::Asked,
    played::{About, Played, Said},
    steps::*,
    support::*,
};

const N_LANES: u32 = 4;
/// Of all lanes together.
const N_WALKS: u32 = 2000;
const MOST_STEPS: usize = 24;

pub async fn the_store_does_what_the_model_does<B: Backend>(_: &B) {
    let lane = |seed: u32| {
        tokio::task::spawn_blocking(move || {
            let config =
                Config { cases: N_WALKS / N_LANES, rng_seed: RngSeed::Fixed(seed.into()), failure_persistence: None, ..Config::default() };
            let walks = Played::sequential_strategy(MOST_STEPS / 4..=MOST_STEPS);
            let ran = TestRunner::new(config.clone()).run(&walks, |(start, steps, n_seen)| {
                Place::<B>::test_sequential(config.clone(), start, steps, n_seen);
                Ok(())
            });
            ran.unwrap_or_else(|failed| panic!("lane {seed}: {failed}\n{failed:#?}"));
        })
    };
    let lanes: Vec<_> = (0..N_LANES).map(lane).collect();
    for lane in lanes {
        lane.await.expect("the panic above shows the walk");
    }
}

thread_local! {
    /// The store of a lane between two walks; one that a walk failed on is thrown away.
    static SPARE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// A store that walks go over, one after another.
struct Place<B> {
    /// `None` while it is opened again.
    store: Option<Arc<dyn JobStore>>,
    ids: Vec<JobId>,
    leases: Vec<Lease>,
    newest: u64,
    backend: B,
}

impl<B: Backend> StateMachineTest for Place<B> {
    type SystemUnderTest = Self;
    type Reference = Played;

    fn init_test(played: &Played) -> Self {
        let spare = SPARE.take().and_then(|spare| spare.downcast::<Self>().ok());
        // The same walk once more, as proptest makes it shorter, goes over a new store.
        let mut place = spare.filter(|spare| spare.newest < played.n).map_or_else(Self::new, |spare| *spare);
        (place.ids, place.leases, place.newest) = (Vec::new(), Vec::new(), played.n);
        place
    }

    fn apply(mut place: Self, played: &Played, step: Step) -> Self {
        let said = Handle::current().block_on(place.take(played, step.what));
        assert_eq!(said, played.said, "what the store says, and what it should");
        place
    }

    fn check_invariants(place: &Self, played: &Played) {
        Handle::current().block_on(place.check(played));
    }

    fn teardown(place: Self, played: Played) {
        Handle::current().block_on(place.leave(played));
        SPARE.set(Some(Box::new(place)));
    }
}

impl<B: Backend> Place<B> {
    fn new() -> Self {
        let backend = B::fleeting();
        let store = Handle::current().block_on(backend.open());
        Self { store: Some(store), ids: Vec::new(), leases: Vec::new(), newest: 0, backend }
    }

    fn store(&self) -> &dyn JobStore {
        &**self.store.as_ref().unwrap()
    }

    fn index(&self, id: JobId) -> usize {
        self.ids.iter().position(|other| *other == id).expect("a job of this walk")
    }

    async fn take(&mut self, played: &Played, what: What) -> Said {
        let now = played.now;
        match (what, &played.about) {
            (What::Enqueue(_, limits), About::Wish(new)) => self.enqueue(new, &limits, now).await,
            (What::Claim(limits, resident), _) => {
                let lease = self.store().claim(LEASE, &limits, &resident, now).await.unwrap();
                let held = lease.map(|lease| {
                    let images = lease.images.iter().map(|image| image.index).collect();
                    let on_their_way = lease.checkpoints.iter().map(|state| (state.index, state.n_steps)).collect();
                    let i = self.index(lease.job.id);
                    self.leases.push(lease);
                    (i, images, on_their_way)
                });
                Said::Claimed(held)
            }
            (What::Work(_, work), About::Lease(n)) => self.work(*n, work, now).await,
            (What::Reap { all }, _) => Said::Reaped(self.store().reap(all, now).await.unwrap()),
            (What::Cancel(_), About::Job(i)) => Said::Cancelled(self.store().request_cancel(self.ids[*i], now).await.unwrap()),
            (What::WantLess(_, less), About::Job(i)) => Said::Status(self.store().want_less(self.ids[*i], less).await.unwrap()),
            (What::Deliver(_, how), About::Job(i)) => {
                self.deliver(self.ids[*i], how, now).await;
                Said::Nothing
            }
            (What::Delete(_), About::Job(i)) => Said::IsDeleted(self.store().delete(self.ids[*i], now).await.is_ok()),
            (What::Hear(_), About::Keys(keys)) => {
                let heard: Vec<Received> = keys.iter().map(|key| heard(key, now)).collect();
                Said::AreNew(self.store().receive(&heard).await.unwrap())
            }
            (What::Answer, About::Keys(keys)) => {
                self.store().forget_received(keys).await.unwrap();
                Said::Nothing
            }
            (What::SetShare(guild, share), _) => {
                let guild = GuildId(played.number(guild));
                Said::IsDeleted(match share {
                    None => self.store().remove_quota_rule(guild, Subject::Everyone, Period::Day).await.unwrap(),
                    Some(share) => {
                        let rule = daily(Subject::Everyone, share.into());
                        self.store().set_quota_rule(guild, &rule, now).await.unwrap();
                        false
                    }
                })
            }
            (What::Reopen, _) => {
                self.store = None;
                self.store = Some(self.backend.open().await);
                Said::Nothing
            }
            // There is none to do it with.
            _ => Said::Nothing,
        }
    }

    async fn enqueue(&mut self, new: &NewJob, limits: &Limits, now: Timestamp) -> Said {
        Said::Asked(match self.store().enqueue(new.clone(), limits, now).await.unwrap() {
            Enqueued::Created(id) => {
                self.ids.push(id);
                Asked::Created(self.ids.len() - 1)
            }
            Enqueued::SameKey(id) => Asked::SameKey(self.index(id)),
            Enqueued::Pressed(id, status) => Asked::Pressed(self.index(id), status),
            Enqueued::JudgedByOldRules => panic!("by no rules"),
            Enqueued::Refused(mut refusal) => {
                // The pace of a queue is that of all walks of this store.
                if let Refusal::GuildFull { again, .. } | Refusal::QueueFull { again, .. } = &mut refusal {
                    *again = None;
                }
                Asked::Refused(refusal)
            }
        })
    }

    async fn work(&self, n: usize, work: Work, now: Timestamp) -> Said {
        let (store, lease) = (self.store(), &self.leases[n]);
        let written = match work {
            Work::Complete { halves } => store.complete(lease, f64::from(halves) / 2.0, now).await,
            Work::Record { number } => store.record_image(lease, &image(number, blob(number as u8))).await,
            Work::Keep { number, n_steps } => store.keep(lease, &[checkpoint(number, n_steps, 9)], &ENDLESS).await.map(|kept| kept.written),
            Work::KeepState { number } => {
                let state = KeptState { index: number, blob: blob(100), n_bytes: 9, done: 1, total: 2 };
                store.keep_state(lease, &state, now).await
            }
            Work::Renew => store.renew(lease, LEASE, now).await,
            Work::Fail => store.fail(lease, &Failure::OutOfMemory, now).await,
            Work::FinishCancel { halves } => store.finish_cancel(lease, f64::from(halves) / 2.0, now).await,
            Work::Release => store.release(lease, now).await,
            Work::SetNotes(notes) => store.set_notes(lease, &notes.into()).await,
        };
        Said::Written(written.unwrap())
    }

    async fn deliver(&self, id: JobId, how: Delivery, now: Timestamp) {
        let store = self.store();
        let done = match how {
            Delivery::Arrived => store.delivered(id, Some(7)).await,
            Delivery::Failed => store.delivery_failed(id, "503", now, Duration::from_secs(1)).await,
            Delivery::Impossible => store.undeliverable(id, "403").await,
            Delivery::Lost => store.lose(id, &Failure::PicturesLost).await,
        };
        done.unwrap();
    }

    async fn check(&self, played: &Played) {
        let (model, now) = (&played.model, played.now);
        let Some(look) = &played.look else { return };
        let queue: Vec<JobId> = model.queue(look.n as usize).into_iter().map(|i| self.ids[i]).collect();
        assert_eq!(self.store().queue(look.n).await.unwrap(), queue, "the next turns");
        let running = model.jobs.iter().filter(|job| job.status == JobStatus::Leased).count() as u32;
        let status = QueueStatus { queued: model.n_queued(None), running };
        assert_eq!(self.store().queue_status().await.unwrap(), status, "how many wait and run");
        let limits = Limits { daily_row_megapixels_per_user: Some(3.0), daily_row_megapixels_host: Some(5.0), ..ROOMY };
        let asked = job(played.number(look.guild), played.number(look.user));
        let quotas = self.store().quotas(&Spender::new(asked.guild, asked.user), &limits, now).await.unwrap();
        assert_eq!(quotas, model.quotas(&asked, &limits, now), "what was spent");
        let heard: Vec<String> = self.store().received(u32::MAX).await.unwrap().into_iter().map(|received| received.key).collect();
        assert_eq!(heard, model.heard, "what has no answer yet");
        self.check_outbox(played).await;
        if !self.ids.is_empty() {
            self.check_job(look.job.index(self.ids.len()), played).await;
        }
    }

    /// Each job that ended has exactly one ending; those that are due come oldest first.
    async fn check_outbox(&self, played: &Played) {
        let jobs = &played.model.jobs;
        assert!(jobs.iter().all(|job| job.n_endings == u32::from(job.status.is_final())), "endings");
        let pending = jobs.iter().enumerate().filter_map(|(i, job)| job.delivery.map(|(due, attempts)| (due, i, attempts)));
        let mut due: Vec<_> = pending.filter(|(due, ..)| *due <= played.now.0).collect();
        due.sort_unstable();
        let due: Vec<_> = due.into_iter().map(|(_, i, attempts)| (self.ids[i], attempts)).collect();
        let stored = self.store().outbox(played.now, u32::MAX).await.unwrap();
        assert_eq!(stored.into_iter().map(|item| (item.job, item.attempts)).collect::<Vec<_>>(), due, "what is to be delivered");
    }

    async fn check_job(&self, i: usize, played: &Played) {
        let (model, job) = (&played.model.jobs[i], self.store().job(self.ids[i]).await.unwrap().expect("the job exists"));
        assert_eq!((job.status, &job.failure, job.attempts), (model.status, &model.failure, model.attempts), "job {i}");
        assert_eq!((job.is_deleted, job.is_cancel_requested), (model.is_deleted, model.is_cancel_requested), "job {i}");
        assert_eq!((job.is_stop_requested, job.culled), (model.is_stop_requested, model.culled), "job {i}");
        assert_eq!((!job.delivery.token.is_empty(), job.delivery.message), (model.has_token, model.message), "job {i}");
        assert_eq!(job.notes, model.notes.map(Into::into), "job {i}");
        let shown: Vec<u32> = self.store().images(job.id).await.unwrap().iter().map(|image| image.index).collect();
        let expected = model.images.iter().copied().filter(|_| model.status == JobStatus::Done && !model.is_deleted);
        assert_eq!(shown, expected.collect::<Vec<_>>(), "pictures of job {i}");
        let states: Vec<u32> = self.store().states(job.id).await.unwrap().iter().map(|state| state.index).collect();
        assert_eq!(states, model.states.iter().copied().collect::<Vec<_>>(), "states of job {i}");
    }

    /// Ends, delivers and answers everything, so that the next walk on this store finds nothing, and looks at every job once more.
    async fn leave(&self, mut played: Played) {
        let now = played.now;
        for (i, id) in self.ids.iter().enumerate() {
            let answer = self.store().request_cancel(*id, now).await.unwrap();
            assert_eq!(answer, played.model.request_cancel(i, now), "at the end");
        }
        assert_eq!(self.store().reap(true, now).await.unwrap(), played.model.reap(true, now), "at the end");
        for (id, job) in self.ids.iter().zip(&mut played.model.jobs).filter(|(_, job)| job.delivery.is_some()) {
            self.store().delivered(*id, None).await.unwrap();
            (job.delivery, job.has_token) = (None, false);
        }
        let heard = std::mem::take(&mut played.model.heard);
        self.store().forget_received(&heard).await.unwrap();
        self.check(&played).await;
        for i in 0..self.ids.len() {
            self.check_job(i, &played).await;
        }
    }
}

fn heard(key: &str, now: Timestamp) -> Received {
    let delivery = Way { channel: 1, token: "secret".into(), token_expires: now, message: None, is_private: false };
    Received { key: key.into(), guild: GuildId(1), user: UserId(1), delivery, wish: serde_json::json!({}), created: now }
}
