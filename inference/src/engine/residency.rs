//! Which parts of models are in memory: the accounts of one device, without the parts themselves.
//!
//! A task names all parts that it needs. It is *admitted* when they fit the budget together with those of the tasks on their way, in the order of
//! arrival; one that does not fit yet is passed by those that do. A task that was passed too often is passed only by those that will not keep it
//! out. Where one task's parts exceed the budget by themselves they come and go while it runs: its calls *demand* those that they need at once.
//!
//! A part can be made of others, which are in memory before it is and as long as it is. What had to leave for the parts of a task that then could not be
//! loaded comes back, as far as nobody else has its room.

mod admission;
mod returns;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt::Debug, hash::Hash};

use self::returns::{Absence, Usefulness};

pub(super) type TaskId = u64;

/// What is to be done next, by whoever has the parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<P> {
    /// The task has its room, and a part that it needs is not in memory yet.
    Loading(TaskId),
    /// The task can run.
    Start(TaskId),
    /// Look whether the part can be loaded, which takes no room; then [`Residency::opened`] or [`Residency::failed`].
    Open(P),
    /// Load the part; then [`Residency::loaded`] or [`Residency::failed`].
    Read(P),
    /// Let go of the part: nobody needs it now.
    Drop(P),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Opening,
    Opened,
    Reading,
    Resident,
}

#[derive(Debug)]
struct Part<P> {
    n_bytes: u64,
    state: State,
    last_use: u64,
    /// What it is made of.
    of: Vec<P>,
    absence: Absence<P>,
    usefulness: Usefulness,
}

impl<P> Part<P> {
    fn new(n_bytes: u64) -> Self {
        Self { n_bytes, state: State::Absent, last_use: 0, of: Vec::new(), absence: Absence::Any, usefulness: Usefulness::Used }
    }

