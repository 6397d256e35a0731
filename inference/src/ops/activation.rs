//! Activation functions.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops;

use super::cpu::{self, let_floats, math};

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`
    Silu,
    /// `x · sigmoid(1.702 · x)`
    QuickGelu,
    /// `x · Φ(x)`, exact.
    Gelu,
}

impl Activation {
    /// The one that a CLIP's configuration names.
    pub(crate) fn of_clip(name: &str) -> Option<Self> {
        match name {
            "quick_gelu" => Some(Self::QuickGelu),
            "gelu" => Some(Self::Gelu),
            _ => None,
        }
    }

    /// The function of every number.
    pub fn forward(self, input: &Tensor) -> Result<Tensor> {
        if !cpu::takes(input) {
            return self.plain(input);
        }
        let_floats!(values = input);
        let out = match self {
            Activation::Silu => math::map(values, math::silu),
            Activation::QuickGelu => math::map(values, math::quick_gelu),
            Activation::Gelu => math::map(values, math::gelu),
        };
        Tensor::from_vec(out, input.shape(), &Device::Cpu)
    }

    pub(super) fn plain(self, input: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Silu => input.silu(),
            Activation::QuickGelu => input * ops::sigmoid(&(input * 1.702)?)?,
            Activation::Gelu => input.gelu_erf(),
        }
    }
}

/// `hidden · gelu(gate)` of `[.., 2·width]`, hidden first (Shazeer 2020, with the exact GELU as in diffusers).
pub fn geglu(input: &Tensor) -> Result<Tensor> {
    if !cpu::takes(input) {
        return plain_geglu(input);
    }
    let mut shape = input.dims().to_vec();
    let width = input.dim(D::Minus1)? / 2;
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    let_floats!(values = input);
    Tensor::from_vec(math::geglu(values, width), shape, &Device::Cpu)
}

pub(super) fn plain_geglu(input: &Tensor) -> Result<Tensor> {
    let halves = input.chunk(2, D::Minus1)?;
    halves[0].contiguous()? * halves[1].contiguous()?.gelu_erf()?
}

/// A rectifier with a learned slope for each channel (He et al. 2015).
pub struct PRelu {
    slopes: Tensor,
}

impl PRelu {
    /// From slopes `[channels]`.
    pub fn new(slopes: Tensor) -> Result<Self> {
        Ok(Self { slopes })
    }

    /// Rectifies `[n, channels, h, w]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = input.dims4()?;
        if !cpu::takes(input) || !cpu::takes(&self.slopes) {
            return plain_prelu(input, &self.slopes);
        }
        let_floats!(values = input);
        let_floats!(slopes = self.slopes);
        Tensor::from_vec(math::prelu(values, slopes, height * width), input.shape(), &Device::Cpu)
    }
}

pub(super) fn plain_prelu(input: &Tensor, slopes: &Tensor) -> Result<Tensor> {
    let below = input.minimum(0.0)?.broadcast_mul(&slopes.reshape((1, (), 1, 1))?)?;
    input.relu()? + below
}
