//! Not-a-number, found once for each batch.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use candle_core::Tensor;

use super::Caller;
use crate::{error::InferenceError, host};

/// Whether a picture's numbers are numbers. What a network gave is looked at once for all rows of a batch, and only before the next batch, so that the
/// device never waits for it; a picture that broke learns of it by its next call.
#[derive(Default)]
pub(crate) struct Watch {
    /// The step that is being made, counted from 1.
    step: Cell<u32>,
    broken_at: Cell<Option<u32>>,
    /// One number a step that was begun, of the sums over what the network gave for it.
    digests: RefCell<Vec<u64>>,
}

impl Watch {
    /// The rows that follow are for this step.
    fn begin(&self, step: u32) {
        self.step.set(step);
        self.digests.borrow_mut().push(0);
    }

    /// What the network gave at each step so far, in one number each: steps with the same numbers have the same.
    fn digests(&self) -> Vec<u64> {
        self.digests.borrow().clone()
    }

    /// Notes a sum of the step with this place. The order in which a step's rows come does not matter: it depends on who else draws.
    fn note(&self, place: usize, sum: f32) {
        let mut digests = self.digests.borrow_mut();
        if let Some(digest) = place.checked_sub(1).and_then(|place| digests.get_mut(place)) {
            *digest = digest.wrapping_add(mix(u64::from(sum.to_bits()))).max(1);
        }
    }

    /// The step whose numbers were the first that are none.
    pub(super) fn broken_at(&self) -> Option<u32> {
        self.broken_at.get()
    }
}

impl Caller {
    /// Tells which step the rows that follow are for, counted from 1.
    pub(crate) fn begin_step(&self, step: u32) {
        self.watch.begin(step);
    }

    /// What the network gave at each step that was begun, in one number each; of those that the next batch comes after.
    pub(crate) fn digests(&self) -> Vec<u64> {
        self.watch.digests()
    }
}

/// A sum over each row of a batch, and whose rows at which steps they are.
pub(super) struct Unseen {
    sums: Tensor,
    rows: Vec<(Rc<Watch>, u32, usize)>,
}

/// Spreads a number over 64 bits (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Unseen {
    pub(super) fn of(sums: Tensor, rows: impl Iterator<Item = Rc<Watch>>) -> Self {
        Self { sums, rows: rows.map(|watch| (watch.clone(), watch.step.get(), watch.digests.borrow().len())).collect() }
    }

    /// Reads the sums and tells the pictures.
    pub(super) fn look(self) -> Result<(), InferenceError> {
        for (sum, (watch, step, place)) in host::floats(&self.sums)?.into_iter().zip(self.rows) {
            watch.note(place, sum);
            if !sum.is_finite() && watch.broken_at.get().is_none() {
                watch.broken_at.set(Some(step));
            }
        }
        Ok(())
    }
}