    fn used(&self) -> u64 {
        if matches!(self.state, State::Reading | State::Resident) { self.n_bytes } else { 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For room.
    Waits {
        /// Tasks that were admitted before it though they came later, and need a part that it does not.
        n_passed: u32,
        /// When it was passed too often.
        aged: Option<u64>,
    },
    /// Admitted, some parts are not in memory yet.
    Loads,
    Runs,
}

#[derive(Debug)]
struct Task<P> {
    id: TaskId,
    parts: Vec<P>,
    /// Those of them that are in memory as long as the task runs.
    fixed: Vec<P>,
    stage: Stage,
    /// When it was admitted.
    admitted: u64,
}

/// The accounts of one device.
#[derive(Debug)]
pub(super) struct Residency<P> {
    budget: u64,
    parts: HashMap<P, Part<P>>,
    /// In the order of arrival.
    tasks: Vec<Task<P>>,
    /// Parts that calls of running tasks need at once, the oldest call first.
    demands: Vec<Vec<P>>,
    /// Tasks that were admitted while the oldest demand had no room.
    n_passed_demand: u32,
    /// Counts uses and admissions.
    clock: u64,
    /// Whether something has changed since there was nothing to do.
    is_changed: bool,
}

impl<P: Clone + Debug + Eq + Hash + Ord> Residency<P> {
    pub(super) fn new(budget: u64) -> Self {
        Self { budget, parts: HashMap::new(), tasks: Vec::new(), demands: Vec::new(), n_passed_demand: 0, clock: 0, is_changed: true }
    }

    /// A task that needs these parts, of so many bytes each; `fixed` ones in all of its phases.
    pub(super) fn arrived(&mut self, id: TaskId, parts: impl IntoIterator<Item = (P, u64)>, fixed: &[P]) {
        let mut needed = Vec::new();
        for (part, n_bytes) in parts {
            self.parts.entry(part.clone()).or_insert_with(|| Part::new(n_bytes));
            if !needed.contains(&part) {
                needed.push(part);
            }
        }
        self.tasks.push(Task { id, parts: needed, fixed: fixed.to_vec(), stage: Stage::Waits { n_passed: 0, aged: None }, admitted: 0 });
        self.is_changed = true;
    }

    /// A part that has arrived is made of these, which every task that needs it needs too.
    pub(super) fn is_made_of(&mut self, part: &P, of: &[P]) {
        if let Some(part) = self.parts.get_mut(part) {
            part.of = of.to_vec();
        }
    }

    /// The task has ended, or is not wanted any more.
    pub(super) fn ended(&mut self, id: TaskId) {
        if let Some(at) = self.tasks.iter().position(|task| task.id == id) {
            let task = self.tasks.remove(at);
            if task.stage == Stage::Runs {
                self.used(&task.parts);
            } else {
                // What was loaded for it alone stays there for the next one.
                let is_needed = |part: &P| self.tasks.iter().any(|task| task.parts.contains(part));
                let over: Vec<P> = task.parts.into_iter().filter(|part| !is_needed(part)).collect();
                self.settle_absences(&over);
            }
            self.is_changed = true;
        }
    }

    /// What the calls that wait need at once, the oldest call first; parts that none needs may leave where there is too little room.
    pub(super) fn demanded(&mut self, demands: Vec<Vec<P>>) {
        if self.demands != demands {
            self.demands = demands;
            self.is_changed = true;
        }
    }

    /// These parts were used just now.
    fn used(&mut self, parts: &[P]) {
        self.clock += 1;
        for part in parts {
            if let Some(part) = self.parts.get_mut(part) {
                part.last_use = self.clock;
            }
        }
    }

    /// The part can be loaded.
    pub(super) fn opened(&mut self, part: &P) {
        self.turn_to(part, State::Opened);
    }

    /// The part is in memory.
    pub(super) fn loaded(&mut self, part: &P) {
        self.turn_to(part, State::Resident);
        self.used(std::slice::from_ref(part));
        if self.is_back(part) || self.tasks.iter().any(|task| task.stage == Stage::Runs && task.parts.contains(part)) {
            self.settle_absences(std::slice::from_ref(part));
        }
    }

    fn turn_to(&mut self, part: &P, state: State) {
        if let Some(part) = self.parts.get_mut(part) {
            part.state = state;
        }
        self.is_changed = true;
    }

    /// The part cannot be loaded: the tasks that waited for it are over. Calls that demand it are their owner's to fail.
    pub(super) fn failed(&mut self, part: &P) -> Vec<TaskId> {
        self.turn_to(part, State::Absent);
        self.is_back(part);
        let waited = |task: &Task<P>| task.stage == Stage::Loads && task.parts.contains(part);
        let (failed, left): (Vec<Task<P>>, Vec<Task<P>>) = std::mem::take(&mut self.tasks).into_iter().partition(waited);
        self.tasks = left;
        let needed: Vec<&P> = failed.iter().flat_map(|task| &task.parts).chain([part]).collect();
        let over: Vec<P> = needed.into_iter().filter(|id| !self.tasks.iter().any(|task| task.parts.contains(id))).cloned().collect();
        self.were_in_vain(&over);
        self.demands.retain(|demand| !demand.contains(part));
        failed.into_iter().map(|task| task.id).collect()
    }

    pub(super) fn is_resident(&self, part: &P) -> bool {
        self.parts.get(part).is_some_and(|part| part.state == State::Resident)
    }

    /// Parts in memory.
    pub(super) fn residents(&self) -> impl Iterator<Item = &P> {
        self.parts.iter().filter(|(_, part)| part.state == State::Resident).map(|(id, _)| id)
    }

    /// Whether calls may wait for parts, so that [`demanded`](Self::demanded) is to be told of them.
    pub(super) fn takes_demands(&self) -> bool {
        self.is_tight() || !self.demands.is_empty()
    }

    /// Whether a task needs the part, or it is in memory or on its way there.
    pub(super) fn knows(&self, part: &P) -> bool {
        self.parts.contains_key(part)
    }

    /// Bytes of the parts that are in memory or on their way there.
    pub(super) fn n_bytes(&self) -> u64 {
        self.parts.values().map(Part::used).sum()
    }

    /// The next thing to do; `None` until something happens.
    pub(super) fn next(&mut self) -> Option<Step<P>> {
        if !self.is_changed {
            return None;
        }
        let step = self.admit().or_else(|| self.start()).or_else(|| self.let_go()).or_else(|| self.load());
        self.is_changed = step.is_some();
        if step.is_none() {
            let needed = |id: &P| self.tasks.iter().any(|task| task.parts.contains(id));
            self.parts.retain(|id, part| part.state != State::Absent || part.absence != Absence::Any || needed(id));
        }
        step
    }

    fn start(&mut self) -> Option<Step<P>> {
        let is_tight = self.is_tight();
        let parts = &self.parts;
        let has = |needed: &[P]| needed.iter().all(|part| parts[part].state == State::Resident);
        let can_start = |task: &Task<P>| has(if is_tight { &task.fixed } else { &task.parts });
        let next = self.tasks.iter_mut().find(|task| task.stage == Stage::Loads && can_start(task))?;
        next.stage = Stage::Runs;
        let (id, parts) = (next.id, next.parts.clone());
        self.settle_absences(&parts);
        Some(Step::Start(id))
    }

    /// What was opened for somebody who has left.
    fn let_go(&mut self) -> Option<Step<P>> {
        let wanted = self.wanted();
        let left = self.parts.iter().filter(|(id, part)| part.state == State::Opened && !wanted.contains(id));
        let id = left.map(|(id, _)| id).min()?.clone();
        self.turn_to(&id, State::Absent);
        Some(Step::Drop(id))
    }

    fn load(&mut self) -> Option<Step<P>> {
        let wanted = self.wanted();
        if let Some(absent) = wanted.iter().find(|id| self.parts[*id].state == State::Absent) {
            self.turn_to(absent, State::Opening);
            return Some(Step::Open(absent.clone()));
        }
        // In the order of the wants: a later one must not take the room of an earlier one.
        let next = wanted.into_iter().find(|id| matches!(self.parts[id].state, State::Opening | State::Opened))?;
        let part = &self.parts[&next];
        let (n_bytes, comes_back) = (part.n_bytes, part.absence == Absence::InVain);
        if part.state == State::Opening || !part.of.iter().all(|part| self.is_resident(part)) {
            return None;
        }
        let (used, leaving) = (self.n_bytes(), self.may_leave(&next));
        let has_room = |used: u64| used == 0 || used.saturating_add(n_bytes) <= self.budget;
        if has_room(used) {
            self.n_passed_demand = 0;
            self.turn_to(&next, State::Reading);
            if let Some(part) = self.parts.get_mut(&next) {
                part.usefulness = Usefulness::Open;
            }
            return Some(Step::Read(next));
        }
        let may_leave: u64 = leaving.iter().map(|id| self.parts[id].n_bytes).sum();
        if !has_room(used - may_leave) {
            let is_vain = |part: &Part<P>| part.usefulness == Usefulness::Vain && part.state == State::Reading;
            if !comes_back || self.is_wanted(&next) || self.parts.values().any(is_vain) {
                return None;
            }
            // Its room is another's now.
            self.is_back(&next);
            self.turn_to(&next, State::Absent);
            return Some(Step::Drop(next));
        }
        let oldest = leaving.iter().min_by_key(|id| (self.parts[*id].last_use, (*id).clone()))?.clone();
        // What is made of it leaves before it does.
        let oldest = self.made_of(&oldest).min().cloned().unwrap_or(oldest);
        if let Some(part) = self.parts.get_mut(&oldest) {
            part.absence = if part.usefulness == Usefulness::Vain { Absence::Any } else { Absence::For(next) };
        }
        self.turn_to(&oldest, State::Absent);
        Some(Step::Drop(oldest))
    }

    /// Parts in memory, or on their way there, that are made of one.
    fn made_of<'a>(&'a self, of: &'a P) -> impl Iterator<Item = &'a P> {
        self.parts.iter().filter(move |(_, part)| part.used() > 0 && part.of.contains(of)).map(|(id, _)| id)
    }

    /// Parts in memory that nobody needs now but what can leave as well. For one that comes back for nobody only those leave that it left for.
    fn may_leave(&self, next: &P) -> Vec<P> {
        let (pinned, is_wanted) = (self.pinned(next), self.is_wanted(next));
        let is_idle = |id: &P| self.is_resident(id) && !pinned.contains(id) && (is_wanted || self.parts[id].usefulness == Usefulness::Vain);
        let is_leaving = |id: &&P| is_idle(id) && self.made_of(id).all(is_idle);
        self.parts.keys().filter(is_leaving).cloned().collect()
    }

    /// Whether a task or a call waits for the part.
    fn is_wanted(&self, part: &P) -> bool {
        self.wants().any(|wanted| wanted == part)
    }

    fn wants(&self) -> impl Iterator<Item = &P> {
        let is_tight = self.is_tight();
        let loading = self.tasks.iter().filter(|task| task.stage == Stage::Loads);
        let loading = loading.flat_map(move |task| if is_tight { &task.fixed } else { &task.parts });
        loading.chain(self.demands.iter().flatten())
    }

    /// Parts that are to be in memory, in the order in which they are loaded.
    fn wanted(&self) -> Vec<P> {
        let mut back: Vec<&P> = self.parts.iter().filter(|(_, part)| part.absence == Absence::InVain).map(|(id, _)| id).collect();
        back.sort();
        let mut wanted: Vec<P> = Vec::new();
        for part in self.wants().chain(back) {
            let Some(Part { of, .. }) = self.parts.get(part) else { continue };
            for part in of.iter().chain([part]) {
                if !self.is_resident(part) && !wanted.contains(part) && self.parts.contains_key(part) {
                    wanted.push(part.clone());
                }
            }
        }
        wanted
    }

    /// Parts that must not leave for `next`.
    fn pinned(&self, next: &P) -> Vec<P> {
        if !self.is_tight() {
            return self.admitted().flat_map(|task| task.parts.clone()).collect();
        }
        // Calls that have all that they need will soon be answered; the others keep what they have, up to the one that `next` is for.
        let is_whole = |demand: &&Vec<P>| demand.iter().all(|part| self.is_resident(part));
        let place = self.demands.iter().position(|demand| demand.contains(next)).map_or(0, |place| place + 1);
        let later = self.demands[place..].iter().filter(is_whole);
        let fixed = self.admitted().map(|task| &task.fixed);
        self.demands[..place].iter().chain(later).chain(fixed).flatten().cloned().collect()
    }
}
