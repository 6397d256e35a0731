//! Random walks: the store and the model do the same things and must say and hold the same.

use std::{collections::HashMap, sync::Arc, time::Duration};

use storage::{
    Enqueued, Failure, JobId, JobStatus, JobStore, Lease, Limits, NewJob, Period, PressKey, QueueStatus, QuotaOf, QuotaStatus, Refusal,
    RunningLimits, Spender, Subject, Tier, Timestamp, Written,
};

use super::{
    model::{Model, cost, end, is_free},
    support::*,
};

const N_SEQUENCES: u64 = 2000;
const N_LANES: u64 = 4;
/// At most; at least a quarter of them.
const N_OPERATIONS: u64 = 24;
/// Models of jobs; the first is none.
const MODELS: [&str; 3] = ["", "sdxl", "starter"];

pub async fn the_store_does_what_the_model_does<B: Backend>(_: &B) {
    let mut lanes = Vec::new();
    for lane in 0..N_LANES {
        let backend = B::fleeting();
        let mut store = backend.open().await;
        let sequences = async move {
            for seed in (lane..N_SEQUENCES).step_by(N_LANES as usize) {
                store = walk(store, seed).await;
            }
            drop(backend);
        };
        lanes.push(tokio::spawn(sequences));
    }
    for lane in lanes {
        lane.await.expect("the panic above names the seed");
    }
}

struct Walk {
    store: Arc<dyn JobStore>,
    model: Model,
    ids: Vec<JobId>,
    /// What each person may spend a day in a guild, where its managers said something.
    shares: HashMap<u64, f64>,
    /// Every lease ever given: most are stale.
    leases: Vec<(usize, Lease)>,
    dice: Dice,
    now: Timestamp,
    /// Guilds and users of this sequence only, so that the walks of one store do not meet.
    base: u64,
}

async fn walk(store: Arc<dyn JobStore>, seed: u64) -> Arc<dyn JobStore> {
    // Days of this sequence only, too: the host has one sum a day.
    let now = at(seed as i64 * 100 * DAY_MS);
    let mut walk = Walk {
        store,
        model: Model::default(),
        ids: vec![],
        shares: HashMap::new(),
        leases: vec![],
        dice: Dice(seed),
        now,
        base: 1000 * (seed + 1),
    };
    let n_operations = N_OPERATIONS / 4 + walk.dice.roll(N_OPERATIONS * 3 / 4 + 1);
    for step in 0..n_operations {
        let operation = walk.operation().await;
        walk.check(&format!("seed {seed}, step {step}: {operation}")).await;
    }
    walk.drain().await;
    walk.check(&format!("seed {seed}, drained")).await;
    for i in 0..walk.ids.len() {
        walk.check_job(i, &format!("seed {seed}, at the end")).await;
    }
    walk.store
}

impl Walk {
    async fn operation(&mut self) -> String {
        let is_long = self.dice.roll(40) == 0;
        self.now = Timestamp(self.now.0 + self.dice.roll(if is_long { DAY_MS as u64 } else { 8000 }) as i64);
        match self.dice.roll(20) {
            0..7 => self.enqueue().await,
            7..11 => self.claim().await,
            11..15 => self.work().await,
            15 => self.reap().await,
            16 | 17 => self.cancel().await,
            18 => self.deliver().await,
            _ => self.delete().await,
        }
    }

