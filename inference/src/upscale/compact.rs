//! Real-ESRGAN's compact network (`SRVGGNetCompact`): convolutions at the small size, then a pixel shuffle.

use candle_core::{Result, Tensor};

use crate::{
    checkpoint::Weights,
    error::InferenceError,
    layers::conv,
    ops::{Conv2d, PRelu, pixel_shuffle, upsample_nearest},
};

/// The compact network.
pub(super) struct Compact {
    layers: Vec<(Conv2d, PRelu)>,
    last: Conv2d,
    pub(super) factor: usize,
}

impl Compact {
    /// Reads the upstream names (`body.0.weight`, …).
    pub(super) fn load(weights: &Weights) -> std::result::Result<Self, InferenceError> {
        let body = weights.at("body");
        let Shape { n_layers, width, n_out, factor } = Shape::of(weights)?;
        let mut layers = Vec::new();
        for i in 0..n_layers {
            let slopes = body.at(2 * i + 1).tensor("weight", &[width])?;
            layers.push((conv(&body.at(2 * i), if i == 0 { 3 } else { width }, width, 3)?, PRelu::new(slopes)?));
        }
        Ok(Self { layers, last: conv(&body.at(2 * n_layers), width, n_out, 3)?, factor })
    }

    /// Every 3×3 convolution lets a pixel see one further.
    pub(super) fn reach(&self) -> usize {
        self.layers.len() + 1
    }

    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = pixels.dims4()?;
        let mut hidden = pixels.clone();
        for (conv, prelu) in &self.layers {
            hidden = prelu.forward(&conv.forward(&hidden)?)?;
        }
        let details = pixel_shuffle(&self.last.forward(&hidden)?, self.factor)?;
        details + upsample_nearest(pixels, (height * self.factor, width * self.factor))?
    }
}

/// What the shapes of a file's tensors say.
pub(super) struct Shape {
    n_layers: usize,
    width: usize,
    n_out: usize,
    pub(super) factor: usize,
}

impl Shape {
    pub(super) fn of(weights: &Weights) -> std::result::Result<Self, InferenceError> {
        let body = weights.at("body");
        // A convolution and its PReLU take two numbers; the last convolution has no PReLU.
        let n_layers = (0..).take_while(|i| body.has(&format!("{}.weight", 2 * i + 1))).count();
        let width = body.shape("0.weight")?.first().copied().unwrap_or(0);
        if width == 0 {
            let (path, what) = (weights.path().to_owned(), "a network of width 0".to_owned());
            return Err(InferenceError::Unsupported { path, what });
        }
        let last = format!("{}.weight", 2 * n_layers);
        let n_out = body.shape(&last)?.first().copied().unwrap_or(0);
        let factor = (1..=8).find(|factor| 3 * factor * factor == n_out).ok_or_else(|| InferenceError::Unsupported {
            path: weights.path().to_owned(),
            what: format!("`body.{last}` with {n_out} channels, not 3 times a square up to 64,"),
        })?;
        Ok(Self { n_layers, width, n_out, factor })
    }
}
