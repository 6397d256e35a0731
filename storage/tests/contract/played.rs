//! The model as what proptest walks through: each step is played here first, and the store has to say the same.

use std::cell::Cell;

use proptest::{prelude::*, sample::Index};
use proptest_state_machine::ReferenceStateMachine;
use storage::{Cancelled, Failure, JobStatus, NewJob, PressKey, RunningLimits, Timestamp, Written};

use super::{
    model::{Asked, Model, cost},
    steps::*,
    support::*,
};

thread_local! {
    /// Walks that began on this thread.
    static N_WALKS: Cell<u64> = const { Cell::new(0) };
}

/// A walk so far.
#[derive(Clone, Debug)]
pub struct Played {
    /// Guilds, people, keys and days of no other walk on this thread: those that go over one store do not meet.
    pub n: u64,
    pub model: Model,
    pub now: Timestamp,
    /// Job and epoch of every lease ever given.
    pub leases: Vec<(usize, i64)>,
    /// What the last step was about.
    pub about: About,
    pub said: Said,
    /// `None` before the first step.
    pub look: Option<Look>,
    n_heard: usize,
}

/// What of all there is a step chose.
#[derive(Clone, Debug)]
pub enum About {
    Nothing,
    Job(usize),
    Lease(usize),
    Wish(Box<NewJob>),
    Keys(Vec<String>),
}

/// A job, its recorded pictures, and the steps of those on their way.
type Claimed = (usize, Vec<u32>, Vec<(u32, u32)>);

/// An answer, with jobs by the order of their arrival.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Nothing,
    Asked(Asked),
    Claimed(Option<Claimed>),
    Written(Written),
    Reaped(u32),
    Cancelled(Cancelled),
    Status(JobStatus),
    IsDeleted(bool),
    AreNew(Vec<bool>),
}

fn chosen(index: &Index, n: usize) -> Option<usize> {
    (n > 0).then(|| index.index(n))
}

impl ReferenceStateMachine for Played {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let n = N_WALKS.get() + 1;
        N_WALKS.set(n);
        let (model, about, said, now) = (Model::default(), About::Nothing, Said::Nothing, at(n as i64 * 100 * DAY_MS));
        Just(Self { n, model, now, leases: Vec::new(), about, said, look: None, n_heard: 0 }).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        step()
    }

    fn apply(mut played: Self, step: &Step) -> Self {
        played.now = Timestamp(played.now.0 + step.pause_ms);
        played.look = Some(step.look.clone());
        (played.about, played.said) = (About::Nothing, Said::Nothing);
        played.play(&step.what);
        played
    }
}

impl Played {
    /// The number of the `i`th guild or person.
    pub fn number(&self, i: u64) -> u64 {
        1000 * self.n + i
    }

    fn key(&self, key: &str) -> String {
        format!("{} {key}", self.n)
    }

    fn play(&mut self, what: &What) {
        let now = self.now;
        match what {
            What::Enqueue(wish, limits) => {
                let new = self.wished(wish);
                self.about = About::Wish(Box::new(new.clone()));
                self.said = Said::Asked(self.model.enqueue(new, limits, now));
            }
            What::Claim(limits, resident) => self.claim(limits, resident),
            What::Work(worker, work) => self.work(worker, work),
            What::Reap { all } => self.said = Said::Reaped(self.model.reap(*all, now)),
            What::Cancel(job) => {
                if let Some(i) = self.job(job) {
                    self.said = Said::Cancelled(self.model.request_cancel(i, now));
                }
            }
            What::WantLess(job, less) => {
                if let Some(i) = self.job(job) {
                    self.said = Said::Status(self.model.want_less(i, *less));
                }
            }
            What::Deliver(job, how) => {
                if let Some(i) = self.job(job) {
                    self.deliver(i, how);
                }
            }
            What::Delete(job) => {
                if let Some(i) = self.job(job) {
                    self.said = Said::IsDeleted(self.model.delete(i));
                }
            }
            What::Hear(job) => self.hear(job),
            What::Answer => {
                let keys: Vec<String> = self.model.heard.drain(..self.model.heard.len().min(1)).collect();
                self.about = About::Keys(keys);
            }
            What::SetShare(guild, share) => {
                let guild = self.number(*guild);
                let before = match share {
                    Some(share) => self.model.shares.insert(guild, f64::from(*share)),
                    None => self.model.shares.remove(&guild),
                };
                self.said = Said::IsDeleted(share.is_none() && before.is_some());
            }
            What::Reopen => {}
        }
    }

