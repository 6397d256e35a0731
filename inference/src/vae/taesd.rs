//! The tiny autoencoder's decoder (madebyollin's TAESD, diffusers' `AutoencoderTiny`): pictures of latents in a fraction of the VAE's time.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::tiling::Cropped;
use crate::layers::conv;
use crate::{
    checkpoint::{Weights, hf_folder::read_json},
    error::InferenceError,
    ops::{Conv2d, ConvOptions, upsample_nearest},
};

/// Longest side in latents that is decoded at once.
const TILE: usize = 96;

/// A loaded tiny decoder.
pub struct Taesd {
    first: Conv2d,
    layers: Vec<Layer>,
    latent_channels: usize,
    device: Device,
    dtype: DType,
}

enum Layer {
    Block(Box<Block>),
    Double,
    Conv(Conv2d),
}

/// Three convolutions beside a shortcut.
struct Block {
    convs: [Conv2d; 3],
    shortcut: Option<Conv2d>,
}

/// Which latents a tiny decoder is for; their numbers of channels are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaesdKind {
    /// Those of Stable Diffusion 1 and 2.
    StableDiffusion,
    /// Those of Stable Diffusion XL.
    StableDiffusionXl,
    /// Those of FLUX.1, whose autoencoder other families have too.
    Flux,
}

impl TaesdKind {
    /// The kind of the models with this scaling factor; Stable Diffusion 1 and 2 have 0.18215, and tiny ones of tests any other.
    pub fn of_scaling_factor(scaling_factor: f64) -> Self {
        let known = [(0.13025, Self::StableDiffusionXl), (0.3611, Self::Flux)];
        known.into_iter().find(|(known, _)| (scaling_factor - known).abs() < 1e-6).map_or(Self::StableDiffusion, |(_, kind)| kind)
    }

    fn name(self) -> &'static str {
        match self {
            Self::StableDiffusion => "taesd",
            Self::StableDiffusionXl => "taesdxl",
            Self::Flux => "taef1",
        }
    }
}

impl Taesd {
    /// The decoder that lies with a model (a folder, or a file in one): `taesd/`, `vae_approx/taesd_decoder.safetensors` and the like.
    pub fn find(model: &Path, kind: TaesdKind) -> Option<PathBuf> {
        let folder = if model.is_dir() { model } else { model.parent()? };
        let name = kind.name();
        let file = format!("{name}_decoder.safetensors");
        // Stable Diffusion's two kinds have equally many channels, and the folder's owner knows which one it is.
        let common = if kind == TaesdKind::Flux { name } else { "taesd" };
        let candidates =
            [folder.join(name), folder.join(common), folder.join("vae_approx").join(&file), folder.join("vae_approx").join(name)];
        candidates.into_iter().find(|path| if path.is_dir() { weights_file(path).is_some() } else { path.is_file() })
    }

    /// Loads a diffusers folder (`AutoencoderTiny`) or a safetensors file with its names or the original's numbers.
    /// Float32 on the processor, float16 elsewhere.
    ///
    /// # Errors
    /// `Unreadable`, `Unsupported`, `MissingTensor` or `WrongShape`, naming the file.
    pub fn load(path: &Path, device: &Device) -> Result<Self, InferenceError> {
        let dtype = if device.is_cpu() { DType::F32 } else { DType::F16 };
        let (weights, first) = Self::open(path, device, dtype)?;
        Self::read(&weights, first, device, dtype)
    }

    /// The weights below the decoder's names, and the number of its first layer.
    fn open(path: &Path, device: &Device, dtype: DType) -> Result<(Weights, usize), InferenceError> {
        let file = if path.is_dir() {
            check_config(&path.join("config.json"))?;
            let missing =
                || InferenceError::Unreadable { path: path.to_owned(), reason: "it holds no safetensors file of a tiny decoder".into() };
            weights_file(path).ok_or_else(missing)?
        } else {
            path.to_owned()
        };
        if !file.is_file() {
            return Err(InferenceError::Unreadable { path: file, reason: "there is no such file".into() });
        }
        let weights = Weights::open(&[file], device, dtype)?;
        // The original counts the clamp, which has no weights; diffusers does not.
        let namings = [("decoder.layers", 0), ("decoder", 1), ("taesd_decoder", 1), ("", 1)];
        let naming = namings.into_iter().find(|(prefix, first)| weights.at(prefix).has(&format!("{first}.weight")));
        let (prefix, first) = naming.ok_or_else(|| InferenceError::Unsupported {
            path: weights.path().to_owned(),
            what: "a network without a tiny decoder's names (`decoder.layers.0.weight` or `1.weight`)".into(),
        })?;
        Ok((weights.at(prefix), first))
    }

