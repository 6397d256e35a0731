//! The plainest store that can be right: lists in memory, and turns by the rule alone.

use std::collections::{BTreeMap, BTreeSet};

use storage::{
    Cancelled, Failure, JobStatus, Less, Limits, NewJob, Period, QuotaOf, QuotaStatus, Refusal, RunningLimits, Tier, Timestamp, Written,
    turns::{Candidate, N_CANDIDATES, Turn, Turns, choose, relax_slots},
};

use super::support::{DAY_MS, LEASE};

#[derive(Clone, Debug)]
pub struct ModelJob {
    pub new: NewJob,
    pub status: JobStatus,
    pub day: i64,
    /// Counted from year 0.
    pub month: i64,
    pub cost: i64,
    pub is_free: bool,
    pub charged: i64,
    pub attempts: u32,
    /// Whether the newest lease got further, or its attempt was taken back.
    pub has_advanced: bool,
    /// How often it was the first and another was claimed.
    pub passed: u32,
    pub epoch: i64,
    pub lease_until: i64,
    pub is_cancel_requested: bool,
    pub is_deleted: bool,
    pub holds_press: bool,
    pub has_token: bool,
    pub message: Option<u64>,
    pub failure: Option<Failure>,
    /// Pictures that were recorded.
    pub images: BTreeSet<u32>,
    /// Pictures on their way: the most steps ever, and whether a state is kept.
    pub checkpoints: BTreeMap<u32, (u32, bool)>,
    /// Pictures that can be gone on from.
    pub states: BTreeSet<u32>,
    pub notes: Option<u32>,
    pub is_stop_requested: bool,
    pub culled: u32,
    /// Endings written; must be 1 for each job that ended.
    pub n_endings: u32,
    /// When the ending is due, and tries so far; `None` before the end and after the delivery.
    pub delivery: Option<(i64, u32)>,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub jobs: Vec<ModelJob>,
    /// What each person may spend a day in a guild, where its managers said something.
    pub shares: BTreeMap<u64, f64>,
    /// Keys that were heard and have neither job nor answer.
    pub heard: Vec<String>,
    turns: Turns,
}

/// What comes of asking for a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    Created(usize),
    SameKey(usize),
    Pressed(usize, JobStatus),
    Refused(Refusal),
}

pub fn cost(row_megapixels: f64) -> i64 {
    (row_megapixels * 1e6).round() as i64
}

/// Whether nothing is debited for a job.
pub fn is_free(new: &NewJob, limits: &Limits) -> bool {
    limits.is_relax_free && new.tier == Tier::Relax
}

/// The number of a UTC day or month, counted from 1970-01-01 or year 0.
pub fn number(period: Period, now: Timestamp) -> i64 {
    let day = now.0.div_euclid(DAY_MS);
    match period {
        Period::Day => day,
        Period::Month => month(day),
    }
}

/// When the UTC day or month of a time is over.
pub fn end(period: Period, now: Timestamp) -> Timestamp {
    let day = now.0.div_euclid(DAY_MS);
    let next = match period {
        Period::Day => day + 1,
        Period::Month => (day + 1..).find(|next| month(*next) != month(day)).expect("a month has an end"),
    };
    Timestamp(next * DAY_MS)
}

