//! Weighted sums and bounds of latents.

use candle_core::{DType, Tensor};

use crate::{error::InferenceError, schedule::Threshold};

/// The sum of tensors, each times its weight; those of weight 0 are left out, so that they may hold infinities.
pub(super) fn mix<'a>(terms: impl IntoIterator<Item = (f64, &'a Tensor)>) -> Result<Tensor, InferenceError> {
    let mut sum: Option<Tensor> = None;
    let mut shape = None;
    for (weight, tensor) in terms {
        shape = Some(tensor);
        if weight != 0.0 {
            let term = (tensor * weight)?;
            sum = Some(match sum {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
    }
    match (sum, shape) {
        (Some(sum), _) => Ok(sum),
        (None, Some(tensor)) => Ok(tensor.zeros_like()?),
        (None, None) => Err(candle_core::Error::Msg("no tensors to mix".into()).into()),
    }
}

/// Dynamic thresholding of each row: bounded by the quantile of its absolute values, at least 1, and divided by it.
pub(super) fn thresholded(denoised: &Tensor, threshold: Threshold) -> Result<Tensor, InferenceError> {
    let rows = (0..denoised.dim(0)?).map(|row| {
        let row = denoised.narrow(0, row, 1)?;
        let mut sizes = row.abs()?.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        sizes.sort_unstable_by(f32::total_cmp);
        let position = threshold.ratio.clamp(0.0, 1.0) * (sizes.len() - 1) as f64;
        let low = position.floor() as usize;
        let (below, above) = (f64::from(sizes[low]), f64::from(sizes[(low + 1).min(sizes.len() - 1)]));
        let quantile = below + (above - below) * (position - low as f64);
        let bound = quantile.max(1.0).min(threshold.max);
        Ok((row.clamp(-bound, bound)? / bound)?)
    });
    Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, InferenceError>>()?, 0)?)
}
