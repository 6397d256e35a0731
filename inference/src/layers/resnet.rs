//! The residual block of U-Net and autoencoder (diffusers' `ResnetBlock2D`).

use candle_core::Tensor;

use super::{conv, group_norm, linear};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{Conv2d, GroupNorm, Linear, Pass},
};

/// Two convolutions beside a shortcut.
pub struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

/// A residual block's shape.
#[derive(Clone, Copy, Debug)]
pub struct ResnetShape {
    /// Channels in.
    pub channels: usize,
    /// Channels out.
    pub out: usize,
    /// Width of the timestep's embedding, if there is one.
    pub time_width: Option<usize>,
    /// Groups of the normalisations.
    pub n_groups: usize,
    /// Added to variances.
    pub eps: f64,
}

impl Resnet {
    /// Reads a block.
    pub fn load(weights: &Weights, shape: ResnetShape) -> Result<Self, InferenceError> {
        let ResnetShape { channels, out, time_width, n_groups, eps } = shape;
        let shortcut = if channels == out { None } else { Some(conv(&weights.at("conv_shortcut"), channels, out, 1)?) };
        Ok(Self {
            norm1: group_norm(&weights.at("norm1"), channels, n_groups, eps)?,
            conv1: conv(&weights.at("conv1"), channels, out, 3)?,
            time: time_width.map(|width| linear(&weights.at("time_emb_proj"), width, out)).transpose()?,
            norm2: group_norm(&weights.at("norm2"), out, n_groups, eps)?,
            conv2: conv(&weights.at("conv2"), out, out, 3)?,
            shortcut,
        })
    }

    /// `[n, out, h, w]` of `[n, channels, h, w]`; `time` is the timesteps' embedding `[n, time_width]` after SiLU.
    pub fn forward<'a>(&'a self, input: &Tensor, time: Option<&Tensor>, pass: impl Into<Pass<'a>>) -> candle_core::Result<Tensor> {
        let pass = pass.into();
        let hidden = self.norm1.of(pass.batch).forward_silu(input)?;
        let (conv1, conv2) = (self.conv1.within(pass), self.conv2.within(pass));
        let hidden = match (&self.time, time) {
            (Some(layer), Some(time)) => conv1.forward_shifted(&hidden, &layer.of(pass.batch).forward(time)?)?,
            _ => conv1.forward(&hidden)?,
        };
        let hidden = self.norm2.of(pass.batch).forward_silu(&hidden)?;
        match &self.shortcut {
            Some(shortcut) => conv2.forward_add(&hidden, &shortcut.within(pass).forward(input)?),
            None => conv2.forward_add(&hidden, input),
        }
    }
}
