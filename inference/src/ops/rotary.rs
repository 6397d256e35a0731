//! Rotary position embedding.

use candle_core::{DType, Device, Result, Tensor};

pub use super::cpu::rotary::Pairs;
use super::cpu::{self, let_floats};

/// Turns the pairs of numbers of each head by angles that say where a token is (Su et al. 2021).
#[derive(Clone)]
pub struct Rotary {
    cosines: Tensor,
    sines: Tensor,
    pairs: Pairs,
}

impl Rotary {
    /// From the angles `[tokens, width / 2]` in radians.
    pub fn new(angles: &[f32], half_width: usize, pairs: Pairs, device: &Device) -> Result<Self> {
        // In double precision, since the angles may be many turns.
        let of = |function: fn(f64) -> f64| -> Result<Tensor> {
            let values: Vec<f32> = angles.iter().map(|angle| function(f64::from(*angle)) as f32).collect();
            Tensor::from_vec(values, (angles.len() / half_width, half_width), device)
        };
        Ok(Self { cosines: of(f64::cos)?, sines: of(f64::sin)?, pairs })
    }

    /// Places of these tokens and then of those of `other`.
    pub fn then(&self, other: &Self) -> Result<Self> {
        let cosines = Tensor::cat(&[&self.cosines, &other.cosines], 0)?;
        Ok(Self { cosines, sines: Tensor::cat(&[&self.sines, &other.sines], 0)?, pairs: self.pairs })
    }

    /// Turns `[n, tokens, heads · width]`.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let ((_, n_tokens, all), (n_places, half)) = (input.dims3()?, self.cosines.dims2()?);
        if n_tokens != n_places || all % (2 * half) != 0 {
            candle_core::bail!("{n_places} places of heads of {} for {:?}", 2 * half, input.shape());
        }
        if !(cpu::takes(input) && cpu::takes(&self.cosines)) {
            return self.plain(input);
        }
        let_floats!(values = input);
        let_floats!(cosines = self.cosines);
        let_floats!(sines = self.sines);
        let turned = cpu::rotary::rotate(values, (cosines, sines), (half, all), self.pairs);
        Tensor::from_vec(turned, input.shape(), &Device::Cpu)
    }

    pub(super) fn plain(&self, input: &Tensor) -> Result<Tensor> {
        let ((n, n_tokens, all), half) = (input.dims3()?, self.cosines.dim(1)?);
        let n_heads = all / (2 * half);
        let (axis, shape) = match self.pairs {
            Pairs::Adjacent => (4, (n, n_tokens, n_heads, half, 2)),
            Pairs::Halves => (3, (n, n_tokens, n_heads, 2, half)),
        };
        let pairs = input.contiguous()?.reshape(shape)?.to_dtype(DType::F32)?;
        let (a, b) = (pairs.narrow(axis, 0, 1)?.squeeze(axis)?, pairs.narrow(axis, 1, 1)?.squeeze(axis)?);
        let angles = |of: &Tensor| of.reshape((1, n_tokens, 1, half));
        let (cosines, sines) = (angles(&self.cosines)?, angles(&self.sines)?);
        let first = (a.broadcast_mul(&cosines)? - b.broadcast_mul(&sines)?)?;
        let second = (a.broadcast_mul(&sines)? + b.broadcast_mul(&cosines)?)?;
        Tensor::stack(&[first, second], axis)?.to_dtype(input.dtype())?.reshape(input.shape())
    }
}
