//! What makes Stable Diffusion a family.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use super::{Conditioning, ModelConfig, PromptState, denoiser::Denoiser, prompt::PromptRows, text::Text, unet::Unet};
use crate::{
    adapter::Base,
    checkpoint::{self, Checkpoint, Part, UnetLayout, unread},
    error::InferenceError,
    family::{
        AttentionMaps, Description, Drift,
        contract::{Family, Measured, PartFiles, PromptRequest, Row, Told},
        rules::{GuidanceRule, Prices, Rules},
    },
    ops::{Batch, Changes, Pass},
    schedule::{Pipeline, ScheduleConfig},
    task::{ImageSize, Setting},
    text::{
        Embedding, EncoderShape, Prompt, PromptMeasure, WordPlace,
        clip::{Clip, ClipConfig},
        parts,
    },
    vae::VaeConfig,
};

/// Of a chunk of 77 tokens. Measured with the starter model on a CPU: a prompt of 40 chunks takes 1.95 times as long as one of one chunk, because the
/// cross-attention of every row looks at that many more tokens.
const PRICES: Prices = Prices { share: 0.022, row: 0.0, encoding: 0.005 };

/// Stable Diffusion 1, 2 and XL, its refiner, and what was distilled from them.
pub(crate) struct StableDiffusion;

impl Family for StableDiffusion {
    type Config = ModelConfig;
    type Text = Text;
    type Conditioning = Conditioning;
    type Denoiser = Denoiser;
    type Prepared = PromptState;

    /// Every model that no other family knows: many files say nothing of themselves.
    fn knows(_: &Checkpoint) -> bool {
        true
    }

    fn read(checkpoint: &Checkpoint) -> Result<ModelConfig, InferenceError> {
        ModelConfig::read(checkpoint)
    }

    fn with_vae(config: ModelConfig, json: &Value, path: &Path) -> Result<ModelConfig, InferenceError> {
        config.with_vae(json, path)
    }

    fn vae(config: &ModelConfig) -> &VaeConfig {
        &config.vae
    }

    fn rules(config: &ModelConfig) -> Rules {
        let side = config.native_size() as u32;
        let size_multiple = config.vae.factor() as u32;
        Rules {
            native_size: ImageSize::new(side, side),
            size_multiple,
            // Every level of the U-Net but the last halves the latents.
            even_multiple: size_multiple << (config.unet.down.len() - 1),
            latent_channels: config.vae.latent_channels,
            vae_factor: config.vae.factor(),
            guidance: if config.unet.guidance_width.is_some() { GuidanceRule::Input } else { GuidanceRule::AboveOne },
            zeroes_empty_negative: config.zeroes_absent_negative,
            tells_negative_apart: config.takes_aesthetic_score,
            sees_mask: config.is_inpainting(),
            unread: Setting::unread(|setting| Self::reads(config, setting)),
            prices: PRICES,
            is_clip_alone: config.is_clip_alone(),
            suited: None,
        }
    }

    fn reads(config: &ModelConfig, setting: Setting) -> bool {
        match setting {
            // Where guidance is an input of the network, there is one row a step, and nothing to be brought together.
            Setting::NegativePrompt | Setting::GuidanceRescale | Setting::GuidanceInterval => config.unet.guidance_width.is_none(),
            Setting::ClipSkip | Setting::Weights | Setting::Break | Setting::Seamless => true,
            Setting::Parts | Setting::Chaos | Setting::Weird => true,
        }
    }

    fn describe(checkpoint: &Checkpoint, config: &ModelConfig) -> Result<Description, InferenceError> {
        let encoders = [(&config.text_encoder, "tokenizer", false), (&config.text_encoder_2, "tokenizer_2", true)];
        let n_text = encoders.iter().map(|(config, _, has_projection)| config.as_ref().map_or(0, |it| it.n_parameters(*has_projection)));
        let shape = |(config, tokenizer, _): (&Option<ClipConfig>, &str, bool)| {
            let tokenizer = checkpoint.tokenizer(tokenizer);
            config.as_ref().map(|config| EncoderShape { tokenizer, n_positions: config.n_positions, width: config.width })
        };
        let unet = checkpoint.weights("unet", &Device::Cpu, DType::F32)?;
        Ok(Description {
            family: match (&config.text_encoder, &config.text_encoder_2) {
                (Some(_), Some(_)) => checkpoint::Family::StableDiffusionXl,
                (None, Some(_)) => checkpoint::Family::StableDiffusionXlRefiner,
                _ if config.is_clip_alone() => checkpoint::Family::StableDiffusion1,
                _ => checkpoint::Family::StableDiffusion2,
            },
            n_text: n_text.sum(),
            n_denoiser: unread::n_parameters(checkpoint, "unet", &unet),
            width: config.unet.down.first().map_or(1, |block| block.channels as u64),
            prompts: PromptMeasure::Chunks(encoders.map(shape)),
        })
    }

    /// The schedule as the pipeline that the model names takes it, and as its inpainting pipeline does.
    fn schedules(checkpoint: &Checkpoint) -> Result<(ScheduleConfig, ScheduleConfig), InferenceError> {
        const NAME: &str = "scheduler/scheduler_config.json";
        let json = checkpoint.json(NAME)?;
        let schedule = ScheduleConfig::parse(&json.to_string(), &checkpoint.json_path(NAME))?;
        let index = checkpoint.json("model_index.json")?;
        let class = index.get("_class_name").and_then(Value::as_str).unwrap_or_default();
        let is_amended = class.starts_with("StableDiffusion") && !class.starts_with("StableDiffusionXL");
        if !is_amended {
            return Ok((schedule.clone(), schedule));
        }
        Ok((schedule.clone().as_amended_by(Pipeline::Drawing), schedule.as_amended_by(Pipeline::Inpainting)))
    }