    /// How many numbers the decoder has, from headers alone.
    ///
    /// # Errors
    /// As [`Taesd::load`], as far as headers tell.
    pub fn n_parameters(path: &Path) -> Result<u64, InferenceError> {
        let (weights, first) = Self::open(path, &Device::Cpu, DType::F32)?;
        weights.n_numbers(|weights| Self::read(weights, first, &Device::Cpu, DType::F32).map(drop))
    }

    /// Looks whether a decoder can be loaded and fits a model's latents, as far as headers tell.
    ///
    /// # Errors
    /// As [`Taesd::load_for`].
    pub fn check_for(path: &Path, latent_channels: usize, factor: usize) -> Result<(), InferenceError> {
        let (weights, first) = Self::open(path, &Device::Cpu, DType::F32)?;
        let check = |weights: &Weights| Self::read(weights, first, &Device::Cpu, DType::F32)?.fits(path, latent_channels, factor);
        weights.n_numbers(check).map(drop)
    }

    /// Loads a decoder that must fit a model's latents.
    ///
    /// # Errors
    /// As [`Taesd::load`]; `Unsupported` where channels or size do not fit.
    pub fn load_for(path: &Path, device: &Device, latent_channels: usize, factor: usize) -> Result<Self, InferenceError> {
        let decoder = Self::load(path, device)?;
        decoder.fits(path, latent_channels, factor)?;
        Ok(decoder)
    }

    fn fits(&self, path: &Path, latent_channels: usize, factor: usize) -> Result<(), InferenceError> {
        if (self.latent_channels, self.factor()) == (latent_channels, factor) {
            return Ok(());
        }
        let what = format!(
            "a tiny decoder of {} channels that enlarges {} times, beside a model of {latent_channels} channels and {factor} times,",
            self.latent_channels,
            self.factor()
        );
        Err(InferenceError::Unsupported { path: path.to_owned(), what })
    }

    fn read(weights: &Weights, first: usize, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let [mut width, latent_channels] = ends(&weights.at(first))?;
        let mut layers = Vec::new();
        // After the first convolution comes its rectifier.
        for i in first + 2.. {
            let layer = weights.at(i);
            if layer.has("conv.0.weight") {
                let [out, _] = ends(&layer.at("conv.0"))?;
                layers.push(Layer::Block(Box::new(Block::load(&layer, width, out)?)));
                width = out;
            } else if layer.has("weight") {
                let is_last = !weights.at(i + 1).has("conv.0.weight") && !weights.at(i + 2).has("weight");
                let out = if is_last { 3 } else { ends(&layer)?[0] };
                layers.push(Layer::Conv(conv_maybe_biased(&layer, (width, out), 3)?));
                width = out;
            } else if weights.at(i + 1).has("weight") {
                layers.push(Layer::Double);
            } else {
                break;
            }
        }
        if !matches!(layers.last(), Some(Layer::Conv(_))) {
            let tensor = format!("{}.weight of the last convolution", first + 2 + layers.len());
            return Err(InferenceError::MissingTensor { path: weights.path().to_owned(), tensor });
        }
        let first = conv_maybe_biased(&weights.at(first), (latent_channels, ends(&weights.at(first))?[0]), 3)?;
        Ok(Self { first, layers, latent_channels, device: device.clone(), dtype })
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        self.latent_channels
    }

    /// How many times larger than latents the pictures are.
    pub fn factor(&self) -> usize {
        1 << self.layers.iter().filter(|layer| matches!(layer, Layer::Double)).count()
    }

