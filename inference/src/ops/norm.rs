//! Group and layer normalisation.

use candle_core::{D, DType, Device, Result, Tensor};

use super::cpu::{self, let_floats, norm::Affine, optional_floats};

/// Group normalisation (Wu and He 2018).
pub struct GroupNorm {
    n_groups: usize,
    learned: Learned,
}

/// Layer normalisation over the last axis.
pub struct LayerNorm {
    learned: Learned,
}

struct Learned {
    weight: Tensor,
    bias: Tensor,
    values: Option<(Vec<f32>, Vec<f32>)>,
    eps: f64,
}

impl Learned {
    fn new(weight: Tensor, bias: Tensor, eps: f64) -> Result<Self> {
        let values = if cpu::takes(&weight) { optional_floats(Some(&weight))?.zip(optional_floats(Some(&bias))?) } else { None };
        Ok(Self { weight, bias, values, eps })
    }

    fn affine(&self, input: &Tensor) -> Option<Affine<'_>> {
        let (weight, bias) = self.values.as_ref().filter(|_| cpu::takes(input))?;
        Some(Affine { weight, bias, eps: self.eps })
    }
}

impl GroupNorm {
    /// A normalisation from `weight` and `bias` `[channels]`.
    pub fn new(weight: Tensor, bias: Tensor, n_groups: usize, eps: f64) -> Result<Self> {
        Ok(Self { n_groups, learned: Learned::new(weight, bias, eps)? })
    }

    /// Normalises `[n, channels, ..]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, false)
    }

    /// Normalises, then SiLU.
    pub fn forward_silu(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, true)
    }

    fn run(&self, input: &Tensor, with_silu: bool) -> Result<Tensor> {
        let Some(affine) = self.learned.affine(input) else {
            let out = plain_group_norm(input, &self.learned.weight, &self.learned.bias, self.n_groups, self.learned.eps)?;
            return if with_silu { out.silu() } else { Ok(out) };
        };
        if input.dim(1)? != affine.weight.len() {
            candle_core::bail!("a normalisation of {} channels got {:?}", affine.weight.len(), input.shape());
        }
        let plane = input.dims()[2..].iter().product();
        let_floats!(values = input);
        Tensor::from_vec(cpu::norm::group_norm(values, self.n_groups, plane, affine, with_silu), input.shape(), &Device::Cpu)
    }
}

impl LayerNorm {
    /// A normalisation from `weight` and `bias` `[width]`.
    pub fn new(weight: Tensor, bias: Tensor, eps: f64) -> Result<Self> {
        Ok(Self { learned: Learned::new(weight, bias, eps)? })
    }

    /// Normalises `[.., width]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let Some(affine) = self.learned.affine(input) else {
            return plain_layer_norm(input, &self.learned.weight, &self.learned.bias, self.learned.eps);
        };
        if input.dim(D::Minus1)? != affine.weight.len() {
            candle_core::bail!("a normalisation of width {} got {:?}", affine.weight.len(), input.shape());
        }
        let_floats!(values = input);
        Tensor::from_vec(cpu::norm::layer_norm(values, affine), input.shape(), &Device::Cpu)
    }
}

fn standardise(rows: &Tensor, eps: f64) -> Result<Tensor> {
    let rows = rows.to_dtype(DType::F32)?;
    let centred = rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)
}

pub(super) fn plain_group_norm(input: &Tensor, weight: &Tensor, bias: &Tensor, n_groups: usize, eps: f64) -> Result<Tensor> {
    let mut shape = vec![1; input.rank()];
    shape[1] = input.dim(1)?;
    let rows = input.contiguous()?.reshape((input.dim(0)?, n_groups, ()))?;
    let out = standardise(&rows, eps)?.to_dtype(input.dtype())?.reshape(input.shape())?;
    out.broadcast_mul(&weight.reshape(shape.as_slice())?)?.broadcast_add(&bias.reshape(shape.as_slice())?)
}

pub(super) fn plain_layer_norm(input: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    standardise(input, eps)?.to_dtype(input.dtype())?.broadcast_mul(weight)?.broadcast_add(bias)
}
