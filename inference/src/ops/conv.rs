//! Two-dimensional convolution.

use candle_core::{Device, Result, Tensor};

use super::{
    branches::{self, PackedBranches},
    change::{Batch, Change, LayerName, in_stretches, narrow},
    cpu::{
        self,
        conv::{Extra, Geometry},
        gemm::ROWS,
        let_floats, let_optional_floats,
    },
    padding::Padding,
    weight::{LayerKind, Weight},
};

/// How a batch goes through a network.
#[derive(Clone, Copy, Default)]
pub struct Pass<'a> {
    /// What lies beyond the edges of every 3×3 convolution.
    pub padding: Padding,
    /// What changes layers for each row.
    pub batch: Batch<'a>,
}

impl<'a> From<Batch<'a>> for Pass<'a> {
    fn from(batch: Batch<'a>) -> Self {
        Self { batch, ..Self::default() }
    }
}

impl From<Padding> for Pass<'_> {
    fn from(padding: Padding) -> Self {
        Self { padding, ..Self::default() }
    }
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
    name: Option<LayerName>,
    weight: Weight,
    bias: Option<Tensor>,
    options: ConvOptions,
    channels: (usize, usize),
    side: usize,
}

impl Conv2d {
    /// A convolution from `weight` `[out, in, k, k]` and `bias` `[out]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>, options: ConvOptions) -> Result<Self> {
        let (out, channels, side, _) = weight.dims4()?;
        Ok(Self { name: None, weight: Weight::new(weight, LayerKind::Conv2d)?, bias, options, channels: (channels, out), side })
    }

    /// The same convolution under the name by which [`Batch`] may change it.
    pub fn named(self, name: LayerName) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The convolution with these pixels beyond the edges; without it they are zeros.
    pub fn padded(&self, padding: Padding) -> BatchConv2d<'_> {
        BatchConv2d { conv: self, padding, batch: Batch::default() }
    }

    /// The convolution as a part of a pass.
    pub fn within<'a>(&'a self, Pass { padding, batch }: Pass<'a>) -> BatchConv2d<'a> {
        BatchConv2d { conv: self, padding, batch }
    }

    /// `[n, out, h', w']` of `[n, in, h, w]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.padded(Padding::Zeros).forward(input)
    }

    /// The same plus `residual`, `[n, out, h', w']`.
    pub fn forward_add(&self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.padded(Padding::Zeros).forward_add(input, residual)
    }

    fn compute(&self, input: &Tensor, layer: Layer<'_>, Added { shift, residual }: Added<'_>, beyond: Padding) -> Result<Tensor> {
        let Layer { weight, bias, rows } = layer;
        let (n, channels, height, width) = input.dims4()?;
        let ConvOptions { stride, padding } = self.options;
        let added = padding.0 + padding.1;
        if channels != self.channels.0 || height + added < self.side || width + added < self.side || height * width == 0 {
            candle_core::bail!("a convolution of {} channels and side {} got {:?}", self.channels.0, self.side, input.shape());
        }
        let is_tracked = [Some(input), shift, residual].into_iter().flatten().any(Tensor::track_op) || branches::are_tracked(rows);
        let Some(panels) = weight.panels().filter(|_| !is_tracked) else {
            let out = plain(input, &weight.tensor()?, bias, self.options, beyond)?;
            let down = |input: &Tensor, down: &Tensor| plain(input, down, None, self.options, beyond);
            let up = |input: &Tensor, up: &Tensor| input.conv2d(&up.reshape((self.channels.1, (), 1, 1))?, 0, 1, 1, 1);
            let mut out = branches::add_plain(out, input, rows, down, up)?;
            if let Some(shift) = shift {
                out = out.broadcast_add(&shift.reshape((n, self.channels.1, 1, 1))?)?;
            }
            return residual.map_or(Ok(out.clone()), |residual| out + residual);
        };
        let geometry = Geometry { n, channels, size: (height, width), kernel: self.side, stride, padding, beyond };
        let (height, width) = geometry.out();
        let shape = [n, self.channels.1, height, width];
        if residual.is_some_and(|residual| residual.dims() != shape) || shift.is_some_and(|shift| shift.dims() != &shape[..2]) {
            candle_core::bail!("cannot add {:?} or {:?} to {shape:?}", residual.map(Tensor::shape), shift.map(Tensor::shape));
        }
        let packed = PackedBranches::new(rows, ROWS)?;
        let_floats!(values = input);
        let_optional_floats!(bias = bias);
        let_optional_floats!(row_bias = shift);
        let_optional_floats!(residual = residual);
        let extra = Extra { bias, row_bias, residual, branches: &packed.rows() };
        Tensor::from_vec(cpu::conv::conv2d(values, panels, geometry, extra), &shape, &Device::Cpu)
    }
}

/// What stands for a convolution in some rows.
#[derive(Clone, Copy)]
struct Layer<'a> {
    weight: &'a Weight,
    bias: Option<&'a Tensor>,
    rows: &'a [Option<&'a Change>],
}

/// What is added to what a convolution makes.
#[derive(Clone, Copy, Default)]
struct Added<'a> {
    /// `[n, out]`
    shift: Option<&'a Tensor>,
    /// `[n, out, h', w']`
    residual: Option<&'a Tensor>,
}

/// A convolution, what lies beyond the edges of its input, and what changes it for each row of a batch.
#[derive(Clone, Copy)]
pub struct BatchConv2d<'a> {
    conv: &'a Conv2d,
    padding: Padding,
    batch: Batch<'a>,
}

impl BatchConv2d<'_> {
    /// As [`Conv2d::forward`].
    pub fn forward(self, input: &Tensor) -> Result<Tensor> {
        self.run(input, Added::default())
    }

    /// As [`Conv2d::forward_add`].
    pub fn forward_add(self, input: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(input, Added { residual: Some(residual), ..Added::default() })
    }

    /// The same as `forward` plus a number for each row and channel, `[n, out]`.
    pub fn forward_shifted(self, input: &Tensor, shift: &Tensor) -> Result<Tensor> {
        self.run(input, Added { shift: Some(shift), ..Added::default() })
    }

    fn run(self, input: &Tensor, Added { shift, residual }: Added<'_>) -> Result<Tensor> {
        let conv = self.conv;
        let Some(rows) = self.batch.of(conv.name.as_ref(), input)? else {
            let layer = Layer { weight: &conv.weight, bias: conv.bias.as_ref(), rows: &[] };
            return conv.compute(input, layer, Added { shift, residual }, self.padding);
        };
        in_stretches(&rows, |range, change| {
            let part = |tensor: Option<&Tensor>| tensor.map(|tensor| narrow(tensor, &range)).transpose();
            let (shift, residual) = (part(shift)?, part(residual)?);
            let layer = Layer {
                weight: change.and_then(|change| change.weight.as_deref()).unwrap_or(&conv.weight),
                bias: change.and_then(|change| change.bias.as_ref()).or(conv.bias.as_ref()),
                rows: &rows[range.clone()],
            };
            conv.compute(&narrow(input, &range)?, layer, Added { shift: shift.as_ref(), residual: residual.as_ref() }, self.padding)
        })
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
