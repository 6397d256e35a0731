//! ESRGAN's network (`RRDBNet` of BasicSR): residual blocks of densely connected convolutions at the small size, then doublings.

use candle_core::{Result, Tensor};

use super::layout::Layout;
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    layers::conv,
    ops::{Conv2d, ConvOptions, PRelu, upsample_nearest},
    vae::tiling::Cropped,
};

/// Most pixels that a tile sees around it. A pixel depends on hundreds (each block adds fifteen), but hardly on far ones: with Real-ESRGAN's x4plus
/// half a picture of 112×112 that saw 32 pixels beyond its cut differed from the same half of the whole by at most 0.9 of a byte's step (76 dB),
/// with its anime model by half a step (96 dB).
const MAX_REACH: usize = 32;
/// Side of the tiles that the doublings work on: sixteen times their pixels in 64 channels is the largest tensor of all.
const HEAD_TILE: usize = 64;
/// Pixels around it that a pixel's doublings see: a half for the first convolution, less for those after it, or two convolutions at its own size.
const HEAD_REACH: usize = 2;
/// No published network has more than three.
const MAX_DOUBLINGS: usize = 5;
/// Branches are added at a fifth of their strength.
const RESIDUAL: f64 = 0.2;
/// Slope of the rectifiers below zero.
const SLOPE: f32 = 0.2;

/// ESRGAN's network.
pub(super) struct Rrdb {
    first: Conv2d,
    blocks: Vec<[Dense; 3]>,
    body: Conv2d,
    doublings: Vec<Conv2d>,
    hr: Conv2d,
    last: Conv2d,
    rectify: PRelu,
    /// Side of the squares of pixels that are laid into channels first.
    square: usize,
}

impl Rrdb {
    /// Reads the network; `None` where the file holds another.
    pub(super) fn load(weights: &Weights) -> std::result::Result<Option<Self>, InferenceError> {
        let Some(Shape { layout, width, channels, square }) = Shape::of(weights)? else { return Ok(None) };
        let mut blocks = Vec::new();
        for [a, b, c] in &layout.blocks {
            blocks.push([Dense::load(a, width)?, Dense::load(b, width)?, Dense::load(c, width)?]);
        }
        let doublings = layout.doublings.iter().map(|weights| conv(weights, width, width, 3)).collect::<std::result::Result<_, _>>()?;
        let last = conv(&layout.last, width, 3, 3)?;
        Ok(Some(Self {
            first: conv(&layout.first, channels, width, 3)?,
            blocks,
            body: conv(&layout.body, width, width, 3)?,
            doublings,
            hr: conv(&layout.hr, width, width, 3)?,
            last,
            rectify: rectifier(&layout.hr, width)?,
            square,
        }))
    }

    /// How many times larger pictures become.
    pub(super) fn factor(&self) -> usize {
        (1 << self.doublings.len()) / self.square
    }

    /// Enlarges `[n, 3, h, w]` in tiles of at most `side` pixels.
    pub(super) fn upscale(&self, pixels: &Tensor, side: usize) -> Result<Tensor> {
        let (_, _, height, width) = pixels.dims4()?;
        // The convolutions at both ends, and fifteen in each block.
        let reach = (2 + 15 * self.blocks.len() + HEAD_REACH).min(MAX_REACH);
        let tiles = Cropped { side: side.div_ceil(self.square), reach, factor: 1 << self.doublings.len() };
        let enlarged = tiles.run(&self.lay_into_channels(pixels)?, |tile| self.forward(tile))?;
        let factor = self.factor();
        enlarged.narrow(2, 0, height * factor)?.narrow(3, 0, width * factor)?.contiguous()
    }

    /// torch's `pixel_unshuffle`; sides that are no multiple are mirrored, as by Real-ESRGAN.
    fn lay_into_channels(&self, pixels: &Tensor) -> Result<Tensor> {
        let (n, channels, height, width) = pixels.dims4()?;
        let square = self.square;
        if square == 1 {
            return Ok(pixels.clone());
        }
        let pixels = mirror(&mirror(pixels, 2, height.next_multiple_of(square))?, 3, width.next_multiple_of(square))?;
        let (height, width) = (height.div_ceil(square), width.div_ceil(square));
        let squares = pixels.reshape(vec![n, channels, height, square, width, square])?.permute(vec![0, 1, 3, 5, 2, 4])?;
        squares.contiguous()?.reshape((n, channels * square * square, height, width))
    }

    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let first = self.first.forward(pixels)?;
        let mut hidden = first.clone();
        for [a, b, c] in &self.blocks {
            let branch = c.forward(&b.forward(&a.forward(&hidden)?)?)?;
            hidden = ((branch * RESIDUAL)? + hidden)?;
        }
        let features = self.body.forward_add(&hidden, &first)?;
        let tiles = Cropped { side: HEAD_TILE, reach: HEAD_REACH, factor: 1 << self.doublings.len() };
        tiles.run(&features, |tile| self.head(tile))
    }

    fn head(&self, features: &Tensor) -> Result<Tensor> {
        let mut hidden = features.clone();
        for conv in &self.doublings {
            let (_, _, height, width) = hidden.dims4()?;
            hidden = self.rectify.forward(&conv.forward(&upsample_nearest(&hidden, (2 * height, 2 * width))?)?)?;
        }
        self.last.forward(&self.rectify.forward(&self.hr.forward(&hidden)?)?)
    }
}

