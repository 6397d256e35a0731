//! Previews: latents to colours by the tiny decoder, or by one linear map, one pixel a latent.

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::{
    error::InferenceError,
    host,
    noise::TorchGenerator,
    ops::Padding,
    pixels,
    vae::{Vae, taesd::Taesd},
};

/// What scaled latents `[1, c, h, w]` look like to the tiny decoder, as large as the picture will be.
pub(crate) fn decoded(decoder: &Taesd, latents: &Tensor) -> Result<RgbImage, InferenceError> {
    pixels::to_image(&pixels::to_unit(&decoder.decode(latents)?)?)
}

/// For each latent channel its red, green and blue; then the colour of zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PreviewMap {
    weights: Vec<[f64; 3]>,
    bias: [f64; 3],
}

/// Latents along a side of the picture that a map is fitted to.
const FIT_LATENTS: usize = 32;
/// Latents along a side of one of its patches.
const FIT_PATCH: usize = 4;

/// A published map for the latents of a well-known autoencoder, which are an eighth of the picture's size (ComfyUI `latent_formats.py`).
struct Published {
    /// What those latents are scaled by.
    scaling_factor: f64,
    weights: &'static [[f64; 3]],
    bias: [f64; 3],
}

const PUBLISHED: [Published; 3] = [
    // SD15.
    Published {
        scaling_factor: 0.18215,
        weights: &[[0.3512, 0.2297, 0.3227], [0.3250, 0.4974, 0.2350], [-0.2829, 0.1762, 0.2721], [-0.2120, -0.2616, -0.7177]],
        bias: [0.0; 3],
    },
    // SDXL.
    Published {
        scaling_factor: 0.13025,
        weights: &[[0.3651, 0.4232, 0.4341], [-0.2533, -0.0042, 0.1068], [0.1076, 0.1111, -0.0362], [-0.3165, -0.2492, -0.2188]],
        bias: [0.1084, -0.0175, -0.0011],
    },
    // Flux, whose autoencoder other families have too.
    Published {
        scaling_factor: 0.3611,
        weights: &[
            [-0.0346, 0.0244, 0.0681],
            [0.0034, 0.0210, 0.0687],
            [0.0275, -0.0668, -0.0433],
            [-0.0174, 0.0160, 0.0617],
            [0.0859, 0.0721, 0.0329],
            [0.0004, 0.0383, 0.0115],
            [0.0405, 0.0861, 0.0915],
            [-0.0236, -0.0185, -0.0259],
            [-0.0245, 0.0250, 0.1180],
            [0.1008, 0.0755, -0.0421],
            [-0.0515, 0.0201, 0.0011],
            [0.0428, -0.0012, -0.0036],
            [0.0817, 0.0765, 0.0749],
            [-0.1264, -0.0522, -0.1103],
            [-0.0280, -0.0881, -0.0499],
            [-0.1262, -0.0982, -0.0778],
        ],
        bias: [-0.0329, -0.0718, -0.0851],
    },
];

impl PreviewMap {
    /// The published map where there is one for its latents, else one fitted to its own encoder.
    pub(crate) fn of_vae(vae: &Vae, device: &Device) -> Result<Self, InferenceError> {
        let (vae_factor, scaling_factor, channels) = (vae.factor(), vae.scaling_factor(), vae.latent_channels());
        let is_of = |map: &&Published| map.weights.len() == channels && (scaling_factor - map.scaling_factor).abs() < 1e-6;
        if let Some(Published { weights, bias, .. }) = PUBLISHED.iter().find(is_of).filter(|_| vae_factor == 8) {
            return Ok(Self { weights: weights.to_vec(), bias: *bias });
        }
        let pixels = patches(FIT_LATENTS * vae_factor, FIT_PATCH * vae_factor, device)?;
        let (latents, _) = vae.encode(&pixels, Padding::Zeros)?;
        Self::fit(&latents, &pixels.avg_pool2d(vae_factor)?)
    }

    /// Least squares from latents `[1, c, h, w]` to colours `[1, 3, h, w]` in -1..1, by the normal equations.
    fn fit(latents: &Tensor, colours: &Tensor) -> Result<Self, InferenceError> {
        let columns = |tensor: &Tensor| -> Result<Vec<Vec<f32>>, InferenceError> {
            Ok(host::tensor(tensor)?.squeeze(0)?.flatten_from(1)?.to_vec2::<f32>()?)
        };
        let (mut inputs, outputs) = (columns(latents)?, columns(colours)?);
        inputs.push(vec![1.0; outputs[0].len()]);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let equations = inputs.iter().enumerate().map(|(i, row)| {
            let mut equation: Vec<f64> = inputs.iter().map(|other| dot(row, other)).collect();
            equation[i] += 1e-6 * outputs[0].len() as f64; // A channel that never moves must not make the equations singular.
            equation.extend(outputs.iter().map(|output| dot(row, output)));
            equation
        });
        let mut weights = solve(equations.collect());
        let bias = weights.pop().unwrap_or_default();
        Ok(Self { weights, bias })
    }