    async fn enqueue(&mut self) -> String {
        let (guild, user) = (self.base + self.dice.roll(3), self.base + self.dice.roll(3));
        let mut new = costing(guild, user, self.dice.roll(6) as f64 / 2.0);
        new.tier = if self.dice.roll(3) == 0 { Tier::Relax } else { Tier::Fast };
        new.model = self.dice.pick(&MODELS).map(str::to_owned).filter(|model| !model.is_empty());
        if self.dice.roll(8) == 0
            && let Some(known) = self.dice.pick(&self.model.jobs)
        {
            new.key = known.new.key;
        }
        if self.dice.roll(4) == 0 {
            let key = format!("press-{}-{}", self.base, self.dice.roll(4));
            new.press = Some(PressKey { key, keep: self.dice.roll(2) == 0 });
        }
        let limits = match self.dice.roll(3) {
            0 => {
                let mut some = |limit| (self.dice.roll(2) == 0).then_some(limit);
                let (user, host, month) = (some(5.0), some(9.0), some(20.0));
                Limits {
                    daily_row_megapixels: 6.0,
                    daily_row_megapixels_per_user: user,
                    daily_row_megapixels_host: host,
                    monthly_row_megapixels: month,
                    monthly_row_megapixels_per_user: None,
                    monthly_row_megapixels_host: None,
                    is_relax_free: self.dice.roll(2) == 0,
                    max_active_per_user: 4,
                    max_queued_per_guild: 5,
                    max_queued: 8,
                }
            }
            _ => ROOMY,
        };
        if self.dice.roll(4) == 0 {
            self.change_share(new.guild.0).await;
        }
        let expected = self.expected_of_enqueue(&new, &limits);
        let answer = self.store.enqueue(new.clone(), &limits, self.now).await.unwrap();
        match (expected, answer) {
            (None, Enqueued::Created(id)) => {
                self.model.enqueue(new, &limits, self.now);
                self.ids.push(id);
            }
            (Some(expected), mut answer) => {
                // The pace of a queue is that of all walks of this store.
                if let Enqueued::Refused(Refusal::GuildFull { again, .. } | Refusal::QueueFull { again, .. }) = &mut answer {
                    *again = None;
                }
                assert_eq!(expected, answer, "{new:?}");
            }
            (None, answer) => panic!("{answer:?} for {new:?}"),
        }
        "enqueue".into()
    }

    fn expected_of_enqueue(&self, new: &NewJob, limits: &Limits) -> Option<Enqueued> {
        let (model, jobs) = (&self.model, &self.model.jobs);
        if let Some(i) = jobs.iter().position(|job| job.new.key == new.key) {
            return Some(Enqueued::SameKey(self.ids[i]));
        }
        let key = |new: &NewJob| new.press.as_ref().map(|press| press.key.clone());
        if new.press.is_some()
            && let Some(i) = jobs.iter().position(|job| job.holds_press && key(&job.new) == key(new))
        {
            return Some(Enqueued::Pressed(self.ids[i], jobs[i].status));
        }
        let (of, quota) = self.quotas(new, limits)[0];
        let refusal = if model.n_active(new.user.0) >= limits.max_active_per_user {
            Refusal::UserBusy { active: model.n_active(new.user.0), limit: limits.max_active_per_user }
        } else if model.n_queued(Some(new.guild.0)) >= limits.max_queued_per_guild {
            Refusal::GuildFull { limit: limits.max_queued_per_guild, again: None }
        } else if model.n_queued(None) >= limits.max_queued {
            Refusal::QueueFull { limit: limits.max_queued, again: None }
        } else if is_free(new, limits) {
            return None;
        } else if cost(quota.used) + cost(new.row_megapixels) > cost(quota.limit) {
            Refusal::Quota { of, quota, cost: new.row_megapixels }
        } else {
            return None;
        };
        Some(Enqueued::Refused(refusal))
    }

    async fn change_share(&mut self, guild: u64) {
        let of_guild = storage::GuildId(guild);
        if self.dice.roll(2) == 0 {
            let was_there = self.shares.remove(&guild).is_some();
            assert_eq!(self.store.remove_quota_rule(of_guild, Subject::Everyone, Period::Day).await.unwrap(), was_there);
        } else {
            let share = 1.0 + self.dice.roll(5) as f64;
            self.shares.insert(guild, share);
            self.store.set_quota_rule(of_guild, &daily(Subject::Everyone, share), self.now).await.unwrap();
        }
    }

    /// Everything that bounds a job, the least left first.
    fn quotas(&self, new: &NewJob, limits: &Limits) -> Vec<(QuotaOf, QuotaStatus)> {
        let (guild, user) = (Some(new.guild.0), Some(new.user.0));
        // Whoever stands in for a guild has no managers.
        let share = self.shares.get(&new.guild.0).copied().filter(|_| guild != user);
        let all = [
            (QuotaOf::User, Period::Day, limits.daily_row_megapixels_per_user, (None, user)),
            (QuotaOf::Member, Period::Day, share, (guild, user)),
            (QuotaOf::Guild, Period::Day, Some(limits.daily_row_megapixels), (guild, None)),
            (QuotaOf::Guild, Period::Month, limits.monthly_row_megapixels, (guild, None)),
            (QuotaOf::Host, Period::Day, limits.daily_row_megapixels_host, (None, None)),
        ];
        let status = |(of, period, limit, whose): (_, _, Option<f64>, _)| {
            let (used, resets) = (self.model.used(whose, period, self.now), end(period, self.now));
            Some((of, QuotaStatus { used: used as f64 / 1e6, limit: limit?, carried: 0.0, period, resets }))
        };
        let mut all: Vec<_> = all.into_iter().filter_map(status).collect();
        all.sort_by_key(|(_, quota)| cost(quota.limit) - cost(quota.used));
        all
    }