/// What the shapes of a file's tensors say.
pub(super) struct Shape {
    layout: Layout,
    width: usize,
    channels: usize,
    square: usize,
}

impl Shape {
    /// `None` where the file holds another network.
    pub(super) fn of(weights: &Weights) -> std::result::Result<Option<Self>, InferenceError> {
        let Some(layout) = Layout::of(weights)? else { return Ok(None) };
        let unsupported = |what: String| InferenceError::Unsupported { path: weights.path().to_owned(), what };
        let (width, channels) = match layout.first.shape("weight")? {
            [width, channels, 3, 3] => (*width, *channels),
            other => return Err(unsupported(format!("a first convolution of shape {other:?}"))),
        };
        let n_doublings = layout.doublings.len();
        if width == 0 || n_doublings > MAX_DOUBLINGS {
            return Err(unsupported(format!("a network of width {width} with {n_doublings} doublings")));
        }
        let square = [1, 2, 4].into_iter().find(|side| 3 * side * side == channels).filter(|side| *side <= 1 << n_doublings);
        let square = square.ok_or_else(|| unsupported(format!("a network of {channels} channels and {n_doublings} doublings")))?;
        Ok(Some(Self { layout, width, channels, square }))
    }

    /// How many times larger pictures become.
    pub(super) fn factor(&self) -> usize {
        (1 << self.layout.doublings.len()) / self.square
    }
}

/// Five convolutions, each seeing all before it.
struct Dense {
    convs: [Conv2d; 4],
    last: Conv2d,
    rectify: PRelu,
}

impl Dense {
    fn load(weights: &[Weights; 5], width: usize) -> std::result::Result<Self, InferenceError> {
        let [a, b, c, d, last] = weights;
        let growth = a.shape("weight")?.first().copied().unwrap_or(0);
        if growth == 0 {
            let (path, what) = (last.path().to_owned(), "a block that adds no channels".to_owned());
            return Err(InferenceError::Unsupported { path, what });
        }
        let grow = |weights: &Weights, i: usize| conv(weights, width + i * growth, growth, 3);
        // The last one's strength is put into its weights, so that the sum is one operation.
        let weight = (last.tensor("weight", &[width, width + 4 * growth, 3, 3])? * RESIDUAL)?;
        let bias = (last.tensor("bias", &[width])? * RESIDUAL)?;
        Ok(Self {
            convs: [grow(a, 0)?, grow(b, 1)?, grow(c, 2)?, grow(d, 3)?],
            last: Conv2d::new(weight, Some(bias), ConvOptions::same(3))?,
            rectify: rectifier(a, growth)?,
        })
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let mut seen = input.clone();
        for conv in &self.convs {
            let more = self.rectify.forward(&conv.forward(&seen)?)?;
            seen = Tensor::cat(&[&seen, &more], 1)?;
        }
        self.last.forward_add(&seen, input)
    }
}

/// A rectifier on the device and in the dtype of these weights.
fn rectifier(weights: &Weights, channels: usize) -> std::result::Result<PRelu, InferenceError> {
    let like = weights.tensor("bias", &[channels])?;
    Ok(PRelu::new(Tensor::full(SLOPE, channels, like.device())?.to_dtype(like.dtype())?)?)
}

/// Pixels beyond the end of an axis, up to `length`, mirrored at the last one.
fn mirror(pixels: &Tensor, axis: usize, length: usize) -> Result<Tensor> {
    let n = pixels.dim(axis)?;
    if n == length {
        return Ok(pixels.clone());
    }
    let source = |i: usize| if i < n { i } else { (2 * (n - 1)).saturating_sub(i) };
    let indices: Vec<u32> = (0..length).map(|i| source(i) as u32).collect();
    pixels.contiguous()?.index_select(&Tensor::new(indices, pixels.device())?, axis)
}
