//! The autoencoder between pictures and latents (diffusers' `AutoencoderKL`).

use candle_core::Tensor;

mod config;
mod part;
pub mod taesd;
pub(crate) mod tiling;

use self::tiling::{Blended, Fit};
pub use self::{config::VaeConfig, part::Vae};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    layers::{
        conv, group_norm, halving_conv, linear,
        resnet::{Resnet, ResnetShape},
    },
    ops::{Attention, Conv2d, GroupNorm, Linear, Padding, attention, to_planes, to_tokens, upsample_nearest},
};

const EPS: f64 = 1e-6;

/// Encoder and decoder.
struct AutoencoderKl {
    encoder: Encoder,
    quant: Option<Conv2d>,
    post_quant: Option<Conv2d>,
    decoder: Decoder,
    latent_channels: usize,
    factor: usize,
    shift: f64,
    /// Numbers of the widest layer for each pixel of a picture, in encoder and decoder.
    widths: (usize, usize),
}

impl AutoencoderKl {
    /// Reads the network.
    fn load(weights: &Weights, config: &VaeConfig) -> Result<Self, InferenceError> {
        let channels = config.latent_channels;
        let quant = |name, channels, is_there: bool| is_there.then(|| conv(&weights.at(name), channels, channels, 1)).transpose();
        Ok(Self {
            encoder: Encoder::load(&weights.at("encoder"), config)?,
            quant: quant("quant_conv", 2 * channels, config.has_quant_conv)?,
            post_quant: quant("post_quant_conv", channels, config.has_post_quant_conv)?,
            decoder: Decoder::load(&weights.at("decoder"), config)?,
            latent_channels: channels,
            factor: config.factor(),
            shift: config.shift_factor,
            widths: widths(config),
        })
    }

    /// Mean, less the shift, and standard deviation `[n, latent_channels, h, w]` of pictures `[n, 3, H, W]` in -1..1; large ones in tiles.
    fn encode(&self, pixels: &Tensor, padding: Padding) -> candle_core::Result<(Tensor, Tensor)> {
        let fit = Fit { width: self.widths.0, factors: (self.factor, 1), padding };
        self.split(fit.run(pixels, |pixels, padding| self.moments(pixels, padding))?)
    }

    /// Encodes in tiles of at most `side` latents.
    fn encode_in_tiles(&self, pixels: &Tensor, side: usize, padding: Padding) -> candle_core::Result<(Tensor, Tensor)> {
        let tiles = Blended { side, factors: (self.factor, 1), padding };
        self.split(tiles.run(pixels, |tile| self.moments(tile, Padding::Zeros))?)
    }

    /// Mean, less the shift, and standard deviation of mean and logarithm of the variance.
    fn split(&self, moments: Tensor) -> candle_core::Result<(Tensor, Tensor)> {
        let channels = self.latent_channels;
        let mean = moments.narrow(1, 0, channels)?.contiguous()?;
        let mean = if self.shift == 0.0 { mean } else { (mean - self.shift)? };
        let log_variance = moments.narrow(1, channels, channels)?.contiguous()?.clamp(-30.0, 20.0)?;
        Ok((mean, (log_variance * 0.5)?.exp()?))
    }

    fn moments(&self, pixels: &Tensor, padding: Padding) -> candle_core::Result<Tensor> {
        let hidden = self.encoder.forward(pixels, padding)?;
        self.quant.as_ref().map_or(Ok(hidden.clone()), |quant| quant.forward(&hidden))
    }

    /// Pictures `[n, 3, H, W]` of latents `[n, latent_channels, h, w]` that were divided by the scaling factor; the shift is added, large ones are
    /// decoded in tiles.
    fn decode(&self, latents: &Tensor, padding: Padding) -> candle_core::Result<Tensor> {
        let fit = Fit { width: self.widths.1, factors: (1, self.factor), padding };
        fit.run(latents, |latents, padding| self.decode_whole(latents, padding))
    }

