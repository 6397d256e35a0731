//! What had to leave for others, and comes back where that was in vain.

use std::{fmt::Debug, hash::Hash};

use super::Residency;

/// What came of loading a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usefulness {
    /// A task began with it.
    Used,
    /// A task waits for others beside it.
    Open,
    /// The tasks that it was loaded for were over before they began, and others had left for them.
    Vain,
}

/// Why a part is not in memory that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Absence<P> {
    /// Nobody asks.
    Any,
    /// It had to leave for this one, which no task has used yet.
    For(P),
    /// It had to leave for one that no task will use, and comes back if there is room.
    InVain,
}

impl<P: Clone + Debug + Eq + Hash + Ord> Residency<P> {
    /// A part does not come back any more, or has; whether it was to.
    pub(super) fn is_back(&mut self, part: &P) -> bool {
        let absence = self.parts.get_mut(part).map(|part| std::mem::replace(&mut part.absence, Absence::Any));
        absence == Some(Absence::InVain)
    }

    /// Nobody left for these parts in vain.
    pub(super) fn settle_absences(&mut self, parts: &[P]) {
        for id in parts {
            self.left_for(id, &Absence::Any);
            if let Some(part) = self.parts.get_mut(id) {
                part.usefulness = Usefulness::Used;
            }
        }
    }

    /// It is known now what came of those that had to leave for a part; whether there were any.
    fn left_for(&mut self, id: &P, absence: &Absence<P>) -> bool {
        let mut n_left = 0;
        for part in self.parts.values_mut().filter(|part| part.absence == Absence::For(id.clone())) {
            // What is made of others is made again by whoever needs it.
            part.absence = if part.of.is_empty() { absence.clone() } else { Absence::Any };
            n_left += 1;
        }
        n_left > 0
    }

    /// Nobody begins with these parts: what left for them comes back, in the place of those of them that were loaded for nothing else.
    pub(super) fn were_in_vain(&mut self, parts: &[P]) {
        let n_left = parts.iter().filter(|id| self.left_for(id, &Absence::InVain)).count();
        for id in parts.iter().filter(|_| n_left > 0) {
            if let Some(part) = self.parts.get_mut(id).filter(|part| part.usefulness == Usefulness::Open) {
                part.usefulness = Usefulness::Vain;
            }
        }
    }
}
