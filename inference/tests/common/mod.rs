//! What the tests of the networks share.

pub mod families;

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use inference::family::stable_diffusion::{Conditioning, Model};

pub fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/starter")
}

pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

pub fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

pub fn max_difference(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    floats(found)
        .iter()
        .zip(floats(expected))
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, |a: f32, b| if b.is_nan() { b } else { a.max(b) })
}

/// Peak signal-to-noise ratio in dB for values that span `range`.
pub fn psnr(found: &Tensor, expected: &Tensor, range: f64) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let (found, expected) = (floats(found), floats(expected));
    let error: f64 = found.iter().zip(&expected).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / found.len() as f64;
    10.0 * (range * range / error).log10()
}

/// A picture as `[1, 3, h, w]` in 0..1.
pub fn picture(image: &image::RgbImage) -> Tensor {
    let (width, height) = image.dimensions();
    let bytes = Tensor::from_slice(image.as_raw(), (height as usize, width as usize, 3), &Device::Cpu).unwrap();
    (bytes.permute((2, 0, 1)).unwrap().contiguous().unwrap().to_dtype(candle_core::DType::F32).unwrap() / 255.0)
        .unwrap()
        .unsqueeze(0)
        .unwrap()
}

pub fn read_picture(path: &Path) -> Tensor {
    picture(&image::open(path).unwrap().into_rgb8())
}

/// The U-Net's answer to rows of latents and of prompt embeddings `[n, tokens, d]`.
pub fn predict(model: &Model, latents: &Tensor, timesteps: &[f64], context: &Tensor) -> Tensor {
    let row = |row| Conditioning { context: context.narrow(0, row, 1).unwrap().contiguous().unwrap(), pooled: None };
    let prompts: Vec<_> = (0..context.dim(0).unwrap()).map(|i| model.prepare(&row(i), &[]).unwrap()).collect();
    model.predict(latents, timesteps, &prompts.iter().collect::<Vec<_>>()).unwrap()
}