    /// Decodes in tiles of at most `side` latents.
    fn decode_in_tiles(&self, latents: &Tensor, side: usize, padding: Padding) -> candle_core::Result<Tensor> {
        Blended { side, factors: (1, self.factor), padding }.run(latents, |tile| self.decode_whole(tile, Padding::Zeros))
    }

    fn decode_whole(&self, latents: &Tensor, padding: Padding) -> candle_core::Result<Tensor> {
        let latents = if self.shift == 0.0 { latents.clone() } else { (latents + self.shift)? };
        let latents = self.post_quant.as_ref().map_or(Ok(latents.clone()), |quant| quant.forward(&latents))?;
        self.decoder.forward(&latents, padding)
    }
}

/// Numbers of the widest layer for each pixel: a level has its own channels and, in the decoder, at first those of the level below.
fn widths(config: &VaeConfig) -> (usize, usize) {
    let channels = &config.block_out_channels;
    let widest =
        |width: &dyn Fn(usize) -> usize| (0..channels.len()).map(|level| width(level).div_ceil(1 << (2 * level))).max().unwrap_or(1);
    let below = |level: usize| channels.get(level + 1).copied().unwrap_or(0);
    (widest(&|level| channels[level]), widest(&|level| channels[level].max(below(level))))
}

struct Encoder {
    conv_in: Conv2d,
    levels: Vec<(Vec<Resnet>, Option<Conv2d>)>,
    mid: Middle,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    fn load(weights: &Weights, config: &VaeConfig) -> Result<Self, InferenceError> {
        let (first, last) = ends(config);
        let mut channels = first;
        let mut levels = Vec::new();
        for (level, out) in config.block_out_channels.iter().enumerate() {
            let weights = weights.at(format!("down_blocks.{level}"));
            let resnets = resnets(&weights, (channels, *out), config.layers_per_block, config)?;
            let is_last = level + 1 == config.block_out_channels.len();
            let halve = if is_last { None } else { Some(halving_conv(&weights.at("downsamplers.0.conv"), *out, 0)?) };
            levels.push((resnets, halve));
            channels = *out;
        }
        Ok(Self {
            conv_in: conv(&weights.at("conv_in"), config.in_channels, first, 3)?,
            levels,
            mid: Middle::load(&weights.at("mid_block"), last, config)?,
            norm_out: group_norm(&weights.at("conv_norm_out"), last, config.n_groups, EPS)?,
            conv_out: conv(&weights.at("conv_out"), last, 2 * config.latent_channels, 3)?,
        })
    }

    fn forward(&self, pixels: &Tensor, padding: Padding) -> candle_core::Result<Tensor> {
        let mut hidden = self.conv_in.padded(padding).forward(pixels)?;
        for (resnets, halve) in &self.levels {
            for resnet in resnets {
                hidden = resnet.forward(&hidden, None, padding)?;
            }
            if let Some(halve) = halve {
                hidden = halve.padded(padding).forward(&hidden)?;
            }
        }
        self.conv_out.padded(padding).forward(&self.norm_out.forward_silu(&self.mid.forward(&hidden, padding)?)?)
    }
}

struct Decoder {
    conv_in: Conv2d,
    mid: Middle,
    levels: Vec<(Vec<Resnet>, Option<Conv2d>)>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    fn load(weights: &Weights, config: &VaeConfig) -> Result<Self, InferenceError> {
        let (first, last) = ends(config);
        let mut channels = last;
        let mut levels = Vec::new();
        for (i, out) in config.block_out_channels.iter().rev().enumerate() {
            let weights = weights.at(format!("up_blocks.{i}"));
            let resnets = resnets(&weights, (channels, *out), config.layers_per_block + 1, config)?;
            let is_last = i + 1 == config.block_out_channels.len();
            let double = if is_last { None } else { Some(conv(&weights.at("upsamplers.0.conv"), *out, *out, 3)?) };
            levels.push((resnets, double));
            channels = *out;
        }
        Ok(Self {
            conv_in: conv(&weights.at("conv_in"), config.latent_channels, last, 3)?,
            mid: Middle::load(&weights.at("mid_block"), last, config)?,
            levels,
            norm_out: group_norm(&weights.at("conv_norm_out"), first, config.n_groups, EPS)?,
            conv_out: conv(&weights.at("conv_out"), first, config.out_channels, 3)?,
        })
    }

