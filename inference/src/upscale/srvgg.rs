//! Real-ESRGAN's compact network (`SRVGGNetCompact`): convolutions at the small size, then a pixel shuffle.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{Conv2d, ConvOptions, PRelu, pixel_shuffle, upsample_nearest},
};

/// Side of the tiles that large pictures are cut into, without their overlap.
const TILE: usize = 192;

/// A loaded super-resolution network.
pub struct Upscaler {
    layers: Vec<(Conv2d, PRelu)>,
    last: Conv2d,
    factor: u32,
    device: Device,
    dtype: DType,
}

impl Upscaler {
    /// Loads a safetensors file with the upstream names (`body.0.weight`, …); float32 on the processor, float16 elsewhere.
    ///
    /// # Errors
    /// `Missing`, `Unreadable`, `MissingTensor` or `WrongShape`, naming the file.
    pub fn load(file: &Path, device: &Device) -> Result<Self, InferenceError> {
        let dtype = if device.is_cpu() { DType::F32 } else { DType::F16 };
        let weights = Weights::open(&[file.to_owned()], device, dtype)?;
        let body = weights.at("body");
        // A convolution and its PReLU take two numbers; the last convolution has no PReLU.
        let n_layers = (0..).take_while(|i| body.has(&format!("{}.weight", 2 * i + 1))).count();
        let width = match body.shape("0.weight")? {
            [width, 3, 3, 3] => *width,
            other => {
                let expected = vec![other.first().copied().unwrap_or(64), 3, 3, 3];
                return Err(InferenceError::WrongShape {
                    path: file.to_owned(),
                    tensor: "body.0.weight".to_owned(),
                    found: other.to_vec(),
                    expected,
                });
            }
        };
        let last = format!("{}.weight", 2 * n_layers);
        let n_out = body.shape(&last)?.first().copied().unwrap_or(0);
        let factor = (1..=8).find(|factor| 3 * factor * factor == n_out).ok_or_else(|| InferenceError::Unsupported {
            path: file.to_owned(),
            what: format!("`body.{last}` with {n_out} channels, not 3 times a square up to 64,"),
        })?;
        let conv = |i: usize, channels: usize, out: usize| -> Result<Conv2d, InferenceError> {
            let weights = body.at(i);
            let weight = weights.tensor("weight", &[out, channels, 3, 3])?;
            Ok(Conv2d::new(weight, Some(weights.tensor("bias", &[out])?), ConvOptions::same(3))?)
        };
        let mut layers = Vec::new();
        for i in 0..n_layers {
            let slopes = body.at(2 * i + 1).tensor("weight", &[width])?;
            layers.push((conv(2 * i, if i == 0 { 3 } else { width }, width)?, PRelu::new(slopes)?));
        }
        let last = conv(2 * n_layers, width, n_out)?;
        Ok(Self { layers, last, factor: factor as u32, device: device.clone(), dtype })
    }

    /// How many times larger pictures become.
    pub fn factor(&self) -> u32 {
        self.factor
    }

    /// Pictures `[n, 3, h·factor, w·factor]` of `[n, 3, h, w]`, both in 0..1 (not clamped); float32.
    ///
    /// Large pictures go through in tiles that overlap by all that a pixel depends on, so no seam can show.
    pub fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError> {
        self.upscale_in_tiles(pixels, TILE)
    }

    /// The same with tiles of at most `side` pixels.
    pub fn upscale_in_tiles(&self, pixels: &Tensor, side: usize) -> Result<Tensor, InferenceError> {
        let (_, _, height, width) = pixels.dims4()?;
        let pixels = pixels.to_device(&self.device)?.to_dtype(self.dtype)?;
        let side = side.max(1);
        let mut rows = Vec::new();
        for top in (0..height).step_by(side) {
            let mut tiles = Vec::new();
            for left in (0..width).step_by(side) {
                tiles.push(self.tile(&pixels, (top, side.min(height - top)), (left, side.min(width - left)))?);
            }
            rows.push(Tensor::cat(&tiles, 3)?);
        }
        Ok(Tensor::cat(&rows, 2)?.to_dtype(DType::F32)?)
    }

    /// One tile, given by first pixel and length of both axes.
    fn tile(&self, pixels: &Tensor, (top, height): (usize, usize), (left, width): (usize, usize)) -> candle_core::Result<Tensor> {
        let (_, _, whole_height, whole_width) = pixels.dims4()?;
        // Every 3×3 convolution lets a pixel see one further.
        let reach = self.layers.len() + 1;
        let factor = self.factor as usize;
        let widen = |first: usize, length: usize, whole: usize| {
            let start = first.saturating_sub(reach);
            (start, (first + length + reach).min(whole) - start)
        };
        let ((y, tall), (x, wide)) = (widen(top, height, whole_height), widen(left, width, whole_width));
        let out = self.forward(&pixels.narrow(2, y, tall)?.narrow(3, x, wide)?.contiguous()?)?;
        out.narrow(2, (top - y) * factor, height * factor)?.narrow(3, (left - x) * factor, width * factor)?.contiguous()
    }

    fn forward(&self, pixels: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = pixels.dims4()?;
        let factor = self.factor as usize;
        let mut hidden = pixels.clone();
        for (conv, prelu) in &self.layers {
            hidden = prelu.forward(&conv.forward(&hidden)?)?;
        }
        let details = pixel_shuffle(&self.last.forward(&hidden)?, factor)?;
        details + upsample_nearest(pixels, (height * factor, width * factor))?
    }
}
