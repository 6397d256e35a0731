//! Devices and number types by their names.

use anyhow::{Context, bail};
use inference::engine::{DeviceChoice, Precision};

/// Reads `cpu` or `cuda:N`.
///
/// # Errors
/// Anything else.
pub fn parse_device(text: &str) -> anyhow::Result<DeviceChoice> {
    match text.split_once(':') {
        None if text == "cpu" => Ok(DeviceChoice::Cpu),
        None if text == "cuda" => Ok(DeviceChoice::Cuda(0)),
        Some(("cuda", ordinal)) => Ok(DeviceChoice::Cuda(ordinal.parse().context("the device must be cpu or cuda:N")?)),
        _ => bail!("the device must be cpu or cuda:N"),
    }
}

/// Reads `f32`, `bf16` or `f16`.
///
/// # Errors
/// Anything else.
pub fn parse_precision(text: &str) -> anyhow::Result<Precision> {
    match text {
        "f32" => Ok(Precision::F32),
        "bf16" => Ok(Precision::Bf16),
        "f16" => Ok(Precision::F16),
        _ => bail!("the precision must be f32, bf16 or f16"),
    }
}
