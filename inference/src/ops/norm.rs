//! Group and layer normalisation.

use candle_core::{D, DType, Device, Result, Tensor};

use super::{
    change::{Batch, InBatch, LayerName, in_stretches, narrow},
    cpu::{self, let_floats, norm::Affine},
};

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
    name: Option<LayerName>,
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl Learned {
    /// Runs `compute` with the factors and summands of each stretch of rows.
    fn run(&self, input: &Tensor, batch: Batch<'_>, compute: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let Some(rows) = batch.of(self.name.as_ref(), input)? else { return compute(input, &self.weight, &self.bias) };
        in_stretches(&rows, |range, change| {
            let weight = change.and_then(|change| change.weight.as_ref()).map(|weight| weight.tensor()).transpose()?;
            let bias = change.and_then(|change| change.bias.as_ref()).unwrap_or(&self.bias);
            compute(&narrow(input, &range)?, weight.as_ref().unwrap_or(&self.weight), bias)
        })
    }
}

impl GroupNorm {
    /// A normalisation from `weight` and `bias` `[channels]`.
    pub fn new(weight: Tensor, bias: Tensor, n_groups: usize, eps: f64) -> Result<Self> {
        Ok(Self { n_groups, learned: Learned { name: None, weight, bias, eps } })
    }

    /// The same normalisation under the name by which [`Batch`] may change it.
    pub fn named(self, name: LayerName) -> Self {
        Self { learned: Learned { name: Some(name), ..self.learned }, ..self }
    }

    /// The normalisation with what changes it for each row of a batch.
    pub fn of<'a>(&'a self, batch: Batch<'a>) -> InBatch<'a, Self> {
        InBatch { layer: self, batch }
    }

    /// Normalises `[n, channels, ..]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, false, Batch::default())
    }

    /// Normalises, then SiLU.
    pub fn forward_silu(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, true, Batch::default())
    }

    fn run(&self, input: &Tensor, with_silu: bool, batch: Batch<'_>) -> Result<Tensor> {
        let (n_groups, eps) = (self.n_groups, self.learned.eps);
        self.learned.run(input, batch, |input, weight, bias| {
            if !is_fast(input, weight, bias) {
                let out = plain_group_norm(input, weight, bias, n_groups, eps)?;
                return if with_silu { out.silu() } else { Ok(out) };
            }
            if input.dim(1)? != weight.elem_count() {
                candle_core::bail!("a normalisation of {} channels got {:?}", weight.elem_count(), input.shape());
            }
            let plane = input.dims()[2..].iter().product();
            let_floats!(values = input);
            let_floats!(weight = weight);
            let_floats!(bias = bias);
            let out = cpu::norm::group_norm(values, n_groups, plane, Affine { weight, bias, eps }, with_silu);
            Tensor::from_vec(out, input.shape(), &Device::Cpu)
        })
    }
}

impl LayerNorm {
    /// A normalisation from `weight` and `bias` `[width]`.
    pub fn new(weight: Tensor, bias: Tensor, eps: f64) -> Result<Self> {
        Ok(Self { learned: Learned { name: None, weight, bias, eps } })
    }

    /// The same normalisation under the name by which [`Batch`] may change it.
    pub fn named(self, name: LayerName) -> Self {
        Self { learned: Learned { name: Some(name), ..self.learned } }
    }

    /// The normalisation with what changes it for each row of a batch.
    pub fn of<'a>(&'a self, batch: Batch<'a>) -> InBatch<'a, Self> {
        InBatch { layer: self, batch }
    }

    /// Normalises `[.., width]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, Batch::default())
    }

    fn run(&self, input: &Tensor, batch: Batch<'_>) -> Result<Tensor> {
        let eps = self.learned.eps;
        self.learned.run(input, batch, |input, weight, bias| {
            if !is_fast(input, weight, bias) {
                return plain_layer_norm(input, weight, bias, eps);
            }
            if input.dim(D::Minus1)? != weight.elem_count() {
                candle_core::bail!("a normalisation of width {} got {:?}", weight.elem_count(), input.shape());
            }
            let_floats!(values = input);
            let_floats!(weight = weight);
            let_floats!(bias = bias);
            Tensor::from_vec(cpu::norm::layer_norm(values, Affine { weight, bias, eps }), input.shape(), &Device::Cpu)
        })
    }
}

impl InBatch<'_, GroupNorm> {
    /// As [`GroupNorm::forward`].
    pub fn forward(self, input: &Tensor) -> Result<Tensor> {
        self.layer.run(input, false, self.batch)
    }

    /// As [`GroupNorm::forward_silu`].
    pub fn forward_silu(self, input: &Tensor) -> Result<Tensor> {
        self.layer.run(input, true, self.batch)
    }
}

impl InBatch<'_, LayerNorm> {
    /// As [`LayerNorm::forward`].
    pub fn forward(self, input: &Tensor) -> Result<Tensor> {
        self.layer.run(input, self.batch)
    }
}

fn is_fast(input: &Tensor, weight: &Tensor, bias: &Tensor) -> bool {
    [input, weight, bias].into_iter().all(cpu::takes)
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
