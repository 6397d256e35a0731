//! The U-Net (diffusers' `UNet2DConditionModel`), with a timestep for each row.

use candle_core::{DType, Device, Tensor};

use super::{
    Conditioning, PromptState,
    attention::{Transformer, TransformerShape},
    config::{AttentionConfig, MidConfig, UnetConfig},
    embeddings::{AddedEmbedding, BesideTime, TimeEmbedding},
    prompt::{PromptRows, Prompts},
};
use crate::layers::resnet::{Resnet, ResnetShape};
use crate::layers::{conv, group_norm, halving_conv};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    ops::{Batch, Conv2d, GroupNorm, Pass, upsample_nearest},
};

/// The network that tells noise from picture.
pub struct Unet {
    time: TimeEmbedding,
    added: Option<AddedEmbedding>,
    conv_in: Conv2d,
    down: Vec<DownBlock>,
    mid: Option<Mid>,
    up: Vec<UpBlock>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

struct Mid {
    first: Resnet,
    rest: Option<(Transformer, Resnet)>,
}

struct DownBlock {
    layers: Vec<(Resnet, Option<Transformer>)>,
    halve: Option<Conv2d>,
}

struct UpBlock {
    layers: Vec<(Resnet, Option<Transformer>)>,
    double: Option<Conv2d>,
}

impl Unet {
    /// Reads the network.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load(weights: &Weights, config: &UnetConfig, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let first = config.down[0].channels;
        let parts = Parts { config };
        let added = |added| AddedEmbedding::load(&weights.at("add_embedding"), (added, config), device, dtype);
        Ok(Self {
            added: config.added.as_ref().map(added).transpose()?,
            time: TimeEmbedding::load(&weights.at("time_embedding"), config, device, dtype)?,
            conv_in: conv(&weights.at("conv_in"), config.in_channels, first, config.end_kernels.0)?,
            down: parts.down(weights)?,
            mid: config.mid.as_ref().map(|mid| parts.mid(&weights.at("mid_block"), mid)).transpose()?,
            up: parts.up(weights)?,
            norm_out: group_norm(&weights.at("conv_norm_out"), first, config.n_groups, config.eps)?,
            conv_out: conv(&weights.at("conv_out"), first, config.out_channels, config.end_kernels.1)?,
        })
    }

    /// What a prompt gives at every step: its context must be `[1, tokens, context_width]` in the network's type; `ids` are the sizes that Stable
    /// Diffusion XL takes in; `batch` is what changes layers for the prompt's rows.
    pub fn prepare(
        &self,
        Conditioning { context, pooled }: &Conditioning,
        ids: &[f64],
        batch: Batch<'_>,
    ) -> candle_core::Result<PromptState> {
        let (n, n_tokens, _) = context.dims3()?;
        if n != 1 {
            candle_core::bail!("{n} prompts made ready as one");
        }
        let mut keys_values = Vec::new();
        for transformer in self.transformers() {
            transformer.prepare(context, batch, &mut keys_values)?;
        }
        let added = match (&self.added, pooled) {
            (Some(added), Some(pooled)) => Some(added.forward(pooled, ids, batch)?),
            (Some(_), None) => candle_core::bail!("the network needs the prompt's pooled embedding"),
            (None, _) => None,
        };
        Ok(PromptState { keys_values: keys_values.into(), n_tokens, added, guidance: None })
    }

    /// The same prompt for a network that takes in the guidance scale; unchanged for others.
    pub fn with_guidance(&self, prompt: PromptState, guidance_scale: f64, batch: Batch<'_>) -> candle_core::Result<PromptState> {
        Ok(PromptState { guidance: self.time.guidance(guidance_scale, batch)?, ..prompt })
    }

    /// In the order of the way through the network.
    fn transformers(&self) -> impl Iterator<Item = &Transformer> {
        let down = self.down.iter().flat_map(|block| &block.layers).filter_map(|(_, transformer)| transformer.as_ref());
        let up = self.up.iter().flat_map(|block| &block.layers).filter_map(|(_, transformer)| transformer.as_ref());
        let mid = self.mid.iter().filter_map(|mid| mid.rest.as_ref()).map(|(transformer, _)| transformer);
        down.chain(mid).chain(up)
    }

    /// `[n, out_channels, h, w]` of latents `[n, in_channels, h, w]`, one timestep and one prompt a row.
    pub fn forward(&self, latents: &Tensor, timesteps: &[f64], rows: PromptRows<'_>, pass: Pass<'_>) -> candle_core::Result<Tensor> {
        let prompts = &mut Prompts::new(rows, pass.batch);
        let (guidance, added) = (prompts.rows(|prompt| prompt.guidance.as_ref())?, prompts.rows(|prompt| prompt.added.as_ref())?);
        let beside = BesideTime { guidance: guidance.as_ref(), added: added.as_ref() };
        let time = self.time.forward(timesteps, beside, pass.batch)?;
        let mut hidden = self.conv_in.within(pass).forward(latents)?;
        let mut skips = vec![hidden.clone()];
        for block in &self.down {
            for layer in &block.layers {
                hidden = run(layer, &hidden, (&time, prompts), pass)?;
                skips.push(hidden.clone());
            }
            if let Some(halve) = &block.halve {
                hidden = halve.within(pass).forward(&hidden)?;
                skips.push(hidden.clone());
            }
        }
        if let Some(Mid { first, rest }) = &self.mid {
            hidden = first.forward(&hidden, Some(&time), pass)?;
            if let Some((transformer, resnet)) = rest {
                hidden = resnet.forward(&transformer.forward(&hidden, prompts)?, Some(&time), pass)?;
            }
        }
        for block in &self.up {
            for layer in &block.layers {
                let Some(skip) = skips.pop() else { candle_core::bail!("the way up has more layers than the way down") };
                hidden = run(layer, &Tensor::cat(&[&hidden, &skip], 1)?, (&time, prompts), pass)?;
            }
            if let (Some(double), Some(skip)) = (&block.double, skips.last()) {
                // The skip's size and not twice this one's: a side may be odd.
                let (_, _, height, width) = skip.dims4()?;
                hidden = double.within(pass).forward(&upsample_nearest(&hidden, (height, width))?)?;
            }
        }
        self.conv_out.within(pass).forward(&self.norm_out.of(pass.batch).forward_silu(&hidden)?)
    }
}

