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

/// What metrics call a device, by its place among all: as people do, and alike ones by their numbers, such as `cpu:1 (f32)`.
pub(super) fn label(choices: &[DeviceChoice], place: usize, precision: Precision) -> String {
    let Some(&choice) = choices.get(place) else { return String::new() };
    let n_alike = |choices: &[DeviceChoice]| choices.iter().filter(|other| **other == choice).count();
    if n_alike(choices) < 2 {
        return name(choice, precision);
    }
    format!("{choice}:{} ({})", n_alike(&choices[..place]), dtype(choice, precision).1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_a_label_of_its_own() {
        use DeviceChoice::{Cpu, Cuda};
        for (choices, precision, expected) in [
            (&[Cpu][..], Precision::F32, &["cpu (f32)"][..]),
            (&[Cpu, Cpu], Precision::Bf16, &["cpu:0 (f32)", "cpu:1 (f32)"]),
            (&[Cuda(0), Cuda(1)], Precision::Bf16, &["cuda:0 (bf16)", "cuda:1 (bf16)"]),
            (&[Cuda(0), Cpu, Cuda(0)], Precision::F16, &["cuda:0:0 (f16)", "cpu (f32)", "cuda:0:1 (f16)"]),
        ] {
            let labels: Vec<String> = (0..choices.len()).map(|place| label(choices, place, precision)).collect();
            assert_eq!(labels, expected, "{choices:?}");
        }
    }
}