    async fn claim(&mut self) -> String {
        let limits = match self.dice.roll(2) {
            0 => MANY,
            _ => RunningLimits {
                max_running: 1 + self.dice.roll(3) as u32,
                max_running_per_user: 1 + self.dice.roll(3) as u32,
                max_running_per_guild: 1 + self.dice.roll(4) as u32,
            },
        };
        let resident: Vec<String> = MODELS.into_iter().filter(|_| self.dice.roll(2) == 0).map(str::to_owned).collect();
        let lease = self.store.claim(LEASE, &limits, &resident, self.now).await.unwrap();
        let expected = self.model.claim(&limits, &resident, self.now);
        assert_eq!(lease.as_ref().map(|lease| lease.job.id), expected.map(|i| self.ids[i]), "claim");
        if let (Some(i), Some(lease)) = (expected, lease) {
            let recorded: Vec<u32> = lease.images.iter().map(|image| image.index).collect();
            assert_eq!(recorded, self.model.jobs[i].images.iter().copied().collect::<Vec<_>>(), "claim");
            self.leases.push((i, lease));
        }
        "claim".into()
    }

    async fn work(&mut self) -> String {
        let is_fresh = self.dice.roll(3) > 0;
        let leases = if is_fresh { &self.leases[self.leases.len().saturating_sub(3)..] } else { &self.leases };
        let Some((i, lease)) = self.dice.pick(leases) else { return "no work".into() };
        let operation = self.dice.roll(8);
        let actual = self.dice.roll(8) as f64 / 2.0;
        let number = self.dice.roll(3) as u32;
        let expected = self.model.held(i, lease.epoch, !matches!(operation, 2 | 3));
        let (store, now) = (&self.store, self.now);
        let written = match operation {
            0 | 5 => store.complete(&lease, actual, now).await,
            6 | 7 => store.record_image(&lease, &image(number, blob(i as u8))).await,
            1 => store.renew(&lease, LEASE, now).await,
            2 => store.fail(&lease, &Failure::OutOfMemory, now).await,
            3 => store.finish_cancel(&lease, actual, now).await,
            _ => store.release(&lease, now).await,
        };
        assert_eq!(written.unwrap(), expected, "operation {operation} of a worker");
        if expected == Written::Done {
            match operation {
                0 | 5 => self.model.end(i, JobStatus::Done, Some(cost(actual)), now),
                6 | 7 => {
                    if self.model.jobs[i].images.insert(number) {
                        self.model.advance_work(i);
                    }
                }
                1 => self.model.jobs[i].lease_until = now.after(LEASE).0,
                2 => {
                    self.model.end(i, JobStatus::Failed, None, now);
                    self.model.jobs[i].failure = Some(Failure::OutOfMemory);
                }
                3 => self.model.end(i, JobStatus::Cancelled, Some(cost(actual)), now),
                _ => {
                    self.model.uncount(i);
                    self.model.requeue(i);
                }
            }
        }
        format!("operation {operation} of a worker")
    }

    async fn reap(&mut self) -> String {
        let all = self.dice.roll(2) == 0;
        let n = self.store.reap(all, self.now).await.unwrap();
        assert_eq!(n, self.model.reap(all, self.now), "reap");
        format!("reap {all}")
    }

    async fn cancel(&mut self) -> String {
        if let Some(id) = self.dice.pick(&self.ids) {
            let i = self.index(id);
            let answer = self.store.request_cancel(id, self.now).await.unwrap();
            assert_eq!(answer, self.model.request_cancel(i, self.now), "cancel");
        }
        "cancel".into()
    }

    async fn deliver(&mut self) -> String {
        let Some(id) = self.dice.pick(&self.ids) else { return "no delivery".into() };
        let i = self.index(id);
        let next = Timestamp(self.now.0 + 1000);
        let job = &mut self.model.jobs[i];
        match self.dice.roll(3) {
            0 => {
                self.store.delivered(id, Some(7)).await.unwrap();
                if job.status.is_final() {
                    (job.delivery, job.has_token, job.message) = (None, false, Some(7));
                }
            }
            1 => {
                self.store.delivery_failed(id, "503", self.now, Duration::from_secs(1)).await.unwrap();
                job.delivery = job.delivery.map(|(_, attempts)| (next.0, attempts + 1));
            }
            _ => {
                self.store.undeliverable(id, "403").await.unwrap();
                job.has_token &= job.delivery.is_none();
                job.delivery = None;
            }
        }
        "deliver".into()
    }

