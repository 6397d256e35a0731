//! What must be equal for the same numbers to come out.

use std::fmt;

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};

use crate::ops::cpu::kernels;

/// Version of the engine's numbers: raised with every change after which any picture on any device differs in any bit.
pub const NUMBERS: u32 = 1;

/// The libraries that a GPU's kernels come from, which a build chooses.
const GPU_KERNELS: &str = match (cfg!(feature = "cudnn"), cfg!(feature = "flash-attn")) {
    (false, false) => "candle",
    (true, false) => "cudnn",
    (false, true) => "flash-attn",
    (true, true) => "cudnn-flash-attn",
};

/// What must be equal for the same numbers to come out: kind and model of the device, precision, kernels, and the version of the engine's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceClass {
    /// Its kind.
    pub kind: DeviceKind,
    /// For a processor its architecture and system, such as `x86_64-linux`; for a GPU its name.
    pub model: String,
    /// Type of weights and activations, such as `f32`.
    pub precision: String,
    /// The set of code paths that the processor's features or the build choose, such as `x86-64-v3`.
    pub kernels: String,
    /// Version of the engine's numbers, see [`NUMBERS`].
    pub numbers: u32,
}

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A GPU of NVIDIA.
    Cuda,
    /// A GPU of Apple.
    Metal,
}

impl DeviceClass {
    /// The class of a device that computes in a type.
    pub fn of(device: &Device, dtype: DType) -> Self {
        let processor = || format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let (kind, model) = match device {
            Device::Cpu => (DeviceKind::Cpu, processor()),
            Device::Cuda(_) => (DeviceKind::Cuda, gpu_name(device)),
            Device::Metal(_) => (DeviceKind::Metal, processor()),
        };
        let kernels = if device.is_cpu() { kernels::name() } else { GPU_KERNELS };
        Self { kind, model, precision: dtype.as_str().to_owned(), kernels: kernels.to_owned(), numbers: NUMBERS }
    }
}

impl fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, precision, kernels, .. } = self;
        write!(f, "{model} ({precision}, {kernels})")
    }
}

#[cfg(feature = "cuda")]
fn gpu_name(device: &Device) -> String {
    let name = device.as_cuda_device().ok().and_then(|device| device.cuda_stream().context().name().ok());
    name.unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(not(feature = "cuda"))]
fn gpu_name(_: &Device) -> String {
    "unknown".to_owned()
}
