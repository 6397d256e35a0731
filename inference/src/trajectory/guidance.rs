//! Classifier-free guidance: from two rows of the network to the clean latents of one picture.

use std::cell::Cell;

use candle_core::{DType, Tensor};

use super::Kept;
use crate::{
    batcher::{Caller, Prompt},
    error::InferenceError,
    family::GuidanceRule,
    sampler::{Denoiser, NoiseLevel},
    schedule::Prediction,
};

/// The denoiser of one picture: its rows go to the network with those of other pictures.
pub(crate) struct Guided<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) prediction: Prediction,
    pub(crate) rule: GuidanceRule,
    pub(crate) guidance_scale: f64,
    pub(crate) guidance_rescale: f64,
    /// The negative prompt; `None` without guidance.
    pub(crate) negative: Option<&'a Prompt>,
    pub(crate) positive: &'a Prompt,
    /// Whether guidance is on in this step.
    pub(crate) is_on: Cell<bool>,
    pub(crate) kept: &'a Kept,
}

impl Denoiser for Guided<'_> {
    /// Two independent rows where guidance is on, one where it is not.
    async fn denoise(&self, latents: &Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        let input = self.kept.input((latents * self.prediction.input_scale(at))?)?;
        let predict = async |prompt: &Prompt| self.caller.predict(&input, at.timestep, prompt).await;
        let output = match self.negative.filter(|_| self.is_on.get()) {
            Some(negative) => {
                let (negative, positive) = futures::try_join!(predict(negative), predict(self.positive))?;
                let guided = self.rule.guided(&negative, &positive, self.guidance_scale)?;
                rescaled(guided, &positive, self.guidance_rescale)?
            }
            None => predict(self.positive).await?,
        };
        self.prediction.denoised(latents, &output, at)
    }

    fn read(&self, latents: &Tensor) -> impl Future<Output = Result<Vec<f32>, InferenceError>> {
        self.caller.read(latents)
    }

    fn hold(&self, latents: Tensor, at: NoiseLevel) -> Result<Tensor, InferenceError> {
        self.kept.within(latents, at)
    }
}

/// `guided` brought `share` of the way to the spread of `positive` (Lin et al. 2023, section 3.4).
fn rescaled(guided: Tensor, positive: &Tensor, share: f64) -> Result<Tensor, InferenceError> {
    if share == 0.0 {
        return Ok(guided);
    }
    let factor = (deviation(positive)? / deviation(&guided)?)?.affine(share, 1.0 - share)?;
    Ok(guided.broadcast_mul(&factor.to_dtype(guided.dtype())?)?)
}

/// Standard deviation over all values, unbiased as torch's, as one number that stays on the device.
fn deviation(values: &Tensor) -> Result<Tensor, InferenceError> {
    let values = values.to_dtype(DType::F64)?;
    let n_free = Tensor::new(values.elem_count() as f64 - 1.0, values.device())?;
    let squares = values.broadcast_sub(&values.mean_all()?)?.sqr()?.sum_all()?;
    Ok((squares / n_free)?.sqrt()?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::noise::TorchGenerator;

    /// The same with numbers that are read.
    fn rescaled_by_scalars(guided: &Tensor, positive: &Tensor, share: f64) -> Tensor {
        let deviation = |values: &Tensor| {
            let values = values.flatten_all()?.to_dtype(DType::F64)?;
            let mean = values.mean_all()?.to_scalar::<f64>()?;
            let squares = (values.clone() - mean)?.sqr()?.sum_all()?.to_scalar::<f64>()?;
            Ok::<_, candle_core::Error>((squares / (values.elem_count() as f64 - 1.0)).sqrt())
        };
        let factor = deviation(positive).expect("a number") / deviation(guided).expect("a number");
        (guided * (share * factor + (1.0 - share))).expect("numbers")
    }

    #[test]
    fn a_rescaled_prediction_has_the_bits_that_reading_would_give() {
        for seed in 0..20 {
            let mut noise = TorchGenerator::new(seed);
            let mut row = |scale: f64| {
                let values = Tensor::from_vec(noise.randn(4 * 9 * 7), (1, 4, 9, 7), &Device::Cpu).expect("a row");
                (values * scale).expect("a row")
            };
            let (guided, positive) = (row(3.0), row(0.9));
            for share in [0.0, 0.3, 0.7, 1.0] {
                let found = rescaled(guided.clone(), &positive, share).expect("a row");
                let bits = |row: &Tensor| {
                    row.flatten_all()
                        .and_then(|row| row.to_vec1::<f32>())
                        .expect("numbers")
                        .into_iter()
                        .map(f32::to_bits)
                        .collect::<Vec<_>>()
                };
                assert_eq!(bits(&found), bits(&rescaled_by_scalars(&guided, &positive, share)), "{seed} {share}");
            }
        }
    }
}
