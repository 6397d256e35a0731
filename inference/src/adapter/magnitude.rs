//! DoRA: the changed weight's rows (or columns) get lengths of their own (Liu et al. 2024, equation 5).

use candle_core::{D, Tensor};

/// How far a weight is changed: `weight` (the adapter's) is 1.0 for the change as it was trained.
pub(super) struct Change<'a> {
    /// The weight before any adapter.
    pub(super) base: &'a Tensor,
    /// The weight after the adapters before this one.
    pub(super) current: &'a Tensor,
    /// The difference, already times alpha / rank.
    pub(super) delta: &'a Tensor,
    /// The adapter's weight.
    pub(super) weight: f64,
}

impl Change<'_> {
    /// As PEFT 0.21 merges: the weight scales the difference, and the lengths are measured on the untouched weight (`DoraLinearVariant`).
    pub(super) fn peft(&self, lengths: &Tensor) -> candle_core::Result<Tensor> {
        let delta = (self.delta * self.weight)?;
        let factor = factor(&(self.base + &delta)?, lengths, Axis::Rows, 0.0)?;
        (self.current + delta)?.broadcast_mul(&factor)
    }

    /// LyCORIS 4.1.3 at weight 1.0 (`weight_decompose`); at others on the straight line to it, as in ComfyUI (`comfy/weight_adapter/base.py`).
    pub(super) fn lycoris(&self, lengths: &Tensor, axis: Axis) -> candle_core::Result<Tensor> {
        let changed = (self.current + self.delta)?;
        let changed = changed.broadcast_mul(&factor(&changed, lengths, axis, f64::from(f32::EPSILON))?)?;
        self.current + ((changed - self.current)? * self.weight)?
    }
}

/// Along what a weight's lengths are measured.
#[derive(Clone, Copy)]
pub(super) enum Axis {
    /// One length for each output.
    Rows,
    /// One for each input.
    Columns,
}

/// What to multiply a weight by so that it gets these lengths; of the weight's rank, with ones.
fn factor(weight: &Tensor, lengths: &Tensor, axis: Axis, epsilon: f64) -> candle_core::Result<Tensor> {
    let (outputs, rest) = (weight.dim(0)?, weight.elem_count() / weight.dim(0)?.max(1));
    let mut shape = vec![1; weight.rank()];
    let norm = match axis {
        Axis::Rows => {
            shape[0] = outputs;
            weight.reshape((outputs, rest))?.sqr()?.sum(D::Minus1)?.sqrt()?
        }
        Axis::Columns => {
            let inputs = weight.dim(1)?;
            shape[1] = inputs;
            weight.reshape((outputs, inputs, rest / inputs.max(1)))?.sqr()?.sum((0, 2))?.sqrt()?
        }
    };
    // A row of zeros stays one.
    let norm = (norm + epsilon)?.maximum(f32::MIN_POSITIVE)?;
    (lengths / norm)?.reshape(shape)
}
