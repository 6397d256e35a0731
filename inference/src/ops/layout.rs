//! Changes of layout.

use candle_core::{Device, Result, Tensor};

use super::cpu::{self, let_floats};

/// `[n, h·w, channels]` of `[n, channels, h, w]`.
pub fn to_tokens(planes: &Tensor) -> Result<Tensor> {
    let (n, channels, height, width) = planes.dims4()?;
    if !cpu::takes(planes) {
        return planes.flatten_from(2)?.transpose(1, 2)?.contiguous();
    }
    let_floats!(values = planes);
    Tensor::from_vec(cpu::layout::transpose(values, channels, height * width), (n, height * width, channels), &Device::Cpu)
}

/// `[n, channels, h, w]` of `[n, h·w, channels]`.
pub fn to_planes(tokens: &Tensor, (height, width): (usize, usize)) -> Result<Tensor> {
    let (n, n_tokens, channels) = tokens.dims3()?;
    if !cpu::takes(tokens) {
        return tokens.transpose(1, 2)?.contiguous()?.reshape((n, channels, height, width));
    }
    let_floats!(values = tokens);
    Tensor::from_vec(cpu::layout::transpose(values, n_tokens, channels), (n, channels, height, width), &Device::Cpu)
}

/// Enlarges `[n, channels, h, w]` to `size` (height, width) by nearest neighbours.
pub fn upsample_nearest(input: &Tensor, size: (usize, usize)) -> Result<Tensor> {
    let (n, channels, height, width) = input.dims4()?;
    if !cpu::takes(input) {
        return input.upsample_nearest2d(size.0, size.1);
    }
    let_floats!(values = input);
    Tensor::from_vec(cpu::layout::upsample_nearest(values, (height, width), size), (n, channels, size.0, size.1), &Device::Cpu)
}

/// `[n, channels, h·factor, w·factor]` of `[n, channels·factor², h, w]` (torch's `pixel_shuffle`).
pub fn pixel_shuffle(input: &Tensor, factor: usize) -> Result<Tensor> {
    candle_nn::ops::pixel_shuffle(input, factor)
}
