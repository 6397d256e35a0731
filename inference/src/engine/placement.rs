//! Where to compute and in what type.

use candle_core::{DType, Device};

use super::{DeviceChoice, Precision};
use crate::error::InferenceError;

/// The type that networks compute in, and its name.
pub(super) fn dtype(choice: DeviceChoice, precision: Precision) -> (DType, &'static str) {
    match (precision, choice) {
        (Precision::F32, _) | (Precision::Bf16 | Precision::F16, DeviceChoice::Cpu) => (DType::F32, "f32"),
        (Precision::Bf16, DeviceChoice::Cuda(_)) => (DType::BF16, "bf16"),
        (Precision::F16, DeviceChoice::Cuda(_)) => (DType::F16, "f16"),
    }
}

/// For people, such as `cpu (f32)`.
pub(super) fn name(choice: DeviceChoice, precision: Precision) -> String {
    let (_, dtype) = dtype(choice, precision);
    format!("{choice} ({dtype})")
}

/// For people: several devices, such as `cuda:0, cuda:1 (bf16)`.
pub(super) fn names(choices: &[DeviceChoice], precision: Precision) -> String {
    let dtype = choices.first().map_or("f32", |&choice| dtype(choice, precision).1);
    let names: Vec<String> = choices.iter().map(DeviceChoice::to_string).collect();
    format!("{} ({dtype})", names.join(", "))
}

#[cfg(feature = "cuda")]
pub(super) fn open(choice: DeviceChoice) -> Result<Device, InferenceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(n) => {
            Device::new_cuda(n).map_err(|error| InferenceError::Device { device: choice.to_string(), reason: error.to_string() })
        }
    }
}

#[cfg(not(feature = "cuda"))]
pub(super) fn open(choice: DeviceChoice) -> Result<Device, InferenceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(_) => {
            let reason = "this build has no CUDA; build with `--features cuda`".into();
            Err(InferenceError::Device { device: choice.to_string(), reason })
        }
    }
}
