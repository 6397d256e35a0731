//! What makes Z-Image a family.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use super::{
    Caption, Transformer, TransformerConfig,
    text::{Conditioning, MAX_TOKENS, Text},
    transformer::MULTIPLE,
};
use crate::{
    adapter::Base,
    checkpoint::{self, Checkpoint, Part, json::unsupported, unread},
    error::InferenceError,
    family::{
        Description,
        contract::{Family, Loaded, PartFiles, PromptRequest, Row, Told},
        rules::{GuidanceRule, Prices, Rules, Suited},
    },
    ops::{Batch, Changes},
    schedule::{Pipeline, ScheduleConfig},
    task::{ImageSize, Setting},
    text::{ChatShape, PromptMeasure, qwen3::Qwen3Config},
    vae::VaeConfig,
};

const SCHEDULE: &str = "scheduler/scheduler_config.json";

/// Z-Image and Z-Image-Turbo.
pub(crate) struct ZImage;

/// The shapes of a model's networks.
#[derive(Clone)]
pub(crate) struct Config {
    transformer: TransformerConfig,
    text: Qwen3Config,
    vae: VaeConfig,
    /// Whether few steps without guidance do.
    is_distilled: bool,
}

/// What the published card of Z-Image-Turbo draws with.
const TURBO: Suited = Suited { steps: 8, guidance_scale: 0.0 };
/// What that of Z-Image draws with.
const BASE: Suited = Suited { steps: 50, guidance_scale: 4.0 };
/// The least shift of the schedule of the model that was not distilled; Z-Image-Turbo's is 3. No other file tells the two apart.
const BASE_SHIFT: f64 = 6.0;

/// Of 32 tokens. A token of a prompt goes through the same layers as one of a picture, which stands for 16×16 pixels; encoding it goes through 4 billion
/// numbers where a row goes through 6.2. What their attention costs beyond that is not counted.
const PRICES: Prices = Prices { share: 0.0, row: 32.0 * 256.0 / 1e6, encoding: 32.0 * 256.0 / 1e6 * 4.0 / 6.2 };

/// The transformer in memory.
pub(crate) struct Denoiser {
    network: Transformer,
    n_parameters: u64,
    dtype: DType,
}

impl Config {
    /// Refuses an autoencoder whose latents are not the transformer's.
    fn checked(self, path: &Path) -> Result<Self, InferenceError> {
        let (vae, transformer) = (self.vae.latent_channels, self.transformer.channels);
        if vae == transformer {
            return Ok(self);
        }
        Err(unsupported(path, format!("a VAE with {vae} latent channels for a transformer of {transformer}")))
    }
}

impl Family for ZImage {
    type Config = Config;
    type Text = Text;
    type Conditioning = Conditioning;
    type Denoiser = Denoiser;
    type Prepared = Caption;

    fn knows(checkpoint: &Checkpoint) -> bool {
        let index = checkpoint.json("model_index.json").unwrap_or_default();
        index["_class_name"].as_str().is_some_and(|class| class.starts_with("ZImage"))
    }

    fn read(checkpoint: &Checkpoint) -> Result<Config, InferenceError> {
        let part = |name: &str| Ok::<_, InferenceError>((checkpoint.json(name)?, checkpoint.json_path(name)));
        let (transformer, transformer_path) = part("transformer/config.json")?;
        let (text, text_path) = part("text_encoder/config.json")?;
        let (vae, vae_path) = part("vae/config.json")?;
        let config = Config {
            transformer: TransformerConfig::read(&transformer, &transformer_path)?,
            text: Qwen3Config::read(&text, &text_path)?,
            vae: VaeConfig::read(&vae, &vae_path)?,
            is_distilled: checkpoint.json(SCHEDULE)?["shift"].as_f64().is_none_or(|shift| shift < BASE_SHIFT),
        };
        let (found, wanted) = (config.text.width, config.transformer.caption_width);
        if found != wanted {
            return Err(unsupported(&text_path, format!("a text encoder of width {found} for a transformer that takes {wanted}")));
        }
        config.checked(&vae_path)
    }

    fn with_vae(config: Config, json: &Value, path: &Path) -> Result<Config, InferenceError> {
        Config { vae: VaeConfig::read(json, path)?, ..config }.checked(path)
    }

    fn vae(config: &Config) -> &VaeConfig {
        &config.vae
    }

    fn rules(config: &Config) -> Rules {
        let vae_factor = config.vae.factor();
        // A token is two latents wide.
        let size_multiple = 2 * vae_factor as u32;
        Rules {
            native_size: ImageSize::new(1024, 1024),
            size_multiple,
            even_multiple: size_multiple,
            latent_channels: config.vae.latent_channels,
            vae_factor,
            guidance: GuidanceRule::AboveZero,
            zeroes_empty_negative: false,
            tells_negative_apart: false,
            sees_mask: false,
            unread: Setting::unread(|setting| Self::reads(config, setting)),
            prices: PRICES,
            is_clip_alone: false,
            suited: Some(if config.is_distilled { TURBO } else { BASE }),
        }
    }

