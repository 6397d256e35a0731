//! Weights of words.

use candle_core::{DType, Result, Tensor};

/// A chunk's hidden state `[1, n, width]` with each token multiplied by its weight and the mean over all numbers restored
/// (AUTOMATIC1111 web UI, `modules/sd_emphasis.py`, "Original"). Without any weight not a bit changes.
pub fn emphasise(hidden: &Tensor, weights: &[f32]) -> Result<Tensor> {
    if weights.iter().all(|weight| *weight == 1.0) {
        return Ok(hidden.clone());
    }
    let mut values: Vec<f32> = hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let before = mean(&values);
    for (row, weight) in values.chunks_mut(hidden.dim(2)?).zip(weights) {
        row.iter_mut().for_each(|value| *value *= weight);
    }
    // Where the weights cancel each other there is no mean to restore.
    let ratio = Some(before / mean(&values)).filter(|ratio| ratio.is_finite()).unwrap_or(1.0);
    values.iter_mut().for_each(|value| *value *= ratio);
    Tensor::from_vec(values, hidden.shape(), &candle_core::Device::Cpu)?.to_dtype(hidden.dtype())?.to_device(hidden.device())
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64) as f32
}
