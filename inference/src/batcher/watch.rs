//! Not-a-number, found once for each batch.

use std::{cell::Cell, rc::Rc};

use candle_core::Tensor;

use crate::{error::InferenceError, host};

/// Whether a picture's numbers are numbers. What a network gave is looked at once for all rows of a batch, and only before the next batch, so that the
/// device never waits for it; a picture that broke learns of it by its next call.
#[derive(Default)]
pub(crate) struct Watch {
    /// The step that is being made, counted from 1.
    step: Cell<u32>,
    broken_at: Cell<Option<u32>>,
}

impl Watch {
    /// The rows that follow are for this step.
    pub(super) fn begin(&self, step: u32) {
        self.step.set(step);
    }

    /// The step whose numbers were the first that are none.
    pub(super) fn broken_at(&self) -> Option<u32> {
        self.broken_at.get()
    }
}

/// A sum over each row of a batch, and whose rows at which steps they are.
pub(super) struct Unseen {
    sums: Tensor,
    rows: Vec<(Rc<Watch>, u32)>,
}

impl Unseen {
    pub(super) fn of(sums: Tensor, rows: impl Iterator<Item = Rc<Watch>>) -> Self {
        Self { sums, rows: rows.map(|watch| (watch.clone(), watch.step.get())).collect() }
    }

    /// Reads the sums and tells the pictures.
    pub(super) fn look(self) -> Result<(), InferenceError> {
        for (sum, (watch, step)) in host::floats(&self.sums)?.into_iter().zip(self.rows) {
            if !sum.is_finite() && watch.broken_at.get().is_none() {
                watch.broken_at.set(Some(step));
            }
        }
        Ok(())
    }
}
