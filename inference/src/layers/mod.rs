//! Layers read from weights, under the names by which adapters change them.

pub(crate) mod resnet;

use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{Conv2d, ConvOptions, GroupNorm, LayerKind, LayerNorm, Linear, RmsNorm},
};

/// A linear layer with a bias; older files hold some of them as 1×1 convolutions.
pub fn linear(weights: &Weights, width: usize, out: usize) -> Result<Linear, InferenceError> {
    let layer = Linear::new(weights.tensor("weight", &[out, width])?, Some(weights.tensor("bias", &[out])?))?;
    Ok(layer.named(weights.layer(LayerKind::Linear)))
}

/// A linear layer without a bias.
pub fn linear_without_bias(weights: &Weights, width: usize, out: usize) -> Result<Linear, InferenceError> {
    Ok(Linear::new(weights.tensor("weight", &[out, width])?, None)?.named(weights.layer(LayerKind::Linear)))
}

/// A convolution that keeps the size.
pub fn conv(weights: &Weights, channels: usize, out: usize, kernel: usize) -> Result<Conv2d, InferenceError> {
    conv_with(weights, (channels, out), kernel, ConvOptions::same(kernel))
}

/// A convolution that halves the size; `padding` 0 means one zero after each side only.
pub fn halving_conv(weights: &Weights, channels: usize, padding: usize) -> Result<Conv2d, InferenceError> {
    let padding = if padding == 0 { (0, 1) } else { (padding, padding) };
    conv_with(weights, (channels, channels), 3, ConvOptions { stride: 2, padding })
}

fn conv_with(weights: &Weights, (channels, out): (usize, usize), kernel: usize, options: ConvOptions) -> Result<Conv2d, InferenceError> {
    let weight = weights.tensor("weight", &[out, channels, kernel, kernel])?;
    Ok(Conv2d::new(weight, Some(weights.tensor("bias", &[out])?), options)?.named(weights.layer(LayerKind::Conv2d)))
}

/// A group normalisation.
pub fn group_norm(weights: &Weights, channels: usize, n_groups: usize, eps: f64) -> Result<GroupNorm, InferenceError> {
    let norm = GroupNorm::new(weights.tensor("weight", &[channels])?, weights.tensor("bias", &[channels])?, n_groups, eps)?;
    Ok(norm.named(weights.layer(LayerKind::Plain)))
}

/// A layer normalisation.
pub fn layer_norm(weights: &Weights, width: usize, eps: f64) -> Result<LayerNorm, InferenceError> {
    let norm = LayerNorm::new(weights.tensor("weight", &[width])?, weights.tensor("bias", &[width])?, eps)?;
    Ok(norm.named(weights.layer(LayerKind::Plain)))
}

/// A root-mean-square normalisation.
pub fn rms_norm(weights: &Weights, width: usize, eps: f64) -> Result<RmsNorm, InferenceError> {
    Ok(RmsNorm::new(weights.tensor("weight", &[width])?, eps)?)
}
