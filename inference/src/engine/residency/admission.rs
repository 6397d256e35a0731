//! Which task may run next.

use std::{collections::HashSet, fmt::Debug, hash::Hash};

use super::{Residency, Stage, State, Step, Task};

/// A task is passed at most so often by others that came later and may keep it out.
pub(super) const MAX_PASSED: u32 = 4;

impl<P: Clone + Debug + Eq + Hash + Ord> Residency<P> {
    /// Tasks that have their room.
    pub(super) fn admitted(&self) -> impl Iterator<Item = &Task<P>> + Clone {
        self.tasks.iter().filter(|task| matches!(task.stage, Stage::Loads | Stage::Runs))
    }

    /// Whether the admitted tasks' parts do not fit the budget together, and so come and go.
    pub(super) fn is_tight(&self) -> bool {
        self.bytes_of(self.admitted()) > self.budget
    }

    pub(super) fn admit(&mut self) -> Option<Step<P>> {
        while let Some(at) = (0..self.tasks.len()).find(|&at| self.may_run(at)) {
            self.clock += 1;
            self.pass(at);
            if self.is_demand_without_room() {
                self.n_passed_demand += 1;
            }
            let task = &mut self.tasks[at];
            (task.stage, task.admitted) = (Stage::Loads, self.clock);
            if task.parts.iter().any(|part| self.parts[part].state != State::Resident) {
                return Some(Step::Loading(task.id));
            }
        }
        None
    }

    /// Whether a waiting task may run now.
    fn may_run(&self, at: usize) -> bool {
        let task = &self.tasks[at];
        if !matches!(task.stage, Stage::Waits { .. }) || !self.fit(self.admitted().chain([task])) {
            return false;
        }
        if self.n_passed_demand >= MAX_PASSED && self.is_demand_without_room() {
            return false;
        }
        // The first that was passed too often gets its room when those have ended that were on their way then: others must leave it that.
        let first = self.tasks[..at].iter().find_map(|before| match before.stage {
            Stage::Waits { aged: Some(aged), .. } => Some((before, aged)),
            _ => None,
        });
        first.is_none_or(|(first, aged)| {
            let since = self.admitted().filter(|task| task.admitted > aged);
            self.fit(since.chain([first, task]))
        })
    }

    /// Counts the task among those that passed the waiting ones before it.
    fn pass(&mut self, at: usize) {
        let (before, rest) = self.tasks.split_at_mut(at);
        let parts = &rest[0].parts;
        for task in before {
            if let Stage::Waits { n_passed, aged } = &mut task.stage
                && parts.iter().any(|part| !task.parts.contains(part))
            {
                *n_passed += 1;
                if *n_passed >= MAX_PASSED && aged.is_none() {
                    *aged = Some(self.clock);
                }
            }
        }
    }

    fn is_demand_without_room(&self) -> bool {
        self.is_tight() && self.demands.iter().flatten().any(|part| self.parts.get(part).is_some_and(|part| part.state == State::Opened))
    }

    /// Whether tasks can run at the same time: their parts fit together, or are all of one of them, which needs them by turns.
    fn fit<'a>(&self, tasks: impl Iterator<Item = &'a Task<P>> + Clone) -> bool
    where
        P: 'a,
    {
        if self.bytes_of(tasks.clone()) <= self.budget {
            return true;
        }
        let n_parts = tasks.clone().flat_map(|task| &task.parts).collect::<HashSet<_>>().len();
        let fixed: HashSet<&P> = tasks.clone().flat_map(|task| &task.fixed).collect();
        tasks.clone().any(|task| task.parts.len() == n_parts && fixed.iter().all(|part| task.fixed.contains(part)))
    }

    fn bytes_of<'a>(&self, tasks: impl Iterator<Item = &'a Task<P>>) -> u64
    where
        P: 'a,
    {
        let parts: HashSet<&P> = tasks.flat_map(|task| &task.parts).collect();
        parts.into_iter().map(|part| self.parts[part].n_bytes).fold(0, u64::saturating_add)
    }
}