/// The month of a day of the calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
fn month(day: i64) -> i64 {
    let since_march_0 = day + 719_468;
    let (era, of_era) = (since_march_0.div_euclid(146_097), since_march_0.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on; January and February belong to the next year, which the division by twelve sees to.
    (year_of_era + era * 400) * 12 + (5 * of_year + 2) / 153 + 2
}

impl Model {
    pub fn enqueue(&mut self, new: NewJob, limits: &Limits, now: Timestamp) -> Asked {
        let key = |new: &NewJob| new.press.as_ref().map(|press| press.key.clone());
        if let Some(i) = self.jobs.iter().position(|job| job.new.key == new.key) {
            self.heard.retain(|heard| *heard != new.key);
            return Asked::SameKey(i);
        }
        if new.press.is_some()
            && let Some(i) = self.jobs.iter().position(|job| job.holds_press && key(&job.new) == key(&new))
        {
            return Asked::Pressed(i, self.jobs[i].status);
        }
        if let Some(refusal) = self.refusal(&new, limits, now) {
            return Asked::Refused(refusal);
        }
        self.heard.retain(|heard| *heard != new.key);
        Asked::Created(self.insert(new, limits, now))
    }

    fn refusal(&self, new: &NewJob, limits: &Limits, now: Timestamp) -> Option<Refusal> {
        let (of, quota) = self.quotas(new, limits, now)[0];
        if self.n_active(new.user.0) >= limits.max_active_per_user {
            return Some(Refusal::UserBusy { active: self.n_active(new.user.0), limit: limits.max_active_per_user });
        }
        if self.n_queued(Some(new.guild.0)) >= limits.max_queued_per_guild {
            return Some(Refusal::GuildFull { limit: limits.max_queued_per_guild, again: None });
        }
        if self.n_queued(None) >= limits.max_queued {
            return Some(Refusal::QueueFull { limit: limits.max_queued, again: None });
        }
        if is_free(new, limits) {
            return None;
        }
        let is_over = cost(quota.used) + cost(new.row_megapixels) > cost(quota.limit);
        is_over.then_some(Refusal::Quota { of, quota, cost: new.row_megapixels })
    }

    /// Everything that bounds a job, the least left first.
    pub fn quotas(&self, new: &NewJob, limits: &Limits, now: Timestamp) -> Vec<(QuotaOf, QuotaStatus)> {
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
            let (used, resets) = (self.used(whose, period, now), end(period, now));
            Some((of, QuotaStatus { used: used as f64 / 1e6, limit: limit?, carried: 0.0, period, resets }))
        };
        let mut all: Vec<_> = all.into_iter().filter_map(status).collect();
        all.sort_by_key(|(_, quota)| cost(quota.limit) - cost(quota.used));
        all
    }

    fn insert(&mut self, new: NewJob, limits: &Limits, now: Timestamp) -> usize {
        let cost = cost(new.row_megapixels);
        self.jobs.push(ModelJob {
            status: JobStatus::Queued,
            day: number(Period::Day, now),
            month: number(Period::Month, now),
            cost,
            is_free: is_free(&new, limits),
            charged: if is_free(&new, limits) { 0 } else { cost },
            attempts: 0,
            has_advanced: false,
            passed: 0,
            epoch: 0,
            lease_until: 0,
            is_cancel_requested: false,
            is_deleted: false,
            holds_press: new.press.is_some(),
            has_token: true,
            message: None,
            failure: None,
            images: BTreeSet::new(),
            checkpoints: BTreeMap::new(),
            states: BTreeSet::new(),
            notes: None,
            is_stop_requested: false,
            culled: 0,
            n_endings: 0,
            delivery: None,
            new,
        });
        let i = self.jobs.len() - 1;
        self.turns.arrive(self.turn(i));
        i
    }

    /// The next turns: serves a copy until nothing waits.
    pub fn queue(&self, n: usize) -> Vec<usize> {
        let mut turns = self.turns.clone();
        let next = || {
            let next = turns.next()?;
            turns.serve(&next);
            Some(next.seq as usize)
        };
        std::iter::from_fn(next).take(n).collect()
    }

    /// The first whose person and guild may run another one, or one near it whose model is in memory.
    pub fn claim(&mut self, limits: &RunningLimits, resident: &[String], now: Timestamp) -> Option<usize> {
        let running: Vec<&ModelJob> = self.jobs.iter().filter(|job| job.status == JobStatus::Leased).collect();
        if running.iter().any(|job| job.attempts > 1 && !job.has_advanced) {
            return None;
        }
        let n_relax = running.iter().filter(|job| job.new.tier == Tier::Relax).count();
        let mut next: Vec<usize> = self.turns.heads().iter().map(|job| job.seq as usize).filter(|i| self.may_run(*i, limits)).collect();
        let is_fast = |i: &usize| self.jobs[*i].new.tier == Tier::Fast;
        if n_relax >= relax_slots(limits.max_running) as usize && next.iter().any(is_fast) {
            next.retain(is_fast);
        }
        next.truncate(N_CANDIDATES as usize);
        let may_have_company = |i: &&usize| running.is_empty() || self.jobs[**i].attempts < 2;
        let next: Vec<usize> = next.iter().take_while(may_have_company).copied().collect();
        let candidate = |i: &usize| Candidate { model: self.jobs[*i].new.model.clone(), passed: self.jobs[*i].passed };
        let choice = choose(&next.iter().map(candidate).collect::<Vec<_>>(), resident)?;
        self.jobs[next[0]].passed += u32::from(choice.passes);
        let next = next[choice.index];
        self.turns.serve(&self.turn(next));
        let job = &mut self.jobs[next];
        job.status = JobStatus::Leased;
        job.epoch += 1;
        job.attempts += 1;
        job.has_advanced = false;
        job.passed = 0;
        job.lease_until = now.after(LEASE).0;
        Some(next)
    }

    pub fn may_run(&self, i: usize, limits: &RunningLimits) -> bool {
        let new = &self.jobs[i].new;
        let running: Vec<&NewJob> = self.jobs.iter().filter(|job| job.status == JobStatus::Leased).map(|job| &job.new).collect();
        let count = |is_counted: &dyn Fn(&NewJob) -> bool| running.iter().filter(|new| is_counted(new)).count() as u32;
        let (all, of_user, of_guild) = (count(&|_| true), count(&|other| other.user == new.user), count(&|other| other.guild == new.guild));
        let is_within = of_user < limits.max_running_per_user && of_guild < limits.max_running_per_guild;
        let leaves_a_slot = of_guild < 2 * limits.max_running - 1;
        is_within && leaves_a_slot && (all < limits.max_running || (of_user == 0 && all < 2 * limits.max_running))
    }

    /// What a worker's write is answered if a cancel stops it (or not).
    pub fn held(&self, i: usize, epoch: i64, stops_at_cancel: bool) -> Written {
        let job = &self.jobs[i];
        match job.status == JobStatus::Leased && job.epoch == epoch {
            false => Written::Fenced,
            true if job.is_cancel_requested && stops_at_cancel => Written::CancelRequested,
            true => Written::Done,
        }
    }

    /// Ends a job: `charged` if it is settled, `None` if it is refunded.
    pub fn end(&mut self, i: usize, status: JobStatus, charged: Option<i64>, now: Timestamp) {
        let turn = self.turn(i);
        if self.jobs[i].status == JobStatus::Queued {
            self.turns.cancel(&turn);
        }
        if let Some(charged) = charged {
            self.turns.correct(&turn, charged);
        }
        let job = &mut self.jobs[i];
        job.status = status;
        job.charged = charged.filter(|_| !job.is_free).unwrap_or(0);
        job.holds_press &= status == JobStatus::Done && job.new.press.as_ref().is_some_and(|press| press.keep);
        job.n_endings += 1;
        job.delivery = Some((now.0, 0));
        job.checkpoints.clear();
    }

    /// A picture is recorded: the first of its number stays.
    pub fn record(&mut self, i: usize, number: u32) {
        if self.jobs[i].images.insert(number) {
            self.advance_work(i);
            if let Some((_, has_state)) = self.jobs[i].checkpoints.get_mut(&number) {
                *has_state = false;
            }
        }
    }

    /// A picture on its way is kept, unless it is recorded.
    pub fn keep(&mut self, i: usize, number: u32, n_steps: u32) {
        let job = &mut self.jobs[i];
        if job.images.contains(&number) {
            return;
        }
        let before = job.checkpoints.get(&number).map(|(steps, _)| *steps);
        job.checkpoints.insert(number, (n_steps.max(before.unwrap_or(0)), true));
        if before.is_none_or(|before| n_steps > before) {
            self.advance_work(i);
        }
    }

    /// The pictures of a done job cannot be shown: it failed while nobody was told of it.
    pub fn lose(&mut self, i: usize) {
        let job = &mut self.jobs[i];
        if job.status == JobStatus::Done && job.delivery.is_some() {
            (job.status, job.charged, job.holds_press) = (JobStatus::Failed, 0, false);
            job.failure = Some(Failure::PicturesLost);
        }
    }

    pub fn want_less(&mut self, i: usize, less: Less) -> JobStatus {
        let job = &mut self.jobs[i];
        if !job.status.is_final() {
            match less {
                Less::Stop => job.is_stop_requested = true,
                Less::Without(number) => job.culled |= 1 << number,
            }
        }
        job.status
    }

    /// A job got further: its attempts are counted anew.
    pub fn advance_work(&mut self, i: usize) {
        let job = &mut self.jobs[i];
        if !std::mem::replace(&mut job.has_advanced, true) {
            job.attempts = 0;
        }
    }

    /// The attempt of a job's lease is not counted.
    pub fn uncount(&mut self, i: usize) {
        let job = &mut self.jobs[i];
        if !std::mem::replace(&mut job.has_advanced, true) {
            job.attempts -= 1;
        }
    }

    pub fn requeue(&mut self, i: usize) {
        self.jobs[i].status = JobStatus::Queued;
        self.turns.give_back(self.turn(i));
    }

    pub fn request_cancel(&mut self, i: usize, now: Timestamp) -> Cancelled {
        match self.jobs[i].status {
            JobStatus::Queued => {
                self.end(i, JobStatus::Cancelled, None, now);
                Cancelled::Now
            }
            JobStatus::Leased => {
                self.jobs[i].is_cancel_requested = true;
                Cancelled::Requested
            }
            ended => Cancelled::Already(ended),
        }
    }

    /// Whether it could be deleted.
    pub fn delete(&mut self, i: usize) -> bool {
        let job = &mut self.jobs[i];
        if job.status.is_final() {
            (job.is_deleted, job.holds_press) = (true, false);
            job.states.clear();
        }
        job.status.is_final()
    }

    pub fn reap(&mut self, all: bool, now: Timestamp) -> u32 {
        let is_orphan = |job: &ModelJob| job.status == JobStatus::Leased && (all || job.lease_until <= now.0);
        let orphans: Vec<usize> = (0..self.jobs.len()).filter(|i| is_orphan(&self.jobs[*i])).collect();
        for &i in &orphans {
            match &self.jobs[i] {
                job if job.is_cancel_requested => self.end(i, JobStatus::Cancelled, None, now),
                job if job.attempts >= 3 => {
                    self.end(i, JobStatus::Failed, None, now);
                    self.jobs[i].failure = Some(Failure::OutOfAttempts { attempts: 3 });
                }
                _ => self.requeue(i),
            }
        }
        orphans.len() as u32
    }

    /// What a guild, a person (or both: a person in a guild) or all have spent in a day or month.
    pub fn used(&self, (guild, user): (Option<u64>, Option<u64>), period: Period, now: Timestamp) -> i64 {
        let is_then = |job: &ModelJob| number(period, now) == if period == Period::Day { job.day } else { job.month };
        let is_counted = |new: &NewJob| guild.is_none_or(|guild| new.guild.0 == guild) && user.is_none_or(|user| new.user.0 == user);
        self.jobs.iter().filter(|job| is_counted(&job.new) && is_then(job)).map(|job| job.charged).sum()
    }

    pub fn n_active(&self, user: u64) -> u32 {
        self.jobs.iter().filter(|job| job.new.user.0 == user && !job.status.is_final()).count() as u32
    }

    pub fn n_queued(&self, guild: Option<u64>) -> u32 {
        self.waiting().filter(|i| guild.is_none_or(|guild| self.jobs[*i].new.guild.0 == guild)).count() as u32
    }

    fn waiting(&self) -> impl Iterator<Item = usize> {
        (0..self.jobs.len()).filter(|i| self.jobs[*i].status == JobStatus::Queued)
    }

    fn turn(&self, i: usize) -> Turn {
        let ModelJob { new, cost, .. } = &self.jobs[i];
        Turn { guild: new.guild, tier: new.tier, weight: new.tier.weight(), user: new.user, seq: i as i64, row_pixels: *cost }
    }
}
