//! The gate of feed-forward parts in today's transformers.

use candle_core::{Device, Result, Tensor};

use super::cpu::{self, let_floats, math};

/// `silu(gate) · hidden` of two tensors of one shape (Shazeer 2020).
pub fn swiglu(gate: &Tensor, hidden: &Tensor) -> Result<Tensor> {
    if gate.dims() != hidden.dims() {
        candle_core::bail!("a gate of {:?} for {:?}", gate.shape(), hidden.shape());
    }
    if !(cpu::takes(gate) && cpu::takes(hidden)) {
        return plain_swiglu(gate, hidden);
    }
    let_floats!(gates = gate);
    let_floats!(values = hidden);
    Tensor::from_vec(math::swiglu(gates, values), gate.shape(), &Device::Cpu)
}

pub(super) fn plain_swiglu(gate: &Tensor, hidden: &Tensor) -> Result<Tensor> {
    gate.silu()? * hidden
}
