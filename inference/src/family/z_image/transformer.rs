//! The network (diffusers' `ZImageTransformer2DModel`).

use candle_core::{DType, Device, Tensor};

use super::{
    block::Block,
    config::{N_AXES, TransformerConfig},
};
use crate::{
    checkpoint::Weights,
    error::InferenceError,
    layers::{linear, rms_norm},
    ops::{Activation, Batch, LayerNorm, Linear, Pairs, RmsNorm, Rotary},
};

/// Caption and picture are filled up to multiples of this with learned tokens, which are looked at as all others.
pub const MULTIPLE: usize = 32;
/// Latents along a token's side.
const PATCH: usize = 2;
/// Cosines and sines of the time together.
const TIME_WAVES: usize = 256;
/// Width between the two layers that the time goes through.
const TIME_INNER: usize = 1024;
/// Added to the variance before the last layer.
const LAST_EPS: f64 = 1e-6;
/// Where the network's parts lie that are made for patches of 2×2 latents of one frame.
const KIND: &str = "2-1";

/// Tells from noisy latents, the time and a caption which way the picture lies.
pub struct Transformer {
    time: (Linear, Linear),
    patches: Linear,
    patch_pad: Tensor,
    caption: (RmsNorm, Linear),
    caption_pad: Tensor,
    noise_refiner: Vec<Block>,
    context_refiner: Vec<Block>,
    layers: Vec<Block>,
    last_norm: LayerNorm,
    last_modulation: Linear,
    last: Linear,
    config: TransformerConfig,
    device: Device,
    dtype: DType,
}

/// A caption as the layers see it at every step: they alone are told the time.
pub struct Caption {
    /// `[1, tokens, width]`, filled up.
    hidden: Tensor,
    places: Rotary,
}

impl Caption {
    /// Tokens, with those that fill it up.
    pub fn n_tokens(&self) -> usize {
        self.hidden.dims()[1]
    }
}

/// How many tokens a caption of `n` becomes.
pub fn padded(n: usize) -> usize {
    n.next_multiple_of(MULTIPLE)
}

impl Transformer {
    /// Reads the network.
    ///
    /// # Errors
    /// Whatever is wrong with the weights, naming file and tensor.
    pub fn load(weights: &Weights, config: &TransformerConfig, device: &Device, dtype: DType) -> Result<Self, InferenceError> {
        let (width, time_width) = (config.width, config.time_width());
        let n_values = PATCH * PATCH * config.channels;
        let blocks = |name: &str, n: usize, is_told_time: bool| -> Result<Vec<Block>, InferenceError> {
            (0..n).map(|i| Block::load(&weights.at(format!("{name}.{i}")), config, is_told_time)).collect()
        };
        let pad = |name: &str| -> Result<Tensor, InferenceError> { Ok(weights.tensor(name, &[1, width])?.unsqueeze(0)?) };
        let last = weights.at(format!("all_final_layer.{KIND}"));
        let learned = |value: fn(usize, DType, &Device) -> candle_core::Result<Tensor>| value(width, dtype, device);
        Ok(Self {
            time: (
                linear(&weights.at("t_embedder.mlp.0"), TIME_WAVES, TIME_INNER)?,
                linear(&weights.at("t_embedder.mlp.2"), TIME_INNER, time_width)?,
            ),
            patches: linear(&weights.at(format!("all_x_embedder.{KIND}")), n_values, width)?,
            patch_pad: pad("x_pad_token")?,
            caption: (
                rms_norm(&weights.at("cap_embedder.0"), config.caption_width, config.eps)?,
                linear(&weights.at("cap_embedder.1"), config.caption_width, width)?,
            ),
            caption_pad: pad("cap_pad_token")?,
            noise_refiner: blocks("noise_refiner", config.n_refiner_layers, true)?,
            context_refiner: blocks("context_refiner", config.n_refiner_layers, false)?,
            layers: blocks("layers", config.n_layers, true)?,
            last_norm: LayerNorm::new(learned(Tensor::ones)?, learned(Tensor::zeros)?, LAST_EPS)?,
            last_modulation: linear(&last.at("adaLN_modulation.1"), time_width, width)?,
            last: linear(&last.at("linear"), width, n_values)?,
            config: config.clone(),
            device: device.clone(),
            dtype,
        })
    }

    /// Prepares a caption, `[1, tokens, caption_width]`, for rows with the changes of `batch`, which has one row.
    pub fn prepare(&self, states: &Tensor, batch: Batch<'_>) -> candle_core::Result<Caption> {
        let states = states.to_dtype(self.dtype)?.to_device(&self.device)?;
        let hidden = filled(&self.caption.1.of(batch).forward(&self.caption.0.forward(&states)?)?, &self.caption_pad)?;
        // What fills a caption up counts its places on.
        let places = self.places((1..=hidden.dim(1)?).map(|place| [place, 0, 0]))?;
        let no_time = Tensor::zeros((1, self.config.time_width()), self.dtype, &self.device)?;
        let refine = |hidden: candle_core::Result<Tensor>, block: &Block| block.forward(&hidden?, &places, &no_time, batch);
        Ok(Caption { hidden: self.context_refiner.iter().fold(Ok(hidden), refine)?, places })
    }

