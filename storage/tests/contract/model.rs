//! The plainest store that can be right: lists in memory, and fair turns by their definition instead of tags.

use std::collections::{BTreeSet, HashMap};

use storage::{Cancelled, Failure, JobStatus, NewJob, RunningLimits, Timestamp, Written};

use super::support::{DAY_MS, LEASE};

#[derive(Clone, Debug)]
pub struct ModelJob {
    pub new: NewJob,
    pub status: JobStatus,
    pub day: i64,
    pub cost: i64,
    pub charged: i64,
    pub attempts: u32,
    /// Whether the newest lease's attempt was taken back.
    pub has_advanced: bool,
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
    /// Endings written; must be 1 for each job that ended.
    pub n_endings: u32,
    /// When the ending is due, and tries so far; `None` before the end and after the delivery.
    pub delivery: Option<(i64, u32)>,
}

/// Start tags of guilds and of users in guilds, with the virtual time above each.
#[derive(Clone, Debug, Default)]
struct Flows {
    virtual_time: i64,
    guilds: HashMap<u64, (i64, i64)>,
    users: HashMap<(u64, u64), i64>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub jobs: Vec<ModelJob>,
    flows: Flows,
}

pub fn cost(row_megapixels: f64) -> i64 {
    (row_megapixels * 1e6).round() as i64
}

impl Model {
    pub fn enqueue(&mut self, new: NewJob, now: Timestamp) -> usize {
        let (guild, user) = (new.guild.0, new.user.0);
        let users: Vec<u64> = self.waiting().map(|i| &self.jobs[i].new).filter(|new| new.guild.0 == guild).map(|new| new.user.0).collect();
        let virtual_time = self.flows.virtual_time;
        let flow = self.flows.guilds.entry(guild).or_insert((virtual_time, 0));
        if users.is_empty() {
            flow.0 = flow.0.max(virtual_time);
        }
        let guild_time = flow.1;
        let start = self.flows.users.entry((guild, user)).or_insert(guild_time);
        if !users.contains(&user) {
            *start = guild_time.max(*start);
        }
        let cost = cost(new.row_megapixels);
        self.jobs.push(ModelJob {
            status: JobStatus::Queued,
            day: now.0.div_euclid(DAY_MS),
            cost,
            charged: cost,
            attempts: 0,
            has_advanced: false,
            epoch: 0,
            lease_until: 0,
            is_cancel_requested: false,
            is_deleted: false,
            holds_press: new.press.is_some(),
            has_token: true,
            message: None,
            failure: None,
            images: BTreeSet::new(),
            n_endings: 0,
            delivery: None,
            new,
        });
        self.jobs.len() - 1
    }

    /// Waiting jobs in the order of their turns: serves a copy until nothing waits.
    pub fn queue(&self) -> Vec<usize> {
        let mut flows = self.flows.clone();
        let mut waiting: Vec<usize> = self.waiting().collect();
        let mut queue = Vec::new();
        while let Some(next) = self.next(&flows, &waiting) {
            waiting.retain(|i| *i != next);
            self.serve(&mut flows, next);
            queue.push(next);
        }
        queue
    }

    /// The first of the queue whose person and guild may run another one.
    pub fn claim(&mut self, limits: &RunningLimits, now: Timestamp) -> Option<usize> {
        let next = self.queue().into_iter().find(|i| self.may_run(*i, limits))?;
        let mut running = self.jobs.iter().filter(|job| job.status == JobStatus::Leased).peekable();
        if running.peek().is_some() && (self.jobs[next].attempts == 2 || running.any(|job| job.attempts == 3)) {
            return None;
        }
        let mut flows = std::mem::take(&mut self.flows);
        self.serve(&mut flows, next);
        self.flows = flows;
        let job = &mut self.jobs[next];
        job.status = JobStatus::Leased;
        job.epoch += 1;
        job.attempts += 1;
        job.has_advanced = false;
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
        let job = &mut self.jobs[i];
        job.status = status;
        job.charged = charged.unwrap_or(0);
        job.holds_press &= status == JobStatus::Done && job.new.press.as_ref().is_some_and(|press| press.keep);
        job.n_endings += 1;
        job.delivery = Some((now.0, 0));
        if let Some(charged) = charged {
            let by = charged.max(1) - job.cost.max(1);
            self.advance(i, by);
        }
    }

    /// The attempt of a job's lease is not counted.
    pub fn advance_work(&mut self, i: usize) {
        let job = &mut self.jobs[i];
        if !std::mem::replace(&mut job.has_advanced, true) {
            job.attempts -= 1;
        }
    }

    pub fn requeue(&mut self, i: usize) {
        self.jobs[i].status = JobStatus::Queued;
        self.advance(i, -self.jobs[i].cost.max(1));
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

    /// What a guild, a person (or both: a person in a guild) or all have spent on a day.
    pub fn used(&self, guild: Option<u64>, user: Option<u64>, now: Timestamp) -> i64 {
        let day = now.0.div_euclid(DAY_MS);
        let is_counted = |new: &NewJob| guild.is_none_or(|guild| new.guild.0 == guild) && user.is_none_or(|user| new.user.0 == user);
        self.jobs.iter().filter(|job| is_counted(&job.new) && job.day == day).map(|job| job.charged).sum()
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

    /// Of each guild the user whose turn it is, and of these the guild whose turn it is.
    fn next(&self, flows: &Flows, waiting: &[usize]) -> Option<usize> {
        let of = |i: usize| (self.jobs[i].new.guild.0, self.jobs[i].new.user.0);
        let mut heads: HashMap<u64, usize> = HashMap::new();
        for &i in waiting {
            let turn = |i: usize| (flows.users[&of(i)], i);
            let head = heads.entry(of(i).0).or_insert(i);
            if turn(i) < turn(*head) {
                *head = i;
            }
        }
        heads.into_values().min_by_key(|i| (flows.guilds[&of(*i).0].0, *i))
    }

    fn serve(&self, flows: &mut Flows, i: usize) {
        let (new, cost) = (&self.jobs[i].new, self.jobs[i].cost.max(1));
        let guild = flows.guilds.get_mut(&new.guild.0).expect("it arrived");
        let user = flows.users.get_mut(&(new.guild.0, new.user.0)).expect("it arrived");
        flows.virtual_time = flows.virtual_time.max(guild.0);
        guild.1 = guild.1.max(*user);
        guild.0 += cost;
        *user += cost;
    }

    fn advance(&mut self, i: usize, by: i64) {
        let new = &self.jobs[i].new;
        self.flows.guilds.get_mut(&new.guild.0).expect("it arrived").0 += by;
        *self.flows.users.get_mut(&(new.guild.0, new.user.0)).expect("it arrived") += by;
    }
}