    async fn delete(&mut self) -> String {
        let Some(id) = self.dice.pick(&self.ids) else { return "nothing to delete".into() };
        let i = self.index(id);
        let deleted = self.store.delete(id, self.now).await;
        let job = &mut self.model.jobs[i];
        assert_eq!(deleted.is_ok(), job.status.is_final(), "delete");
        if deleted.is_ok() {
            (job.is_deleted, job.holds_press) = (true, false);
            job.images.clear();
        }
        "delete".into()
    }

    /// Ends and delivers everything, so that the next walk on this store finds nothing.
    async fn drain(&mut self) {
        for i in 0..self.ids.len() {
            let answer = self.store.request_cancel(self.ids[i], self.now).await.unwrap();
            assert_eq!(answer, self.model.request_cancel(i, self.now), "drain");
        }
        let n = self.store.reap(true, self.now).await.unwrap();
        assert_eq!(n, self.model.reap(true, self.now), "drain");
        for (id, job) in self.ids.iter().zip(&mut self.model.jobs).filter(|(_, job)| job.delivery.is_some()) {
            self.store.delivered(*id, None).await.unwrap();
            (job.delivery, job.has_token) = (None, false);
        }
    }

    async fn check(&mut self, when: &str) {
        let n = 1 + self.dice.roll(30) as u32;
        let queue: Vec<JobId> = self.model.queue(n as usize).into_iter().map(|i| self.ids[i]).collect();
        assert_eq!(self.store.queue(n).await.unwrap(), queue, "{when}");
        let running = self.model.jobs.iter().filter(|job| job.status == JobStatus::Leased).count() as u32;
        assert_eq!(self.store.queue_status().await.unwrap(), QueueStatus { queued: self.model.n_queued(None), running }, "{when}");
        let new = job(self.base + self.dice.roll(3), self.base + self.dice.roll(3));
        let limits = Limits { daily_row_megapixels_per_user: Some(3.0), daily_row_megapixels_host: Some(5.0), ..ROOMY };
        let quotas = self.store.quotas(&Spender::new(new.guild, new.user), &limits, self.now).await.unwrap();
        assert_eq!(quotas, self.quotas(&new, &limits), "{when}");
        self.check_outbox(when).await;
        if let Some(id) = self.dice.pick(&self.ids) {
            self.check_job(self.index(id), when).await;
        }
    }

    /// Each job that ended has exactly one ending; those that are due come oldest first.
    async fn check_outbox(&mut self, when: &str) {
        let jobs = &self.model.jobs;
        assert!(jobs.iter().all(|job| job.n_endings == u32::from(job.status.is_final())), "{when}");
        let pending = jobs.iter().enumerate().filter_map(|(i, job)| job.delivery.map(|(due, attempts)| (due, i, attempts)));
        let mut due: Vec<_> = pending.filter(|(due, ..)| *due <= self.now.0).collect();
        due.sort_unstable();
        let due: Vec<_> = due.into_iter().map(|(_, i, attempts)| (self.ids[i], attempts)).collect();
        let stored = self.store.outbox(self.now, u32::MAX).await.unwrap();
        let stored: Vec<_> = stored.into_iter().filter(|item| self.ids.contains(&item.job)).map(|item| (item.job, item.attempts)).collect();
        assert_eq!(stored, due, "{when}");
    }

    async fn check_job(&self, i: usize, when: &str) {
        let (model, job) = (&self.model.jobs[i], self.store.job(self.ids[i]).await.unwrap().expect("the job exists"));
        assert_eq!((job.status, &job.failure, job.attempts), (model.status, &model.failure, model.attempts), "{when}");
        assert_eq!((job.is_deleted, job.is_cancel_requested), (model.is_deleted, model.is_cancel_requested), "{when}");
        assert_eq!((!job.delivery.token.is_empty(), job.delivery.message), (model.has_token, model.message), "{when}");
        let shown: Vec<u32> = self.store.images(job.id).await.unwrap().iter().map(|image| image.index).collect();
        let expected = model.images.iter().copied().filter(|_| model.status == JobStatus::Done);
        assert_eq!(shown, expected.collect::<Vec<_>>(), "{when}");
    }

    fn index(&self, id: JobId) -> usize {
        self.ids.iter().position(|other| *other == id).expect("an id of this walk")
    }
}
