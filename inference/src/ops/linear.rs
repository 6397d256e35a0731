//! Linear layers.

use candle_core::{D, Device, Result, Tensor};

use super::cpu::{
    self,
    gemm::{COLUMNS, Panels},
    let_floats, optional_floats,
};

/// `input · weightᵀ + bias`.
pub struct Linear {
    kernel: Kernel,
    out_width: usize,
}

enum Kernel {
    Plain { weight: Tensor, bias: Option<Tensor> },
    Packed { weights: Panels, bias: Option<Vec<f32>> },
}

impl Linear {
    /// A layer from `weight` `[out, in]` and `bias` `[out]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        let (out_width, width) = weight.dims2()?;
        let kernel = if cpu::takes(&weight) {
            let_floats!(values = weight);
            Kernel::Packed { weights: Panels::pack(values, out_width, width, COLUMNS), bias: optional_floats(bias.as_ref())? }
        } else {
            Kernel::Plain { weight, bias }
        };
        Ok(Self { kernel, out_width })
    }

    /// Numbers that come out for each row.
    pub fn out_width(&self) -> usize {
        self.out_width
    }

    /// `[.., out]` of `[.., in]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, None)
    }

    /// The same plus `residual`, `[.., out]`.
    pub fn forward_add(&self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(input, Some(residual))
    }

    fn run(&self, input: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let width = input.dim(D::Minus1)?;
        let mut shape = input.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.out_width;
        }
        match &self.kernel {
            Kernel::Plain { weight, bias } => {
                let out = plain(&input.reshape(((), width))?, weight, bias.as_ref())?.reshape(shape)?;
                residual.map_or(Ok(out.clone()), |residual| out + residual)
            }
            Kernel::Packed { weights, bias } => {
                if width != weights.depth {
                    candle_core::bail!("a linear layer of width {} got {:?}", weights.depth, input.shape());
                }
                let_floats!(rows = input);
                let out = match residual {
                    None => cpu::linear::linear(rows, weights, bias.as_deref(), None),
                    Some(residual) if residual.dims() == shape => {
                        let_floats!(residual = residual);
                        cpu::linear::linear(rows, weights, bias.as_deref(), Some(residual))
                    }
                    Some(residual) => candle_core::bail!("cannot add {:?} to {shape:?}", residual.shape()),
                };
                Tensor::from_vec(out, shape, &Device::Cpu)
            }
        }
    }
}

pub(super) fn plain(rows: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let out = rows.matmul(&weight.t()?)?;
    bias.map_or(Ok(out.clone()), |bias| out.broadcast_add(bias))
}