    fn job(&mut self, index: &Index) -> Option<usize> {
        let i = chosen(index, self.model.jobs.len())?;
        self.about = About::Job(i);
        Some(i)
    }

    fn wished(&self, wish: &Wish) -> NewJob {
        let (jobs, heard) = (&self.model.jobs, &self.model.heard);
        let known = match &wish.key {
            Key::New => None,
            Key::OfJob(index) => chosen(index, jobs.len()).map(|i| jobs[i].new.key.clone()),
            Key::Heard(index) => chosen(index, heard.len()).map(|i| heard[i].clone()),
        };
        NewJob {
            key: known.unwrap_or_else(|| self.key(&format!("asked {}", jobs.len()))),
            press: wish.press.map(|(number, keep)| PressKey { key: self.key(&format!("press {number}")), keep }),
            tier: wish.tier,
            model: Some(MODELS[wish.model].to_owned()).filter(|model| !model.is_empty()),
            ..costing(self.number(wish.guild), self.number(wish.user), f64::from(wish.halves) / 2.0)
        }
    }

    fn claim(&mut self, limits: &RunningLimits, resident: &[String]) {
        let claimed = self.model.claim(limits, resident, self.now);
        let held = claimed.map(|i| {
            let job = &self.model.jobs[i];
            self.leases.push((i, job.epoch));
            let on_their_way = job.checkpoints.iter().filter(|(_, (_, has_state))| *has_state);
            (i, job.images.iter().copied().collect(), on_their_way.map(|(number, (steps, _))| (*number, *steps)).collect())
        });
        self.said = Said::Claimed(held);
    }

    fn work(&mut self, worker: &Worker, work: &Work) {
        let n = self.leases.len();
        let lease = match worker {
            Worker::Fresh(index) => chosen(index, n.min(3)).map(|i| n - 1 - i),
            Worker::Any(index) => chosen(index, n),
        };
        let Some(lease) = lease else { return };
        self.about = About::Lease(lease);
        let (i, epoch) = self.leases[lease];
        let stops_at_cancel = !matches!(work, Work::Fail | Work::FinishCancel { .. } | Work::SetNotes(_));
        let written = self.model.held(i, epoch, stops_at_cancel);
        self.said = Said::Written(written);
        if written != Written::Done {
            return;
        }
        let (model, now) = (&mut self.model, self.now);
        match *work {
            Work::Complete { halves } => model.end(i, JobStatus::Done, Some(cost(f64::from(halves) / 2.0)), now),
            Work::Record { number } => model.record(i, number),
            Work::Keep { number, n_steps } => model.keep(i, number, n_steps),
            Work::KeepState { number } => {
                model.jobs[i].states.insert(number);
            }
            Work::Renew => model.jobs[i].lease_until = now.after(LEASE).0,
            Work::Fail => {
                model.end(i, JobStatus::Failed, None, now);
                model.jobs[i].failure = Some(Failure::OutOfMemory);
            }
            Work::FinishCancel { halves } => model.end(i, JobStatus::Cancelled, Some(cost(f64::from(halves) / 2.0)), now),
            Work::Release => {
                model.uncount(i);
                model.requeue(i);
            }
            Work::SetNotes(notes) => model.jobs[i].notes = Some(notes),
        }
    }

    fn deliver(&mut self, i: usize, how: &Delivery) {
        let next = self.now.0 + 1000;
        let job = &mut self.model.jobs[i];
        match how {
            Delivery::Arrived if job.status.is_final() => (job.delivery, job.has_token, job.message) = (None, false, Some(7)),
            Delivery::Arrived => {}
            Delivery::Failed => job.delivery = job.delivery.map(|(_, attempts)| (next, attempts + 1)),
            Delivery::Impossible => {
                job.has_token &= job.delivery.is_none();
                job.delivery = None;
            }
            Delivery::Lost => self.model.lose(i),
        }
    }

    fn hear(&mut self, job: &Index) {
        self.n_heard += 1;
        let mut keys = vec![self.key(&format!("heard {}", self.n_heard))];
        keys.extend(chosen(job, self.model.jobs.len()).map(|i| self.model.jobs[i].new.key.clone()));
        let model = &mut self.model;
        let is_new = |key: &String| !model.heard.contains(key) && model.jobs.iter().all(|job| job.new.key != *key);
        let are_new: Vec<bool> = keys.iter().map(is_new).collect();
        model.heard.extend(keys.iter().zip(&are_new).filter(|(_, is_new)| **is_new).map(|(key, _)| key.clone()));
        (self.about, self.said) = (About::Keys(keys), Said::AreNew(are_new));
    }
}
