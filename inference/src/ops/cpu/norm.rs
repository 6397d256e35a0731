//! Normalisation, one task per group or per few rows.

use rayon::prelude::*;

use super::math::{silu, sum, vectorised};

/// The learned part of a normalisation.
#[derive(Clone, Copy)]
pub struct Affine<'a> {
    /// Factors.
    pub weight: &'a [f32],
    /// Summands.
    pub bias: &'a [f32],
    /// Added to the variance.
    pub eps: f64,
}

/// Group normalisation of `[n, channels, plane]`, with SiLU after it if wanted.
pub fn group_norm(input: &[f32], n_groups: usize, plane: usize, affine: Affine<'_>, with_silu: bool) -> Vec<f32> {
    let channels = affine.weight.len() / n_groups;
    let mut out = vec![0.0; input.len()];
    out.par_chunks_mut(channels * plane).zip(input.par_chunks(channels * plane)).enumerate().for_each(|(group, (out, input))| {
        let first = group % n_groups * channels;
        vectorised(
            #[inline(always)]
            || {
                let (mean, scale) = moments(input, affine.eps);
                for (channel, (out, input)) in out.chunks_exact_mut(plane).zip(input.chunks_exact(plane)).enumerate() {
                    let factor = affine.weight[first + channel] * scale;
                    let summand = affine.bias[first + channel] - mean * factor;
                    if with_silu {
                        out.iter_mut().zip(input).for_each(|(out, value)| *out = silu(value * factor + summand));
                    } else {
                        out.iter_mut().zip(input).for_each(|(out, value)| *out = value * factor + summand);
                    }
                }
            },
        )
    });
    out
}

/// Layer normalisation of rows.
pub fn layer_norm(input: &[f32], affine: Affine<'_>) -> Vec<f32> {
    let width = affine.weight.len();
    let mut out = vec![0.0; input.len()];
    out.par_chunks_mut(width).zip(input.par_chunks(width)).with_min_len(32).for_each(|(out, input)| {
        vectorised(
            #[inline(always)]
            || {
                let (mean, scale) = moments(input, affine.eps);
                for (((out, value), weight), bias) in out.iter_mut().zip(input).zip(affine.weight).zip(affine.bias) {
                    *out = (value - mean) * scale * weight + bias;
                }
            },
        )
    });
    out
}

/// Root-mean-square normalisation of rows as wide as `weight`.
pub fn rms_norm(input: &[f32], weight: &[f32], eps: f64) -> Vec<f32> {
    let width = weight.len();
    let mut out = vec![0.0; input.len()];
    out.par_chunks_mut(width).zip(input.par_chunks(width)).with_min_len(32).for_each(|(out, input)| {
        vectorised(
            #[inline(always)]
            || {
                let scale = (1.0 / (sum(input, |value| value * value) / width as f64 + eps).sqrt()) as f32;
                for ((out, value), weight) in out.iter_mut().zip(input).zip(weight) {
                    *out = value * scale * weight;
                }
            },
        )
    });
    out
}

/// Mean and one over the deviation.
#[inline(always)]
fn moments(values: &[f32], eps: f64) -> (f32, f32) {
    let n = values.len() as f64;
    let mean = (sum(values, |value| value) / n) as f32;
    let variance = sum(values, |value| (value - mean) * (value - mean)) / n;
    (mean, (1.0 / (variance + eps).sqrt()) as f32)
}
