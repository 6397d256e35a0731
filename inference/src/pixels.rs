//! Between pictures and tensors, rounding as diffusers' `VaeImageProcessor`.

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use crate::{error::InferenceError, host, ops::cpu::let_floats};

/// A picture as `[1, 3, height, width]` in 0..1.
pub(crate) fn to_tensor(image: &RgbImage, device: &Device) -> Result<Tensor, InferenceError> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let values: Vec<f32> = image.as_raw().iter().map(|&value| f32::from(value) / 255.0).collect();
    let rows = Tensor::from_vec(values, (1, height, width, 3), &Device::Cpu)?;
    Ok(rows.permute((0, 3, 1, 2))?.contiguous()?.to_device(device)?)
}

/// The picture in `[1, 3, height, width]` with values in 0..1; what lies outside is clamped.
pub(crate) fn to_image(pixels: &Tensor) -> Result<RgbImage, InferenceError> {
    let (_, _, height, width) = pixels.dims4()?;
    let pixels = host::tensor(pixels)?.to_dtype(DType::F32)?;
    // Read where they are: an enlarged picture's numbers are most of a gigabyte.
    let_floats!(values = pixels);
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let plane = height * width;
    let bytes = (0..plane).flat_map(|pixel| [0, 1, 2].map(|colour| byte(values[colour * plane + pixel]))).collect();
    Ok(RgbImage::from_raw(width as u32, height as u32, bytes).expect("three bytes a pixel"))
}

/// From -1..1 to 0..1.
pub(crate) fn to_unit(pixels: &Tensor) -> Result<Tensor, InferenceError> {
    Ok(pixels.affine(0.5, 0.5)?)
}

/// From 0..1 to -1..1.
pub(crate) fn from_unit(pixels: &Tensor) -> Result<Tensor, InferenceError> {
    Ok(pixels.affine(2.0, -1.0)?)
}

/// Whether every value is a number.
pub(crate) fn is_finite(tensor: &Tensor) -> Result<bool, InferenceError> {
    Ok(host::floats(&tensor.sum_all()?)?.iter().all(|sum| sum.is_finite()))
}