    /// Pictures `[n, 3, factor·h, factor·w]` in -1..1 (not clamped) of latents `[n, latent_channels, h, w]` as the U-Net has them; float32 in
    /// main memory.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        self.decode_in_tiles(latents, TILE)
    }

    /// The same with tiles of at most `side` latents, which overlap by all that a pixel depends on.
    pub fn decode_in_tiles(&self, latents: &Tensor, side: usize) -> Result<Tensor, InferenceError> {
        let latents = latents.to_device(&self.device)?.to_dtype(self.dtype)?;
        let tiles = Cropped { side, reach: self.reach(), factor: self.factor() };
        Ok(tiles.run(&latents, |tile| self.forward(tile))?)
    }

    fn forward(&self, latents: &Tensor) -> candle_core::Result<Tensor> {
        let clamped = ((latents / 3.0)?.tanh()? * 3.0)?;
        let mut hidden = self.first.forward(&clamped)?.relu()?;
        for layer in &self.layers {
            hidden = match layer {
                Layer::Block(block) => block.forward(&hidden)?,
                Layer::Double => {
                    let (_, _, height, width) = hidden.dims4()?;
                    upsample_nearest(&hidden, (2 * height, 2 * width))?
                }
                Layer::Conv(conv) => conv.forward(&hidden)?,
            };
        }
        hidden.affine(2.0, -1.0)
    }

    /// Latents around it that a pixel sees: one for each convolution, halved by each doubling.
    fn reach(&self) -> usize {
        let (mut reach, mut latent) = (1.0, 1.0);
        for layer in &self.layers {
            match layer {
                Layer::Block(_) => reach += 3.0 * latent,
                Layer::Double => latent *= 0.5,
                Layer::Conv(_) => reach += latent,
            }
        }
        f64::ceil(reach) as usize + 1
    }
}

impl Block {
    fn load(weights: &Weights, width: usize, out: usize) -> Result<Self, InferenceError> {
        let read = |i: usize, width: usize| conv(&weights.at(format!("conv.{i}")), width, out, 3);
        let shortcut = if width == out { None } else { Some(conv_maybe_biased(&weights.at("skip"), (width, out), 1)?) };
        Ok(Self { convs: [read(0, width)?, read(2, out)?, read(4, out)?], shortcut })
    }

    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        let [a, b, c] = &self.convs;
        let hidden = b.forward(&a.forward(input)?.relu()?)?.relu()?;
        let shortcut = self.shortcut.as_ref().map_or(Ok(input.clone()), |shortcut| shortcut.forward(input))?;
        c.forward_add(&hidden, &shortcut)?.relu()
    }
}

fn conv_maybe_biased(weights: &Weights, (channels, out): (usize, usize), kernel: usize) -> Result<Conv2d, InferenceError> {
    let bias = if weights.has("bias") { Some(weights.tensor("bias", &[out])?) } else { None };
    Ok(Conv2d::new(weights.tensor("weight", &[out, channels, kernel, kernel])?, bias, ConvOptions::same(kernel))?)
}

/// Channels out and in of a convolution.
fn ends(weights: &Weights) -> Result<[usize; 2], InferenceError> {
    let shape = weights.shape("weight")?;
    Ok([shape.first().copied().unwrap_or(0), shape.get(1).copied().unwrap_or(0)])
}

/// The file with the weights in a folder.
fn weights_file(folder: &Path) -> Option<PathBuf> {
    [
        "diffusion_pytorch_model.safetensors",
        "diffusion_pytorch_model.fp16.safetensors",
        "taesd_decoder.safetensors",
        "taesdxl_decoder.safetensors",
    ]
    .map(|name| folder.join(name))
    .into_iter()
    .find(|file| file.is_file())
}

/// Refuses what diffusers can configure and no published tiny autoencoder has.
fn check_config(path: &Path) -> Result<(), InferenceError> {
    if !path.is_file() {
        return Ok(());
    }
    let json = read_json(path)?;
    for (key, allowed) in [
        ("_class_name", &["\"AutoencoderTiny\""][..]),
        ("act_fn", &["\"relu\""]),
        ("upsample_fn", &["\"nearest\""]),
        ("upsampling_scaling_factor", &["2"]),
        ("scaling_factor", &["1", "1.0"]),
        ("shift_factor", &["0", "0.0"]),
    ] {
        if let Some(found) = json.get(key).map(ToString::to_string).filter(|found| !allowed.contains(&found.as_str())) {
            return Err(InferenceError::Unsupported { path: path.to_owned(), what: format!("`{key}` {found}") });
        }
    }
    Ok(())
}
