//! Super-resolution networks, told apart by what their files hold.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::{
    compact::{self, Compact},
    rrdb::{self, Rrdb},
};
use crate::{checkpoint::Weights, error::InferenceError, vae::tiling::Cropped};

/// Side of the tiles that large pictures are cut into, without their overlap.
const TILE: usize = 192;

/// What may stand before the names in a file.
const PREFIXES: [&str; 3] = ["params_ema", "params", ""];

fn open(file: &Path, device: &Device, dtype: DType) -> Result<Weights, InferenceError> {
    let unreadable = |reason: &str| InferenceError::Unreadable { path: file.to_owned(), reason: reason.to_owned() };
    if !file.is_file() {
        return Err(unreadable("there is no such file"));
    }
    if file.extension().is_some_and(|extension| ["pth", "pt", "ckpt", "bin"].iter().any(|pickle| extension == *pickle)) {
        return Err(unreadable("pickle files are refused because they can run code; convert it to safetensors"));
    }
    Weights::open(&[file.to_owned()], device, dtype)
}

fn neither(file: &Path) -> InferenceError {
    let what = "a network that is neither ESRGAN's (RRDBNet) nor Real-ESRGAN's compact one (SRVGGNetCompact)";
    InferenceError::Unsupported { path: file.to_owned(), what: what.to_owned() }
}

/// A loaded super-resolution network.
pub struct Upscaler {
    network: Network,
    device: Device,
    dtype: DType,
}

enum Network {
    Compact(Compact),
    Rrdb(Box<Rrdb>),
}

impl Upscaler {
    /// Loads a safetensors file: Real-ESRGAN's compact network or ESRGAN's own (RRDBNet, in any of its namings), with or without `params_ema.` or
    /// `params.` before the names. Float32 on the processor, float16 elsewhere.
    ///
    /// # Errors
    /// `Unreadable`, `Unsupported`, `MissingTensor` or `WrongShape`, naming the file.
    pub fn load(file: &Path, device: &Device) -> Result<Self, InferenceError> {
        let dtype = if device.is_cpu() { DType::F32 } else { DType::F16 };
        let weights = open(file, device, dtype)?;
        for prefix in PREFIXES {
            let weights = weights.at(prefix);
            let network = match (Rrdb::load(&weights)?, weights.has("body.0.weight")) {
                (Some(network), _) => Network::Rrdb(Box::new(network)),
                (None, true) => Network::Compact(Compact::load(&weights)?),
                (None, false) => continue,
            };
            return Ok(Self { network, device: device.clone(), dtype });
        }
        Err(neither(file))
    }

    /// How many times larger the network of a file makes pictures, from its header alone.
    ///
    /// # Errors
    /// `Unreadable`, `Unsupported` or `MissingTensor`, naming the file.
    pub fn factor_of(file: &Path) -> Result<u32, InferenceError> {
        let weights = open(file, &Device::Cpu, DType::F32)?;
        for prefix in PREFIXES {
            let weights = weights.at(prefix);
            match (rrdb::Shape::of(&weights)?, weights.has("body.0.weight")) {
                (Some(shape), _) => return Ok(shape.factor() as u32),
                (None, true) => return Ok(compact::Shape::of(&weights)?.factor as u32),
                (None, false) => {}
            }
        }
        Err(neither(file))
    }

    /// How many times larger pictures become.
    pub fn factor(&self) -> u32 {
        match &self.network {
            Network::Compact(network) => network.factor as u32,
            Network::Rrdb(network) => network.factor() as u32,
        }
    }

    /// Pictures `[n, 3, h·factor, w·factor]` of `[n, 3, h, w]`, both in 0..1 (not clamped); float32 in main memory.
    ///
    /// Large pictures go through in tiles, so that the memory beside the result stays below half a gigabyte. The compact network's tiles overlap by
    /// all that a pixel depends on; those of RRDBNet, where that is hundreds of pixels, by 32, which changes
    /// no pixel by a whole step of 1/255 in what was measured.
    pub fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError> {
        self.upscale_in_tiles(pixels, TILE)
    }

    /// The same with tiles of at most `side` pixels.
    pub fn upscale_in_tiles(&self, pixels: &Tensor, side: usize) -> Result<Tensor, InferenceError> {
        let pixels = pixels.to_device(&self.device)?.to_dtype(self.dtype)?;
        Ok(match &self.network {
            Network::Compact(network) => {
                Cropped { side, reach: network.reach(), factor: network.factor }.run(&pixels, |tile| network.forward(tile))?
            }
            Network::Rrdb(network) => network.upscale(&pixels, side)?,
        })
    }
}