    fn base(checkpoint: &Checkpoint, config: &ModelConfig) -> Result<Base, InferenceError> {
        let (device, dtype) = (&Device::Cpu, DType::F32);
        let weights = |name: &str| checkpoint.weights(name, device, dtype);
        let mut base = Base::new(UnetLayout::of(&config.unet));
        if let Some(clip) = &config.text_encoder {
            base = base.with(Part::TextEncoder, weights("text_encoder")?, |weights| Clip::load(weights, clip, device).map(drop))?;
        }
        if let Some(clip) = &config.text_encoder_2 {
            let load = |weights: &_| Clip::load_with_projection(weights, clip, device).map(drop);
            base = base.with(Part::TextEncoder2, weights("text_encoder_2")?, load)?;
        }
        base.with(Part::Unet, weights("unet")?, |weights| Unet::load(weights, &config.unet, device, dtype).map(drop))
    }

    fn load_text(files: PartFiles<'_>, config: &ModelConfig) -> Result<Text, InferenceError> {
        Text::load(files, config)
    }

    fn load_denoiser(files: PartFiles<'_>, config: &ModelConfig) -> Result<Denoiser, InferenceError> {
        Denoiser::load(files, config)
    }

    fn learn(text: &mut Text, word: &Embedding) -> Result<(), InferenceError> {
        text.encoders_mut().add_embedding(word)
    }

    /// In chunks of 77 tokens.
    fn length(text: &Text, prompt: &str) -> Result<usize, InferenceError> {
        text.encoders().n_chunks(&Prompt::parse(prompt))
    }

    fn words(text: &Text, prompt: &str) -> Result<Vec<WordPlace>, InferenceError> {
        text.encoders().words(&Prompt::parse(prompt))
    }

    fn encode(text: &Text, request: &PromptRequest) -> Result<Conditioning, InferenceError> {
        let PromptRequest { text: prompt, has_parts, clip_skip, length, adapters } = request;
        let Some(prompt) = prompt else { return text.encoders().zeroed(*length) };
        let encode = |prompt: &str| text.encoders().encode_with(&Prompt::parse(prompt), *clip_skip, *length, adapters);
        match parts(prompt).map(|parts| parts.filter(|_| *has_parts))? {
            Some(parts) => {
                let encoded = parts.iter().map(|part| Ok((encode(part.text)?, part.share)));
                Ok(Conditioning::sum(&encoded.collect::<Result<Vec<_>, InferenceError>>()?)?)
            }
            None => encode(prompt),
        }
    }

    fn prepare(denoiser: &Denoiser, conditioning: &Conditioning, told: &Told) -> Result<PromptState, InferenceError> {
        let drifted = conditioning.drifted(&told.drifts)?;
        let state = denoiser.prepare(&drifted, &denoiser.size_ids(told.size, told.is_negative), &told.adapters)?;
        denoiser.with_guidance(state, told.guidance_scale, &told.adapters)
    }

    fn predict(denoiser: &Denoiser, rows: &[Row<&PromptState>]) -> Result<Tensor, InferenceError> {
        let latents: Vec<&Tensor> = rows.iter().map(|row| &row.latents).collect();
        let latents = if let [row] = latents[..] { row.clone() } else { Tensor::cat(&latents, 0)? };
        let timesteps: Vec<f64> = rows.iter().map(|row| row.timestep).collect();
        let prompts: Vec<&PromptState> = rows.iter().map(|row| row.prepared).collect();
        let padding = rows.first().map(|row| row.padding).unwrap_or_default();
        let changes: Vec<&Changes> = rows.iter().map(|row| row.adapters.changes(Part::Unet)).collect();
        let maps: Vec<Option<&AttentionMaps>> = rows.iter().map(|row| row.maps.as_deref()).collect();
        denoiser.predict(&latents, &timesteps, PromptRows { prompts: &prompts, maps: &maps }, Pass { padding, batch: Batch::new(&changes) })
    }
}

impl Conditioning {
    /// What several prompts became as one: the sum by their shares, of the prompt as a whole too.
    fn sum(parts: &[(Self, f64)]) -> candle_core::Result<Self> {
        let add = |of: fn(&Self) -> Option<&Tensor>| -> candle_core::Result<Option<Tensor>> {
            let mut sum: Option<Tensor> = None;
            for (part, share) in parts {
                let Some(values) = of(part) else { return Ok(None) };
                let values = (values * *share)?;
                sum = Some(if let Some(sum) = sum { (sum + values)? } else { values });
            }
            Ok(sum)
        };
        match add(|part| Some(&part.context))? {
            Some(context) => Ok(Self { context, pooled: add(|part| part.pooled.as_ref())? }),
            None => candle_core::bail!("a prompt without parts"),
        }
    }

    fn drifted(&self, drifts: &[Drift]) -> candle_core::Result<Self> {
        let pooled = self.pooled.as_ref().map(|pooled| Drift::of(drifts, pooled)).transpose()?;
        Ok(Self { context: Drift::of(drifts, &self.context)?, pooled })
    }
}

impl Measured for Conditioning {
    fn shape(&self) -> Vec<usize> {
        self.context.dims().to_vec()
    }

    fn n_bytes(&self) -> usize {
        let tensors = std::iter::once(&self.context).chain(&self.pooled);
        tensors.map(|tensor| tensor.elem_count() * tensor.dtype().size_in_bytes()).sum()
    }
}