    fn reads(_: &Config, setting: Setting) -> bool {
        match setting {
            Setting::NegativePrompt | Setting::GuidanceRescale | Setting::GuidanceInterval => true,
            // Prompts are read as they stand, by a language model of which one layer is taken; there are no convolutions to go round edges.
            Setting::ClipSkip | Setting::Weights | Setting::Break | Setting::Seamless => false,
            Setting::Parts | Setting::Chaos | Setting::Weird => false,
        }
    }

    fn describe(checkpoint: &Checkpoint, config: &Config) -> Result<Description, InferenceError> {
        let (device, dtype) = (&Device::Cpu, DType::F32);
        let weights = checkpoint.weights("transformer", device, dtype)?;
        // What does not fit is found before anybody waits for it.
        weights.n_numbers(|weights| Transformer::load(weights, &config.transformer, device, dtype).map(drop))?;
        Ok(Description {
            family: checkpoint::Family::ZImage,
            // Without its last layer, which nobody looks at.
            n_text: config.text.n_parameters(config.text.n_layers - 1),
            n_denoiser: unread::n_parameters(checkpoint, "transformer", &weights),
            // A token stands for four latents.
            width: (config.transformer.width / 4) as u64,
            prompts: PromptMeasure::Chat(ChatShape {
                tokenizer: checkpoint.tokenizer("tokenizer"),
                max_tokens: MAX_TOKENS,
                unit: MULTIPLE,
            }),
        })
    }

    fn schedules(checkpoint: &Checkpoint) -> Result<(ScheduleConfig, ScheduleConfig), InferenceError> {
        let schedule = ScheduleConfig::parse(&checkpoint.json(SCHEDULE)?.to_string(), &checkpoint.json_path(SCHEDULE))?;
        let schedule = schedule.as_amended_by(Pipeline::Flow);
        Ok((schedule.clone(), schedule))
    }

    fn base(checkpoint: &Checkpoint, config: &Config) -> Result<Base, InferenceError> {
        let (device, dtype) = (&Device::Cpu, DType::F32);
        let load = |weights: &_| Transformer::load(weights, &config.transformer, device, dtype).map(drop);
        Base::new(None).with(Part::Transformer, checkpoint.weights("transformer", device, dtype)?, load)
    }

    fn load_text(files: PartFiles<'_>, config: &Config) -> Result<Text, InferenceError> {
        Text::load(files, &config.text)
    }

    fn load_denoiser(files: PartFiles<'_>, config: &Config) -> Result<Denoiser, InferenceError> {
        let weights = files.checkpoint.weights("transformer", files.device, files.dtype)?;
        let network = Transformer::load(&weights, &config.transformer, files.device, files.dtype)?;
        unread::check(files.checkpoint, "transformer", &weights)?;
        Ok(Denoiser { network, n_parameters: weights.n_parameters(), dtype: weights.dtype() })
    }

    /// In stretches of 32 tokens, to which the transformer fills prompts up; what is too long for the model is cut off.
    fn length(text: &Text, prompt: &str) -> Result<usize, InferenceError> {
        text.length(prompt)
    }

    fn encode(text: &Text, request: &PromptRequest) -> Result<Conditioning, InferenceError> {
        text.encode(request.text.as_deref().unwrap_or_default())
    }

    fn prepare(denoiser: &Denoiser, conditioning: &Conditioning, told: &Told) -> Result<Caption, InferenceError> {
        Ok(denoiser.network.prepare(&conditioning.states, Batch::new(&[told.adapters.changes(Part::Transformer)]))?)
    }

    fn predict(denoiser: &Denoiser, rows: &[Row<&Caption>]) -> Result<Tensor, InferenceError> {
        let latents: Vec<&Tensor> = rows.iter().map(|row| &row.latents).collect();
        let timesteps: Vec<f64> = rows.iter().map(|row| row.timestep).collect();
        let captions: Vec<&Caption> = rows.iter().map(|row| row.prepared).collect();
        let changes: Vec<&Changes> = rows.iter().map(|row| row.adapters.changes(Part::Transformer)).collect();
        Ok(denoiser.network.predict(&Tensor::cat(&latents, 0)?, &timesteps, &captions, Batch::new(&changes))?)
    }
}

impl Loaded for Denoiser {
    fn n_parameters(&self) -> u64 {
        self.n_parameters
    }

    fn dtype(&self) -> DType {
        self.dtype
    }
}
