//! Weights as layers hold them: packed for the processor's fast versions, or plain.

use candle_core::{Device, Result, Tensor};

use super::cpu::{
    self,
    gemm::{COLUMNS, Panels, ROWS},
    let_floats,
};

/// What a layer does with its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// A product with rows.
    Linear,
    /// A convolution.
    Conv2d,
    /// Anything else: a normalisation's factors, a table of embeddings.
    Plain,
}

/// A layer's weight.
pub struct Weight(Form);

enum Form {
    Plain(Tensor),
    Packed { panels: Panels, shape: Vec<usize> },
}

impl Weight {
    /// `[out, in]` of a linear layer, `[out, in, k, k]` of a convolution, or anything.
    pub fn new(values: Tensor, kind: LayerKind) -> Result<Self> {
        let width = match kind {
            LayerKind::Linear => COLUMNS,
            LayerKind::Conv2d => ROWS,
            LayerKind::Plain => return Ok(Self(Form::Plain(values))),
        };
        if !cpu::takes(&values) {
            return Ok(Self(Form::Plain(values)));
        }
        let shape = values.dims().to_vec();
        let rows = shape.first().copied().unwrap_or(1);
        let depth = values.elem_count() / rows.max(1);
        let_floats!(values = values);
        Ok(Self(Form::Packed { panels: Panels::pack(values, rows, depth, width), shape }))
    }

    /// The panels of a packed weight.
    pub(super) fn panels(&self) -> Option<&Panels> {
        match &self.0 {
            Form::Packed { panels, .. } => Some(panels),
            Form::Plain(_) => None,
        }
    }

    /// The weight as it came in.
    pub fn tensor(&self) -> Result<Tensor> {
        match &self.0 {
            Form::Plain(values) => Ok(values.clone()),
            Form::Packed { panels, shape } => Tensor::from_vec(panels.unpack(), shape.as_slice(), &Device::Cpu),
        }
    }

    /// The memory that it takes.
    pub fn n_bytes(&self) -> usize {
        match &self.0 {
            Form::Plain(values) => values.elem_count() * values.dtype().size_in_bytes(),
            Form::Packed { panels, .. } => panels.n_bytes(),
        }
    }
}