    /// Noise less picture `[n, channels, h, w]` for latents of that shape, one training timestep, one caption and the changes
    /// of `batch` a row; `h` and `w` are even and all captions have as many tokens.
    ///
    /// On the processor in float32 a row's result is the same, bit for bit, whatever the other rows are.
    pub fn predict(&self, latents: &Tensor, timesteps: &[f64], captions: &[&Caption], batch: Batch<'_>) -> candle_core::Result<Tensor> {
        let (n, channels, height, width) = latents.dims4()?;
        let (down, right) = (height / PATCH, width / PATCH);
        let n_caption = captions.first().map_or(0, |caption| caption.n_tokens());
        let fits = timesteps.len() == n && captions.len() == n && captions.iter().all(|caption| caption.n_tokens() == n_caption);
        let [_, rows, columns] = self.config.axis_lengths;
        if !fits || (down * PATCH, right * PATCH) != (height, width) || down > rows || right > columns {
            candle_core::bail!(
                "{:?} latents, {} times, {} captions of {n_caption} tokens",
                latents.shape(),
                timesteps.len(),
                captions.len()
            );
        }
        let Some(caption) = captions.first() else { candle_core::bail!("no rows") };
        let time = self.time(timesteps, batch)?;
        let patches = latents.to_dtype(self.dtype)?.reshape(vec![n, channels, down, PATCH, right, PATCH])?;
        let patches = patches.permute(vec![0, 2, 4, 3, 5, 1])?.contiguous()?.reshape((n, down * right, ()))?;
        let mut picture = filled(&self.patches.of(batch).forward(&patches)?, &self.patch_pad)?;
        // The picture lies behind its caption; what fills it up lies nowhere.
        let seen = (0..down).flat_map(|y| (0..right).map(move |x| [n_caption + 1, y, x]));
        let places = self.places(seen.chain(std::iter::repeat([0; N_AXES])).take(picture.dim(1)?))?;
        for block in &self.noise_refiner {
            picture = block.forward(&picture, &places, &time, batch)?;
        }
        let caption_rows: Vec<&Tensor> = captions.iter().map(|caption| &caption.hidden).collect();
        let mut hidden = Tensor::cat(&[&picture, &Tensor::cat(&caption_rows, 0)?], 1)?;
        let places = places.then(&caption.places)?;
        for block in &self.layers {
            hidden = block.forward(&hidden, &places, &time, batch)?;
        }
        let factor = (self.last_modulation.of(batch).forward(&Activation::Silu.forward(&time)?)?.unsqueeze(1)? + 1.0)?;
        let seen = self.last_norm.forward(&hidden.narrow(1, 0, down * right)?.contiguous()?)?;
        let out = self.last.of(batch).forward(&seen.broadcast_mul(&factor)?)?.reshape(vec![n, down, right, PATCH, PATCH, channels])?;
        out.permute(vec![0, 5, 1, 3, 2, 4])?.contiguous()?.reshape(latents.shape())?.neg()
    }

    fn places(&self, places: impl Iterator<Item = [usize; N_AXES]>) -> candle_core::Result<Rotary> {
        Rotary::new(&self.config.angles(places), self.config.head_width() / 2, Pairs::Adjacent, &self.device)
    }

    /// `[n, time_width]` of training timesteps, which run from 1000 for noise to 0; the network's time runs the other way. In float32 as diffusers computes it.
    fn time(&self, timesteps: &[f64], batch: Batch<'_>) -> candle_core::Result<Tensor> {
        let half = TIME_WAVES / 2;
        let step = -(10_000_f64.ln() as f32);
        let frequencies: Vec<f32> = (0..half).map(|i| (step * i as f32 / half as f32).exp()).collect();
        let row = |timestep: &f64| {
            let time = (1000.0 - *timestep as f32) / 1000.0 * self.config.time_scale as f32;
            let waves = |wave: fn(f32) -> f32| frequencies.iter().map(move |frequency| wave(time * frequency)).collect::<Vec<f32>>();
            [waves(f32::cos), waves(f32::sin)].concat()
        };
        let rows = Tensor::from_vec(timesteps.iter().flat_map(row).collect::<Vec<f32>>(), (timesteps.len(), TIME_WAVES), &self.device)?;
        self.time.1.of(batch).forward(&Activation::Silu.forward(&self.time.0.of(batch).forward(&rows.to_dtype(self.dtype)?)?)?)
    }
}

/// Tokens `[n, tokens, width]` and copies of `pad` `[1, 1, width]` after them.
fn filled(tokens: &Tensor, pad: &Tensor) -> candle_core::Result<Tensor> {
    let (n, n_tokens, width) = tokens.dims3()?;
    let missing = padded(n_tokens) - n_tokens;
    if missing == 0 { Ok(tokens.clone()) } else { Tensor::cat(&[tokens, &pad.broadcast_as((n, missing, width))?], 1) }
}
