//! Linear layers.

use candle_core::{D, Device, Result, Tensor};

use super::{
    branches::{self, PackedBranches},
    change::{Batch, Change, InBatch, LayerName, in_stretches, narrow},
    cpu::{self, gemm::COLUMNS, let_floats, let_optional_floats},
    weight::{LayerKind, Weight},
};

/// `input · weightᵀ + bias`.
pub struct Linear {
    name: Option<LayerName>,
    weight: Weight,
    bias: Option<Tensor>,
    out_width: usize,
}

impl Linear {
    /// A layer from `weight` `[out, in]` and `bias` `[out]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        let (out_width, _) = weight.dims2()?;
        Ok(Self { name: None, weight: Weight::new(weight, LayerKind::Linear)?, bias, out_width })
    }

    /// The same layer under the name by which [`Batch`] may change it.
    pub fn named(self, name: LayerName) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Numbers that come out for each row.
    pub fn out_width(&self) -> usize {
        self.out_width
    }

    /// The layer with what changes it for each row of a batch, which is the first axis of its input.
    pub fn of<'a>(&'a self, batch: Batch<'a>) -> InBatch<'a, Self> {
        InBatch { layer: self, batch }
    }

    /// `[.., out]` of `[.., in]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, None, Batch::default())
    }

    /// The same plus `residual`, `[.., out]`.
    pub fn forward_add(&self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(input, Some(residual), Batch::default())
    }

    fn run(&self, input: &Tensor, residual: Option<&Tensor>, batch: Batch<'_>) -> Result<Tensor> {
        let Some(rows) = batch.of(self.name.as_ref(), input)? else {
            return self.compute(input, residual, (&self.weight, self.bias.as_ref()), &[]);
        };
        in_stretches(&rows, |range, change| {
            let weight = change.and_then(|change| change.weight.as_deref()).unwrap_or(&self.weight);
            let bias = change.and_then(|change| change.bias.as_ref()).or(self.bias.as_ref());
            let residual = residual.map(|residual| narrow(residual, &range)).transpose()?;
            self.compute(&narrow(input, &range)?, residual.as_ref(), (weight, bias), &rows[range])
        })
    }

    fn compute(
        &self,
        input: &Tensor,
        residual: Option<&Tensor>,
        (weight, bias): (&Weight, Option<&Tensor>),
        rows: &[Option<&Change>],
    ) -> Result<Tensor> {
        let width = input.dim(D::Minus1)?;
        let mut shape = input.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.out_width;
        }
        let is_tracked = input.track_op() || residual.is_some_and(Tensor::track_op) || branches::are_tracked(rows);
        let Some(panels) = weight.panels().filter(|_| !is_tracked) else {
            let out = plain(input, &weight.tensor()?, bias)?;
            let product = |input: &Tensor, weight: &Tensor| plain(input, weight, None);
            let out = branches::add_plain(out, input, rows, product, product)?;
            return residual.map_or(Ok(out.clone()), |residual| out + residual);
        };
        if width != panels.depth {
            candle_core::bail!("a linear layer of width {} got {:?}", panels.depth, input.shape());
        }
        if residual.is_some_and(|residual| residual.dims() != shape) {
            candle_core::bail!("cannot add {:?} to {shape:?}", residual.map(Tensor::shape));
        }
        let packed = PackedBranches::new(rows, COLUMNS)?;
        let_floats!(values = input);
        let_optional_floats!(bias = bias);
        let_optional_floats!(residual = residual);
        let extra = cpu::linear::Extra { bias, residual, branches: &packed.rows() };
        Tensor::from_vec(cpu::linear::linear(values, panels, extra), shape, &Device::Cpu)
    }
}

impl InBatch<'_, Linear> {
    /// As [`Linear::forward`].
    pub fn forward(self, input: &Tensor) -> Result<Tensor> {
        self.layer.run(input, None, self.batch)
    }

    /// As [`Linear::forward_add`].
    pub fn forward_add(self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.layer.run(input, Some(residual), self.batch)
    }
}

pub(super) fn plain(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let mut shape = input.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = weight.dim(0)?;
    }
    let out = input.reshape(((), weight.dim(1)?))?.matmul(&weight.t()?)?.reshape(shape)?;
    bias.map_or(Ok(out.clone()), |bias| out.broadcast_add(bias))
}
