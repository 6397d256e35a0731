//! Prompts read a little differently: noise on what the text encoders made of them.

use candle_core::{D, DType, Device, Result, Tensor};

use crate::noise::TorchGenerator;

/// A change of what a prompt became, drawn from a seed.
///
/// Every number of a feature becomes `m + (y - m) * sqrt(1 - a²) + a * s * n`, where `m` and `s` are the feature's mean and standard deviation over the
/// prompt's tokens, `a` is the amount and `n` standard normal noise: mean and spread stay as they are, as in Sadat et al. 2023 (CADS, section 3), there over
/// all numbers and less from step to step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// What its noise is drawn from.
    pub seed: u64,
    /// Share of noise, 0.0 (none) to 1.0 (nothing else).
    pub amount: f64,
}

impl Drift {
    /// `values` `[1, tokens, width]`, or `[1, width]` of the prompt as a whole, changed. The noise is drawn on the processor.
    pub(crate) fn of(drifts: &[Self], values: &Tensor) -> Result<Tensor> {
        drifts.iter().try_fold(values.clone(), |values, drift| drift.on(&values))
    }

    fn on(self, values: &Tensor) -> Result<Tensor> {
        let numbers = values.to_dtype(DType::F32)?;
        // Of one row every number is its own feature: its spread is that of the row.
        let over = if values.rank() > 2 { D::Minus2 } else { D::Minus1 };
        let mean = numbers.mean_keepdim(over)?;
        let apart = numbers.broadcast_sub(&mean)?;
        let spread = apart.sqr()?.mean_keepdim(over)?.sqrt()?;
        let noise = TorchGenerator::new(self.seed).randn(values.elem_count());
        let noise = Tensor::from_vec(noise, values.shape(), &Device::Cpu)?.to_device(values.device())?;
        let kept = (apart * (1.0 - self.amount * self.amount).max(0.0).sqrt())?;
        let drifted = (kept + noise.broadcast_mul(&(spread * self.amount)?)?)?.broadcast_add(&mean)?;
        drifted.to_dtype(values.dtype())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seed: u64) -> Tensor {
        let noise = TorchGenerator::new(seed).randn(40 * 8);
        Tensor::from_vec(noise, (1, 40, 8), &Device::Cpu).and_then(|noise| (noise * 3.0)? + 2.0).expect("numbers")
    }

    fn distance(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).and_then(|difference| difference.sqr()?.mean_all()?.sqrt()?.to_scalar()).expect("a number")
    }

    #[test]
    fn it_grows_with_its_amount_and_keeps_the_spread() {
        let plain = values(1);
        let drifted = |seed, amount| Drift::of(&[Drift { seed, amount }], &plain).expect("numbers");
        assert_eq!(distance(&plain, &Drift::of(&[], &plain).expect("numbers")), 0.0);
        let distances = [0.1, 0.3, 0.6, 0.9].map(|amount| distance(&plain, &drifted(5, amount)));
        assert!(distances.is_sorted_by(|a, b| a < b), "{distances:?}");
        let spread =
            |values: &Tensor| distance(values, &values.mean_keepdim(1).and_then(|mean| mean.broadcast_as(values.shape())).expect("means"));
        for amount in [0.1, 0.5, 0.9] {
            let ratio = spread(&drifted(5, amount)) / spread(&plain);
            assert!((ratio - 1.0).abs() < 0.15, "{amount}: {ratio}");
        }
        assert_eq!(distance(&drifted(5, 0.3), &drifted(5, 0.3)), 0.0, "one seed, one reading");
        assert!(distance(&drifted(5, 0.3), &drifted(6, 0.3)) > 0.5);
        let pooled = plain.narrow(1, 0, 1).and_then(|row| row.squeeze(1)).expect("a row");
        assert_eq!(Drift::of(&[Drift { seed: 1, amount: 0.5 }], &pooled).expect("numbers").dims(), [1, 8]);
    }
}