    fn forward(&self, latents: &Tensor, padding: Padding) -> candle_core::Result<Tensor> {
        let mut hidden = self.mid.forward(&self.conv_in.padded(padding).forward(latents)?, padding)?;
        for (resnets, double) in &self.levels {
            for resnet in resnets {
                hidden = resnet.forward(&hidden, None, padding)?;
            }
            if let Some(double) = double {
                let (_, _, height, width) = hidden.dims4()?;
                hidden = double.padded(padding).forward(&upsample_nearest(&hidden, (2 * height, 2 * width))?)?;
            }
        }
        self.conv_out.padded(padding).forward(&self.norm_out.forward_silu(&hidden)?)
    }
}

/// Channels of the largest and of the smallest level.
fn ends(config: &VaeConfig) -> (usize, usize) {
    let levels = &config.block_out_channels;
    (levels[0], levels[levels.len() - 1])
}

fn resnet(weights: &Weights, (channels, out): (usize, usize), config: &VaeConfig) -> Result<Resnet, InferenceError> {
    Resnet::load(weights, ResnetShape { channels, out, time_width: None, n_groups: config.n_groups, eps: EPS })
}

fn resnets(weights: &Weights, (channels, out): (usize, usize), n: usize, config: &VaeConfig) -> Result<Vec<Resnet>, InferenceError> {
    (0..n).map(|i| resnet(&weights.at(format!("resnets.{i}")), (if i == 0 { channels } else { out }, out), config)).collect()
}

struct Middle {
    first: Resnet,
    attention: Option<PixelAttention>,
    last: Resnet,
}

impl Middle {
    fn load(weights: &Weights, channels: usize, config: &VaeConfig) -> Result<Self, InferenceError> {
        let attention = config.has_attention.then(|| PixelAttention::load(&weights.at("attentions.0"), channels, config.n_groups));
        Ok(Self {
            first: resnet(&weights.at("resnets.0"), (channels, channels), config)?,
            attention: attention.transpose()?,
            last: resnet(&weights.at("resnets.1"), (channels, channels), config)?,
        })
    }

    fn forward(&self, input: &Tensor, padding: Padding) -> candle_core::Result<Tensor> {
        let mut hidden = self.first.forward(input, None, padding)?;
        if let Some(attention) = &self.attention {
            hidden = attention.forward(&hidden)?;
        }
        self.last.forward(&hidden, None, padding)
    }
}

/// One-headed attention between all pixels.
struct PixelAttention {
    norm: GroupNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

impl PixelAttention {
    fn load(weights: &Weights, channels: usize, n_groups: usize) -> Result<Self, InferenceError> {
        // Files from before diffusers 0.14 have the second names.
        let read = |name: &str, old_name: &str| {
            let old = weights.at(old_name);
            linear(&if old.has("weight") { old } else { weights.at(name) }, channels, channels)
        };
        Ok(Self {
            norm: group_norm(&weights.at("group_norm"), channels, n_groups, EPS)?,
            q: read("to_q", "query")?,
            k: read("to_k", "key")?,
            v: read("to_v", "value")?,
            out: read("to_out.0", "proj_attn")?,
        })
    }

    fn forward(&self, input: &Tensor) -> candle_core::Result<Tensor> {
        let (_, _, height, width) = input.dims4()?;
        let tokens = to_tokens(&self.norm.forward(input)?)?;
        let (q, k, v) = (self.q.forward(&tokens)?, self.k.forward(&tokens)?, self.v.forward(&tokens)?);
        let seen = attention(&q, &k, &v, Attention { n_heads: 1, is_causal: false, upcast: true })?;
        to_planes(&self.out.forward(&seen)?, (height, width))? + input
    }
}