    /// What scaled latents `[1, c, h, w]` look like, one pixel a latent.
    pub(crate) fn image(&self, latents: &Tensor) -> Result<RgbImage, InferenceError> {
        let (_, _, height, width) = latents.dims4()?;
        let channels = host::tensor(latents)?.squeeze(0)?.flatten_from(1)?.to_vec2::<f32>()?;
        let mut image = RgbImage::new(width as u32, height as u32);
        for (i, pixel) in image.pixels_mut().enumerate() {
            for (colour, value) in pixel.0.iter_mut().enumerate() {
                let sum = channels.iter().zip(&self.weights).map(|(channel, weight)| f64::from(channel[i]) * weight[colour]).sum::<f64>();
                *value = (((sum + self.bias[colour]) * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round() as u8;
            }
        }
        Ok(image)
    }
}

/// Gauss-Jordan elimination with pivots; each equation ends in three right-hand sides.
fn solve(mut equations: Vec<Vec<f64>>) -> Vec<[f64; 3]> {
    let n = equations.len();
    for column in 0..n {
        let largest = (column..n).max_by(|&a, &b| equations[a][column].abs().total_cmp(&equations[b][column].abs()));
        equations.swap(column, largest.unwrap_or(column));
        let pivot = equations[column].clone();
        for (row, equation) in equations.iter_mut().enumerate() {
            if row != column {
                let factor = equation[column] / pivot[column];
                equation.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    let solution = |(i, equation): (usize, &Vec<f64>)| std::array::from_fn(|colour| equation[n + colour] / equation[i]);
    equations.iter().enumerate().map(solution).collect()
}

/// A picture `[1, 3, side, side]` in -1..1 of patches in many colours: flat ones, and in every other row gradients.
fn patches(side: usize, patch: usize, device: &Device) -> Result<Tensor, InferenceError> {
    let n = side / patch + 1;
    let colours: Vec<f32> = TorchGenerator::new(0).randn(3 * n * n).into_iter().map(|value| (0.7 * value).clamp(-1.0, 1.0)).collect();
    let node = |colour: usize, row: usize, column: usize| colours[(colour * n + row) * n + column];
    let mut values = Vec::with_capacity(3 * side * side);
    for colour in 0..3 {
        for y in 0..side {
            for x in 0..side {
                let (row, column) = (y / patch, x / patch);
                let (down, right) = ((y % patch) as f32 / patch as f32, (x % patch) as f32 / patch as f32);
                let edge = |row: usize| node(colour, row, column) * (1.0 - right) + node(colour, row, column + 1) * right;
                let gradient = edge(row) * (1.0 - down) + edge(row + 1) * down;
                values.push(if row % 2 == 0 { node(colour, row, column) } else { gradient });
            }
        }
    }
    Ok(Tensor::from_vec(values, (1, 3, side, side), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_encoder_is_inverted_exactly() {
        let colours = patches(32, 4, &Device::Cpu).expect("a picture");
        let channel = |i: usize| colours.narrow(1, i, 1).expect("a channel");
        let (red, green, blue) = (channel(0), channel(1), channel(2));
        let mixed = [
            (&red + &green).expect("sum"),
            (&green - &blue).expect("difference"),
            (blue * 3.0).expect("multiple"),
            (red + 0.5).expect("shift"),
        ];
        let map = PreviewMap::fit(&Tensor::cat(&mixed, 1).expect("latents"), &colours).expect("a fit");
        let found = map.image(&Tensor::cat(&mixed, 1).expect("latents")).expect("an image");
        let wanted = pixels::to_image(&pixels::to_unit(&colours).expect("unit")).expect("an image");
        let worst = found.as_raw().iter().zip(wanted.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(1), "{worst:?}");
    }

    #[test]
    fn a_published_map_is_told_by_its_latents() {
        let channels: Vec<usize> = PUBLISHED.iter().map(|map| map.weights.len()).collect();
        assert_eq!(channels, [4, 4, 16]);
        for (i, map) in PUBLISHED.iter().enumerate() {
            assert!(PUBLISHED[..i].iter().all(|other| (other.scaling_factor - map.scaling_factor).abs() > 1e-3), "{}", map.scaling_factor);
        }
    }
}
