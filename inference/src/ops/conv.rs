//! Two-dimensional convolution.

use candle_core::{Device, Result, Tensor};

use super::cpu::{
    self,
    conv::{Extra, Geometry},
    gemm::{Panels, ROWS},
    let_floats, optional_floats,
};

/// How a filter moves over a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Zeros before and after each side.
    pub padding: (usize, usize),
}

impl ConvOptions {
    /// Stride 1 and as many zeros as keep the size for an odd `kernel`; an even one takes a pixel away, as in diffusers.
    pub fn same(kernel: usize) -> Self {
        Self { stride: 1, padding: ((kernel - 1) / 2, (kernel - 1) / 2) }
    }
}

/// A convolution with a square filter.
pub struct Conv2d {
    kernel: Kernel,
    options: ConvOptions,
    channels: (usize, usize),
    side: usize,
}

enum Kernel {
    Plain { weight: Tensor, bias: Option<Tensor> },
    Packed { weights: Panels, bias: Option<Vec<f32>> },
}

impl Conv2d {
    /// A convolution from `weight` `[out, in, k, k]` and `bias` `[out]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>, options: ConvOptions) -> Result<Self> {
        let (out, channels, side, _) = weight.dims4()?;
        let kernel = if cpu::takes(&weight) {
            let_floats!(values = weight);
            Kernel::Packed { weights: Panels::pack(values, out, channels * side * side, ROWS), bias: optional_floats(bias.as_ref())? }
        } else {
            Kernel::Plain { weight, bias }
        };
        Ok(Self { kernel, options, channels: (channels, out), side })
    }

    /// `[n, out, h', w']` of `[n, in, h, w]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, None, None)
    }

    /// The same plus `residual`, `[n, out, h', w']`.
    pub fn forward_add(&self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(input, None, Some(residual))
    }

    /// The same plus a number for each row and channel, `[n, out]`.
    pub fn forward_shifted(&self, input: &Tensor, shift: &Tensor) -> Result<Tensor> {
        self.run(input, Some(shift), None)
    }

    fn run(&self, input: &Tensor, shift: Option<&Tensor>, residual: Option<&Tensor>) -> Result<Tensor> {
        let (n, channels, height, width) = input.dims4()?;
        let ConvOptions { stride, padding } = self.options;
        let zeros = padding.0 + padding.1;
        if channels != self.channels.0 || height + zeros < self.side || width + zeros < self.side {
            candle_core::bail!("a convolution of {} channels and side {} got {:?}", self.channels.0, self.side, input.shape());
        }
        match &self.kernel {
            Kernel::Plain { weight, bias } => {
                let mut out = plain(input, weight, bias.as_ref(), self.options)?;
                if let Some(shift) = shift {
                    out = out.broadcast_add(&shift.reshape((n, self.channels.1, 1, 1))?)?;
                }
                residual.map_or(Ok(out.clone()), |residual| out + residual)
            }
            Kernel::Packed { weights, bias } => {
                let geometry = Geometry { n, channels, size: (height, width), kernel: self.side, stride, padding };
                let (height, width) = geometry.out();
                let shape = [n, self.channels.1, height, width];
                if residual.is_some_and(|residual| residual.dims() != shape) || shift.is_some_and(|shift| shift.dims() != &shape[..2]) {
                    candle_core::bail!("cannot add {:?} or {:?} to {shape:?}", residual.map(Tensor::shape), shift.map(Tensor::shape));
                }
                let (shift, residual) = (optional_floats(shift)?, residual.map(Tensor::contiguous).transpose()?);
                let_floats!(values = input);
                let extra = Extra { bias: bias.as_deref(), row_bias: shift.as_deref(), residual: None };
                let out = match residual {
                    None => cpu::conv::conv2d(values, weights, geometry, extra),
                    Some(residual) => {
                        let_floats!(residual = residual);
                        cpu::conv::conv2d(values, weights, geometry, Extra { residual: Some(residual), ..extra })
                    }
                };
                Tensor::from_vec(out, &shape, &Device::Cpu)
            }
        }
    }
}

pub(super) fn plain(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions) -> Result<Tensor> {
    let (before, after) = options.padding;
    let out = if before == after {
        input.conv2d(weight, before, options.stride, 1, 1)?
    } else {
        input.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?.conv2d(weight, 0, options.stride, 1, 1)?
    };
    bias.map_or(Ok(out.clone()), |bias| out.broadcast_add(&bias.reshape((1, (), 1, 1))?))
}
