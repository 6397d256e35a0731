//! Root-mean-square normalisation.

use candle_core::{D, DType, Device, Result, Tensor};

use super::cpu::{self, let_floats};

/// Root-mean-square normalisation over the last axis (Zhang and Sennrich 2019).
pub struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    /// A normalisation from `weight` `[width]`.
    pub fn new(weight: Tensor, eps: f64) -> Result<Self> {
        Ok(Self { weight, eps })
    }

    /// Normalises `[.., k · width]`, each `width` numbers by themselves: with k heads side by side each head.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let (width, last) = (self.weight.elem_count(), input.dim(D::Minus1)?);
        if last % width != 0 {
            candle_core::bail!("a normalisation of width {width} got {:?}", input.shape());
        }
        if !cpu::takes(input) || !cpu::takes(&self.weight) {
            return plain_rms_norm(input, &self.weight, self.eps);
        }
        let_floats!(values = input);
        let_floats!(weight = self.weight);
        Tensor::from_vec(cpu::norm::rms_norm(values, weight, self.eps), input.shape(), &Device::Cpu)
    }
}

pub(super) fn plain_rms_norm(input: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let rows = input.contiguous()?.reshape(((), weight.elem_count()))?.to_dtype(DType::F32)?;
    let variance = rows.sqr()?.mean_keepdim(D::Minus1)?;
    let out = rows.broadcast_div(&(variance + eps)?.sqrt()?)?.to_dtype(input.dtype())?;
    out.broadcast_mul(weight)?.reshape(input.shape())
}
