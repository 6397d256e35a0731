//! Two-dimensional convolution.

use candle_core::{Device, Result, Tensor};

use super::cpu::{
    self,
    conv::{Extra, Geometry},
    gemm::{Panels, ROWS},
    let_floats, optional_floats,
};

/// What lies beyond a picture's edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Nothing.
    #[default]
    Zeros,
    /// The other edge, so that the picture can be laid side by side with itself.
    Circular,
}

/// How a filter moves over a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvOptions {
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Pixels added before and after each side.
    pub padding: (usize, usize),
}

impl ConvOptions {
    /// Stride 1 and as much padding as keeps the size for an odd `kernel`; an even one takes a pixel away, as in diffusers.
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

    /// The convolution with these pixels beyond the edges; without it they are zeros.
    pub fn padded(&self, padding: Padding) -> PaddedConv2d<'_> {
        PaddedConv2d { conv: self, padding }
    }

    /// `[n, out, h', w']` of `[n, in, h, w]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.padded(Padding::Zeros).forward(input)
    }

    /// The same plus `residual`, `[n, out, h', w']`.
    pub fn forward_add(&self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.padded(Padding::Zeros).forward_add(input, residual)
    }

    fn run(&self, input: &Tensor, beyond: Padding, shift: Option<&Tensor>, residual: Option<&Tensor>) -> Result<Tensor> {
        let (n, channels, height, width) = input.dims4()?;
        let ConvOptions { stride, padding } = self.options;
        let added = padding.0 + padding.1;
        if channels != self.channels.0 || height + added < self.side || width + added < self.side || height * width == 0 {
            candle_core::bail!("a convolution of {} channels and side {} got {:?}", self.channels.0, self.side, input.shape());
        }
        match &self.kernel {
            Kernel::Plain { weight, bias } => {
                let mut out = plain(input, weight, bias.as_ref(), self.options, beyond)?;
                if let Some(shift) = shift {
                    out = out.broadcast_add(&shift.reshape((n, self.channels.1, 1, 1))?)?;
                }
                residual.map_or(Ok(out.clone()), |residual| out + residual)
            }
            Kernel::Packed { weights, bias } => {
                let geometry = Geometry { n, channels, size: (height, width), kernel: self.side, stride, padding, beyond };
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

/// A convolution and what lies beyond the edges of its input.
#[derive(Clone, Copy)]
pub struct PaddedConv2d<'a> {
    conv: &'a Conv2d,
    padding: Padding,
}

impl PaddedConv2d<'_> {
    /// As [`Conv2d::forward`].
    pub fn forward(self, input: &Tensor) -> Result<Tensor> {
        self.conv.run(input, self.padding, None, None)
    }

    /// As [`Conv2d::forward_add`].
    pub fn forward_add(self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.conv.run(input, self.padding, None, Some(residual))
    }

    /// The same as `forward` plus a number for each row and channel, `[n, out]`.
    pub fn forward_shifted(self, input: &Tensor, shift: &Tensor) -> Result<Tensor> {
        self.conv.run(input, self.padding, Some(shift), None)
    }
}

pub(super) fn plain(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: ConvOptions, beyond: Padding) -> Result<Tensor> {
    let (before, after) = options.padding;
    let out = if before == after && beyond == Padding::Zeros && max_rows(input, weight, options) == usize::MAX {
        input.conv2d(weight, before, options.stride, 1, 1)?
    } else {
        let padded = pad(&pad(input, 2, options.padding, beyond)?, 3, options.padding, beyond)?;
        in_bands(&padded, weight, options.stride, max_rows(input, weight, options))?
    };
    bias.map_or(Ok(out.clone()), |bias| out.broadcast_add(&bias.reshape((1, (), 1, 1))?))
}

/// Most numbers of patches that a device lays out at once: 1 GiB in float32.
const MAX_PATCHES: usize = 1 << 28;

/// Rows of output in one go. candle's CUDA kernel without cuDNN lays all patches out in memory, nine times the input for a 3×3 filter.
fn max_rows(input: &Tensor, weight: &Tensor, options: ConvOptions) -> usize {
    let patches = input.elem_count() * weight.dims().iter().skip(2).product::<usize>() / (options.stride * options.stride);
    if cfg!(feature = "cudnn") || input.device().is_cpu() || patches <= MAX_PATCHES {
        return usize::MAX;
    }
    let n_rows = input.dims().get(2).map_or(1, |height| height.div_ceil(options.stride));
    (n_rows * MAX_PATCHES / patches).max(1)
}

/// A convolution of an input that is already padded, so many rows of output at a time.
pub(super) fn in_bands(padded: &Tensor, weight: &Tensor, stride: usize, max_rows: usize) -> Result<Tensor> {
    let (height, kernel) = (padded.dim(2)?, weight.dim(2)?);
    let n_rows = (height - kernel) / stride + 1;
    if n_rows <= max_rows {
        return padded.conv2d(weight, 0, stride, 1, 1);
    }
    let bands = (0..n_rows).step_by(max_rows).map(|first| {
        let n_rows = max_rows.min(n_rows - first);
        padded.narrow(2, first * stride, (n_rows - 1) * stride + kernel)?.contiguous()?.conv2d(weight, 0, stride, 1, 1)
    });
    Tensor::cat(&bands.collect::<Result<Vec<_>>>()?, 2)
}

fn pad(input: &Tensor, axis: usize, (before, after): (usize, usize), beyond: Padding) -> Result<Tensor> {
    match beyond {
        _ if before + after == 0 => Ok(input.clone()),
        Padding::Zeros => input.pad_with_zeros(axis, before, after),
        Padding::Circular => {
            let length = input.dim(axis)?;
            let first = length - before % length; // A side may be shorter than its padding.
            let indices: Vec<u32> = (0..before + length + after).map(|i| ((first + i) % length) as u32).collect();
            input.contiguous()?.index_select(&Tensor::new(indices, input.device())?, axis)
        }
    }
}