fn run(
    (resnet, transformer): &(Resnet, Option<Transformer>),
    input: &Tensor,
    (time, prompts): (&Tensor, &mut Prompts<'_>),
    pass: Pass<'_>,
) -> candle_core::Result<Tensor> {
    let hidden = resnet.forward(input, Some(time), pass)?;
    transformer.as_ref().map_or(Ok(hidden.clone()), |transformer| transformer.forward(&hidden, prompts))
}

struct Parts<'a> {
    config: &'a UnetConfig,
}

impl Parts<'_> {
    fn down(&self, weights: &Weights) -> Result<Vec<DownBlock>, InferenceError> {
        let mut channels = self.config.down[0].channels;
        let mut blocks = Vec::new();
        for (level, block) in self.config.down.iter().enumerate() {
            let weights = weights.at(format!("down_blocks.{level}"));
            let mut layers = Vec::new();
            for i in 0..block.n_layers {
                layers.push(self.layer(&weights, i, (channels, block.channels), block.attention.as_ref())?);
                channels = block.channels;
            }
            let is_last = level + 1 == self.config.down.len();
            let padding = self.config.downsample_padding;
            let halve = if is_last { None } else { Some(halving_conv(&weights.at("downsamplers.0.conv"), channels, padding)?) };
            blocks.push(DownBlock { layers, halve });
        }
        Ok(blocks)
    }

    fn mid(&self, weights: &Weights, config: &MidConfig) -> Result<Mid, InferenceError> {
        let channels = self.config.up[0].channels;
        let resnet = |i: usize| self.resnet(&weights.at(format!("resnets.{i}")), channels, channels);
        let rest =
            |attention| Ok::<_, InferenceError>((self.transformer(&weights.at("attentions.0"), 0, channels, attention)?, resnet(1)?));
        Ok(Mid { first: resnet(0)?, rest: config.attention.as_ref().map(rest).transpose()? })
    }

    fn up(&self, weights: &Weights) -> Result<Vec<UpBlock>, InferenceError> {
        let config = self.config;
        let mut channels = config.up[0].channels;
        let mut blocks = Vec::new();
        for (i, block) in config.up.iter().enumerate() {
            let weights = weights.at(format!("up_blocks.{i}"));
            // The last layer's skip comes from the level above's end on the way down.
            let above = config.up.get(i + 1).map_or(config.down[0].channels, |above| above.channels);
            let mut layers = Vec::new();
            for j in 0..=block.n_layers {
                let skip = if j == block.n_layers { above } else { block.channels };
                layers.push(self.layer(&weights, j, (channels + skip, block.channels), block.attention.as_ref())?);
                channels = block.channels;
            }
            let is_last = i + 1 == config.up.len();
            let double = if is_last { None } else { Some(conv(&weights.at("upsamplers.0.conv"), channels, channels, 3)?) };
            blocks.push(UpBlock { layers, double });
        }
        Ok(blocks)
    }

    fn layer(
        &self,
        weights: &Weights,
        i: usize,
        (channels, out): (usize, usize),
        attention: Option<&AttentionConfig>,
    ) -> Result<(Resnet, Option<Transformer>), InferenceError> {
        let resnet = self.resnet(&weights.at(format!("resnets.{i}")), channels, out)?;
        let transformer = attention.map(|attention| self.transformer(&weights.at(format!("attentions.{i}")), i, out, attention));
        Ok((resnet, transformer.transpose()?))
    }

    fn resnet(&self, weights: &Weights, channels: usize, out: usize) -> Result<Resnet, InferenceError> {
        let UnetConfig { time_width, n_groups, eps, .. } = *self.config;
        Resnet::load(weights, ResnetShape { channels, out, time_width: Some(time_width), n_groups, eps })
    }

    /// The `i`-th of a level.
    fn transformer(
        &self,
        weights: &Weights,
        i: usize,
        channels: usize,
        attention: &AttentionConfig,
    ) -> Result<Transformer, InferenceError> {
        let n_layers = attention.depths.get(i).copied().unwrap_or_default();
        let UnetConfig { context_width, n_groups, use_linear_projection, upcast_attention, .. } = *self.config;
        Transformer::load(
            weights,
            TransformerShape { channels, attention, n_layers, context_width, n_groups, use_linear_projection, upcast: upcast_attention },
        )
    }
}
